// @ts-check
// npm run seen-red: takes the check against each binding bug out, one at a time, and sees its tests fail.
import { launch } from "./lib/launch.mjs";

await launch("scripts/seen-red.ts", process.argv.slice(2));
