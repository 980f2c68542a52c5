// @ts-check
/**
 * Installs the dependencies when they are missing or not those of the lock file. Plain JavaScript without dependencies:
 * it runs before anything is installed, on the Node that the machine happens to have (20 or newer).
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, join, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Dev and optional ones always: NODE_ENV=production and omit settings must not take the tools, nor Node 24, away. */
const NPM_CI = ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
const HEARTBEAT_MS = 2_000;
/** A lock without a heartbeat for this long is one whose holder was killed. */
const STALE_MS = 20_000;
/** @type {NodeJS.Signals[]} */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The install was ended by a signal. */
export class Interrupted extends Error {
  /** @param {NodeJS.Signals} signal */
  constructor(signal) {
    super("Stopped before the dependencies were installed.");
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * Makes `node_modules` what the lock file says. Of several launches at once one installs, the others wait for it.
 * @param {string} root - Folder of package.json and package-lock.json.
 * @param {(line: string) => void} tell - Gets one line of progress for people.
 * @param {string} [what] - What is installed, for that line.
 * @returns {Promise<void>} rejects with a sentence for people when npm fails.
 */
export async function ensureInstalled(root, tell, what = "dependencies") {
  if (isCurrent(root)) return;
  const release = await lock(join(root, ".install.lock"), () =>
    tell(`Waiting for another launch that is installing ${what} …`),
  );
  try {
    if (isCurrent(root)) return;
    tell(`Installing ${what} (once; about half a minute) …`);
    await npmCi(root);
    writeStamp(root);
  } finally {
    release();
  }
}

/**
 * Whether `node_modules` holds what the lock file asks for. Contents are compared, never times: a git checkout gives
 * every file the time of the checkout.
 * @param {string} root
 * @returns {boolean}
 */
export function isCurrent(root) {
  const installed = readText(join(root, "node_modules", ".package-lock.json"));
  const wanted = readText(join(root, "package-lock.json"));
  if (installed === undefined || wanted === undefined) return false;
  return readText(stampPath(root)) === stamp(wanted, installed) || holdsAll(root, wanted, installed);
}

/**
 * For a tree that somebody installed by hand: is every package there, in the version wanted, those for other platforms aside?
 * @param {string} root
 * @param {string} wantedText
 * @param {string} installedText
 */
function holdsAll(root, wantedText, installedText) {
  const wanted = packagesOf(wantedText);
  const installed = packagesOf(installedText);
  return Object.entries(wanted).every(([path, entry]) => {
    const found = installed[path];
    if (path === "" || (found === undefined && mayBeAbsent(entry))) return true;
    return (
      found !== undefined &&
      found.version === entry.version &&
      found.integrity === entry.integrity &&
      existsSync(join(root, path))
    );
  });
}

/**
 * @typedef {string | string[]} Names
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: Names, cpu?: Names, libc?: Names }} LockEntry
 * @param {string} text
 * @returns {Record<string, LockEntry>}
 */
function packagesOf(text) {
  try {
    return JSON.parse(text).packages ?? {};
  } catch {
    return {};
  }
}

/**
 * Optional packages that npm leaves out here: those for other platforms, and what only those need. Packages for one of two
 * libcs are let pass: without the right one its tool says so itself.
 * @param {LockEntry} entry
 */
function mayBeAbsent({ optional, os, cpu, libc }) {
  if (!optional) return false;
  if (libc !== undefined || (os === undefined && cpu === undefined)) return true;
  return !allows(os, process.platform) || !allows(cpu, process.arch);
}

/**
 * @param {string | string[] | undefined} list - npm's notation: names, or names with `!` in front.
 * @param {string} name
 */
function allows(list, name) {
  const items = [list ?? []].flat();
  if (items.length === 0) return true;
  if (items.includes(`!${name}`)) return false;
  return items.includes(name) || items.every((item) => item.startsWith("!"));
}

/** @param {string} root */
function stampPath(root) {
  return join(root, "node_modules", ".credence-installed");
}

/**
 * What npm really installed is part of the stamp, so that a later `npm prune` or `npm install` voids it.
 * @param {string} wanted
 * @param {string} installed
 */
function stamp(wanted, installed) {
  const platform = `${process.platform}-${process.arch}`;
  return createHash("sha256")
    .update(JSON.stringify([platform, wanted, installed]))
    .digest("hex");
}

/** @param {string} root */
function writeStamp(root) {
  const installed = readText(join(root, "node_modules", ".package-lock.json"));
  const wanted = readText(join(root, "package-lock.json"));
  if (installed === undefined || wanted === undefined) return;
  writeFileSync(stampPath(root), stamp(wanted, installed));
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Runs npm, silently unless it fails. A signal ends npm first, and then us.
 * @param {string} root
 * @returns {Promise<void>}
 */
async function npmCi(root) {
  const { command, args, shell } = npm(root);
  const child = spawn(command, [...args, ...NPM_CI], { cwd: root, shell, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output = (output + chunk).slice(-8_000);
    });
  }
  /** @type {NodeJS.Signals | undefined} */
  let interrupted;
  const stop = (/** @type {NodeJS.Signals} */ signal) => {
    interrupted = signal;
    child.kill("SIGTERM");
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  /** @type {string | number} */
  const outcome = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  for (const signal of SIGNALS) process.off(signal, stop);
  if (interrupted !== undefined) throw new Interrupted(interrupted);
  if (outcome === 0) return;
  const mend = output.includes("EUSAGE")
    ? "package-lock.json does not fit package.json: `npm install` on a clean checkout makes it anew, to be committed."
    : "check the network and the disk, then run the command again; `npm ci` alone shows npm's own messages.";
  throw new Error(
    `Dependencies could not be installed (npm ci ended with ${outcome}).\n${output.trim()}\nTo mend it: ${mend}`,
  );
}

/**
 * The npm that started us, on the Node that runs it; else the one on the PATH. Never the Node inside `node_modules`: npm ci removes it.
 * @param {string} root
 * @returns {{ command: string, args: string[], shell: boolean }}
 */
function npm(root) {
  const script = process.env.npm_execpath;
  const inside = join(root, "node_modules") + sep;
  const node = [process.env.npm_node_execpath, process.execPath].find((path) => path && !path.startsWith(inside));
  if (script && node && basename(script) === "npm-cli.js" && existsSync(script)) {
    return { command: node, args: [script], shell: false };
  }
  // npm is a batch file on Windows, which only a shell can start; the arguments are constants.
  return { command: "npm", args: [], shell: process.platform === "win32" };
}

/**
 * Takes a lock that outlives nobody: its holder touches it every other second, and a lock left alone is taken over.
 * @param {string} path
 * @param {() => void} [onWait] - Called once when another process holds it.
 * @returns {Promise<() => void>} releases it.
 */
export async function lock(path, onWait) {
  const token = `${process.pid} ${Math.random()}`;
  for (let told = false; ; ) {
    if (create(path, token)) {
      // Two waiters may both have judged the old lock stale: whoever wrote last has it.
      await delay(100);
      if (readText(path) === token) return keep(path, token);
    }
    if (isStale(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told) onWait?.();
    told = true;
    await delay(250);
  }
}

/**
 * @param {string} path
 * @param {string} token
 */
function create(path, token) {
  try {
    writeFileSync(path, token, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** @param {string} path */
function isStale(path) {
  try {
    return Date.now() - statSync(path).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}

/**
 * @param {string} path
 * @param {string} token
 * @returns {() => void}
 */
function keep(path, token) {
  const beat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Somebody removed the lock by hand; the install goes on.
    }
  }, HEARTBEAT_MS);
  return () => {
    clearInterval(beat);
    if (readText(path) === token) rmSync(path, { force: true });
  };
}
