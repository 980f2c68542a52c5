/** The processes of the story: started, waited for, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** A program that runs beside us. */
export interface Started {
  readonly name: string;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

/** Seconds that a program has to be ready. */
const READY_WITHIN = 20;

/**
 * Starts a program under this Node and waits until a URL of it answers.
 *
 * @param args - The script and its arguments.
 * @throws Error with what the program said, when it ends or stays silent.
 */
export async function start(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  readyUrl: string,
): Promise<Started> {
  const child = spawn(process.execPath, ["-C", "@credence/source", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => said.push(text));
  }
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // Whatever ends us, the child does not stay behind.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const late = setTimeout(kill, 5_000);
    await ended;
    clearTimeout(late);
  };
  if (!(await answers(readyUrl, child))) {
    await stop();
    throw new Error(`${name} did not start. It said:\n${said.join("").trim() || "(nothing)"}`);
  }
  return { name, stop };
}

async function answers(url: string, child: ChildProcess): Promise<boolean> {
  for (const until = Date.now() + READY_WITHIN * 1_000; Date.now() < until && child.exitCode === null; ) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/**
 * Finds a port of this machine: the wanted one, or any free one for 0.
 *
 * @throws Error that names a busy port, and how to go on.
 */
export async function findPort(wanted: number): Promise<number> {
  if (wanted === 0) return anyPort();
  if (await isFree(wanted)) return wanted;
  throw new Error(
    `Port ${wanted} is busy: something else listens there. End it, or run \`npm start -- --once\`, which takes free ports.`,
  );
}

/** Below those that systems take for connections that go out: one that is free now is then not somebody else's in a moment. */
const [LOWEST, HIGHEST] = [15_000, 32_000];

async function anyPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
  throw new Error(`No port from ${LOWEST} to ${HIGHEST} seems to be free on 127.0.0.1.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
