// @ts-check
// npm run check: types, style, unused code, package shapes, import arrows, the snippets of the docs.
import { launch } from "./lib/launch.mjs";

await launch("scripts/check.ts", process.argv.slice(2));
