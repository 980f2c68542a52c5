// @ts-check
// npm run credence -- …: the command of the server, from source.
import { launch } from "./lib/launch.mjs";

await launch("packages/server/src/main.ts", process.argv.slice(2));
