/** Runs the suite in a process of its own, on Node, Deno or Bun, and prints how it ended as one line of JSON. */
import { runCases } from "./case.ts";
import { node } from "./node.ts";
import { web } from "./web.ts";

const outcomes = await runCases([...web, ...node(process.argv.includes("sqlite"))]);
console.log(JSON.stringify({ versions: process.versions, outcomes }));
