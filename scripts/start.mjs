// @ts-check
// npm start: the story, and the servers that it leaves running.
import { launch } from "./lib/launch.mjs";

await launch("examples/story/src/main.ts", process.argv.slice(2));
