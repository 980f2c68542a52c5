/** Servers under load are processes of their own: their CPU is theirs alone. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BenchError } from "./error.ts";

/** A server under load. */
export interface ServerProcess<Ready> {
  readonly pid: number;
  /** What it told when it was ready. */
  readonly ready: Ready;
  stop(): Promise<void>;
}

/** Seconds that a server has to be ready: one with 100,000 people takes its time. */
const READY_WITHIN = 180;

/**
 * Starts a script of the bench under this Node, from source, and waits for the message that it is ready.
 *
 * @param script - Beside `main.ts`.
 * @param options - What the script reads as JSON.
 * @param folder - Takes what it says.
 */
export async function startServerProcess<Ready extends object>(
  script: string,
  options: object,
  folder: string,
): Promise<ServerProcess<Ready>> {
  const path = join(folder, `${script}.log`);
  const log = openSync(path, "a");
  const nodeOptions = process.env.BENCH_NODE_OPTIONS?.split(" ") ?? [];
  const child = fork(join(import.meta.dirname, "..", script), [JSON.stringify(options)], {
    execArgv: ["-C", "@credence/source", "--disable-warning=ExperimentalWarning", ...nodeOptions],
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    await end(child);
  };
  try {
    // Our own script has sent it.
    return { pid: child.pid ?? 0, ready: (await readyMessage(child)) as Ready, stop };
  } catch (cause) {
    await stop();
    throw new BenchError(`${script} did not start; it said:\n${readFileSync(path, "utf8").slice(-4_000)}`, { cause });
  }
}

async function readyMessage(child: ChildProcess): Promise<unknown> {
  const signal = AbortSignal.timeout(READY_WITHIN * 1_000);
  const exited = once(child, "exit", { signal }).then(([code]) => {
    throw new BenchError(`it ended with ${code}`);
  });
  const [message] = await Promise.race([once(child, "message", { signal }), exited]);
  exited.catch(() => undefined);
  return message;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
  clearTimeout(late);
}
