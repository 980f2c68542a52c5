/** (i) How soon the command takes requests, and what it needs while nobody sends any. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { findPort } from "../examples/demo/src/processes.ts";
import { build } from "../scripts/build.ts";
import type { Part } from "./figures.ts";
import { BenchError } from "./harness/error.ts";
import { residentMb } from "./harness/proc.ts";
import { median } from "./harness/rounds.ts";

const MAIN = join(import.meta.dirname, "../packages/server/dist/main.js");
const STARTS = 3;
/** Seconds after which it is at rest: V8 gives pages back some ten seconds after they are free. */
const AT_REST = 20;
/** Milliseconds between two looks whether it is ready. */
const LOOK_EVERY = 5;
/** Seconds until it must be. */
const READY_WITHIN = 60;

export const startUp: Part = {
  figures: [
    {
      name: "server.first_ready_ms",
      title: "first start with no data, until a request is answered: keys are made",
      unit: "ms",
    },
    { name: "server.ready_ms", title: "start, until a request is answered", unit: "ms", most: 1_000 },
    { name: "server.rest_mb", title: "memory at rest", unit: "MB", most: 150 },
  ],
  async run({ quick, folder, tell }) {
    tell("building: what is published is started, not its sources");
    const { ok, output } = await build();
    if (!ok) throw new BenchError(output);
    const data = mkdtempSync(join(folder, "start-"));
    const first = await start(data);
    await first.stop();
    const starts: number[] = [];
    const memories: number[] = [];
    for (let count = 0; count < (quick ? 1 : STARTS); count++) {
      const server = await start(data);
      await wait(quick ? 0 : AT_REST * 1_000);
      starts.push(server.milliseconds);
      memories.push(residentMb(server.pid));
      tell(`ready after ${server.milliseconds.toFixed(0)} ms, ${memories.at(-1)?.toFixed(0)} MB at rest`);
      await server.stop();
    }
    return new Map([
      ["server.first_ready_ms", first.milliseconds],
      ["server.ready_ms", median(starts)],
      ["server.rest_mb", median(memories)],
    ]);
  },
};

/** Starts the command, and asks until it is ready. */
async function start(folder: string): Promise<{ milliseconds: number; pid: number; stop(): Promise<void> }> {
  const port = await findPort(0);
  const flags = ["--data", join(folder, "data"), "--port", String(port)];
  const log = openSync(join(folder, "log"), "a");
  const begun = performance.now();
  const child = spawn(process.execPath, [MAIN, "serve", ...flags], { stdio: ["ignore", log, log] });
  closeSync(log);
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    child.kill("SIGTERM");
    await ended;
  };
  while (!(await isReady(`http://127.0.0.1:${port}/readyz`))) {
    if (child.exitCode !== null || performance.now() - begun > READY_WITHIN * 1_000) {
      await stop();
      throw new BenchError(`credence serve did not become ready (exit code ${child.exitCode})`);
    }
    await wait(LOOK_EVERY);
  }
  return { milliseconds: performance.now() - begun, pid: child.pid ?? 0, stop };
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}
