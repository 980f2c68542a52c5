// @ts-check
// npm run build: the packages as they are published.
import { launch } from "./lib/launch.mjs";

await launch("scripts/build.ts", process.argv.slice(2));
