// @ts-check
/**
 * What `npm start`, `npm test`, `npm run check` and `npm run build` have in common: install if needed, then run a file on
 * Node 24 from source. Plain JavaScript without dependencies: it runs on a fresh clone, on the machine's own Node.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled, Interrupted } from "./install.mjs";
import { findNode } from "./node24.mjs";
import { run } from "./run.mjs";

/** The repository's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/**
 * Installs, finds Node 24, runs the file, and ends this process with the file's exit code (1 when it could not be started).
 * @param {string} file - From the repository's folder.
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env] - What the program's environment has besides ours.
 * @returns {Promise<never>}
 */
export async function launch(file, args, env = {}) {
  process.exit(await launched(file, args, env));
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
async function launched(file, args, env) {
  try {
    await ensureInstalled(root, (line) => process.stderr.write(`${line}\n`));
    const node = findNode(root);
    return await run(node, ["-C", "@credence/source", join(root, file), ...args], { env: environment(node, env) });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof Interrupted ? error.exitCode : 1;
  }
}

/**
 * Whatever the program starts by the name `node` is the same Node.
 * @param {string} node
 * @param {NodeJS.ProcessEnv} more
 */
function environment(node, more) {
  const separator = process.platform === "win32" ? ";" : ":";
  return { ...process.env, PATH: `${dirname(node)}${separator}${process.env.PATH ?? ""}`, ...more };
}
