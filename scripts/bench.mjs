// @ts-check
// npm run bench: the main job, measured; needs wrk (apt-get install wrk). See docs/performance.md.
import { launch } from "./lib/launch.mjs";

await launch("bench/main.ts", process.argv.slice(2), { NODE_ENV: "production" });
