// @ts-check
// npm run mutation: changes the code in thousands of small ways, one at a time, and asks whether a test notices.
import { launch } from "./lib/launch.mjs";

await launch("scripts/mutation.ts", process.argv.slice(2));
