// @ts-check
// npm run example -- NAME: one of the examples, with everything that it needs.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { launch, root } from "./lib/launch.mjs";

const [name = "", ...args] = process.argv.slice(2);
const runnable = (/** @type {string} */ one) => existsSync(join(root, "examples", one, "src", "example.ts"));
const names = readdirSync(join(root, "examples")).filter(runnable).sort();
if (!names.includes(name)) {
  const usage = `Usage: npm run example -- NAME [--once]\n\nNAME is one of: ${names.join(", ")}.`;
  process.stderr.write(`${name === "" ? "" : `No example is called ${name}.\n\n`}${usage}\n`);
  process.exit(2);
}
await launch(`examples/${name}/src/example.ts`, args);
