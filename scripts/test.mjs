// @ts-check
// npm test: every suite, with a report for machines in .results/; with arguments, what they name (as vitest takes them).
import { rmSync } from "node:fs";
import { join } from "node:path";
import { launch, root } from "./lib/launch.mjs";

const REPORT = ".results/test.json";
const args = process.argv.slice(2);
const all = args.length === 0;
// The report of another run must not pass for this one's, should this one not come to its end.
if (all) rmSync(join(root, REPORT), { force: true });

const reporters = all ? ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`] : [];
// Whoever has NODE_ENV=production set runs the same tests.
await launch("node_modules/vitest/vitest.mjs", ["run", "--root", root, ...reporters, ...args], { NODE_ENV: "test" });
