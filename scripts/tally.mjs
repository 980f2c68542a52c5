// @ts-check
// The last line of .ci/run: tests and checks together. Arguments: the exit codes of `npm test` and of `npm run check`.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { line, tally } from "./lib/tally.mjs";

const [tests = 1, checks = 1] = process.argv.slice(2).map(Number);
const results = join(fileURLToPath(import.meta.url), "..", "..", ".results");
const sum = tally(results, { tests, checks });
console.log(line(sum));
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
