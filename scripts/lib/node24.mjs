// @ts-check
/** Finds the Node that everything here runs on. Plain JavaScript: it runs on the machine's own Node, 20 or newer. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The oldest Node that has what we use: types stripped, `node:sqlite`, argon2. */
const OLDEST_MAJOR = 24;

/**
 * The Node that npm installed, else the running one when it is new enough.
 * @param {string} root
 * @returns {string} path of its executable. Throws with a sentence for people when there is none.
 */
export function findNode(root) {
  const installed = installedNode(root);
  if (installed !== undefined && majorOf(installed) >= OLDEST_MAJOR) return installed;
  if (Number.parseInt(process.versions.node, 10) >= OLDEST_MAJOR) return process.execPath;
  throw new Error(
    `Node ${OLDEST_MAJOR} is needed and this is Node ${process.versions.node}; npm has none that runs on ` +
      `${process.platform}-${process.arch}.\n` +
      `To mend it: install Node ${OLDEST_MAJOR} or newer (https://nodejs.org, or \`nvm install ${OLDEST_MAJOR}\`) ` +
      "and run the command again with it.",
  );
}

/**
 * @param {string} root
 * @returns {string | undefined}
 */
function installedNode(root) {
  const windows = process.platform === "win32";
  const name = `node-${windows ? "win" : process.platform}-${process.arch}`;
  const path = join(root, "node_modules", name, "bin", windows ? "node.exe" : "node");
  return existsSync(path) ? path : undefined;
}

/**
 * Asked by running it: on a Linux with another libc the file is there and cannot be started.
 * @param {string} node
 * @returns {number} the major version, or 0.
 */
function majorOf(node) {
  const answer = spawnSync(node, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return answer.status === 0 ? Number.parseInt(answer.stdout.slice(1), 10) : 0;
}
