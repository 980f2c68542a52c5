// @ts-check
/**
 * Runs one program and lives exactly as long as it does. Plain JavaScript: it runs on the machine's own Node, 20 or newer.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/** @type {NodeJS.Signals[]} */
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"];
/** Ctrl-C reaches us twice, from the terminal and from npm: one press is one signal. */
const ONE_PRESS_MS = 1_000;
/** How long the program may take to end in order. */
const GRACE_MS = 15_000;

/**
 * Starts the program in a process group of its own, forwards signals to it, waits for it, and ends what it left behind.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, graceMs?: number }} [options]
 * @returns {Promise<number>} its exit code; 128 + n when signal n ended it.
 */
export async function run(command, args, { env = process.env, graceMs = GRACE_MS } = {}) {
  const ownGroup = process.platform !== "win32";
  const child = spawn(command, args, { stdio: "inherit", env, detached: ownGroup });
  const send = (/** @type {NodeJS.Signals} */ signal) => kill(ownGroup ? -(child.pid ?? 0) : (child.pid ?? 0), signal);

  const signals = forwardSignals(
    (signal) => child.kill(signal),
    () => send("SIGKILL"),
    graceMs,
  );
  const orphanhood = watchParent(signals.end);
  try {
    const { code, signal } = await ended(child);
    return signal === null ? (code ?? 1) : 128 + constants.signals[signal];
  } finally {
    clearInterval(orphanhood);
    signals.stop();
    if (ownGroup && child.pid !== undefined) await endGroup(child.pid);
  }
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null }>}
 */
function ended(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/**
 * @param {(signal: NodeJS.Signals) => void} forward
 * @param {() => void} giveUp - Called when the program still runs so long after the first signal.
 * @param {number} graceMs
 */
function forwardSignals(forward, giveUp, graceMs) {
  let last = Number.NEGATIVE_INFINITY;
  /** @type {NodeJS.Timeout | undefined} */
  let patience;
  const end = (/** @type {NodeJS.Signals} */ signal) => {
    const now = performance.now();
    if (now - last < ONE_PRESS_MS) return;
    last = now;
    forward(signal);
    patience ??= setTimeout(giveUp, graceMs);
  };
  for (const signal of FORWARDED) process.on(signal, end);
  return {
    end,
    stop: () => {
      clearTimeout(patience);
      for (const signal of FORWARDED) process.off(signal, end);
    },
  };
}

/**
 * An npm that is killed outright tells its child nothing: notice by the change of parent.
 * @param {(signal: NodeJS.Signals) => void} end
 */
function watchParent(end) {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  return setInterval(() => {
    if (process.ppid !== parent) end("SIGTERM");
  }, 1_000);
}

/**
 * Ends what is left of a process group: asks, waits for up to two seconds, insists.
 * @param {number} group
 */
async function endGroup(group) {
  if (!kill(-group, "SIGTERM")) return;
  for (let waited = 0; waited < 2_000; waited += 50) {
    await delay(50);
    if (!kill(-group, 0)) return;
  }
  kill(-group, "SIGKILL");
}

/**
 * @param {number} pid - Negative for a group.
 * @param {NodeJS.Signals | 0} signal
 * @returns {boolean} whether anybody was there.
 */
function kill(pid, signal) {
  if (pid === 0) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
