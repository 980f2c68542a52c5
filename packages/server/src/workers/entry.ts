/** A worker: one process of several that answer requests at one address. What there is one of, the first process does. */
import { CredenceError } from "@credence/protocol";
import type { Config } from "../config/config.ts";
import { describeError, openLog } from "../log.ts";
import type { Metrics } from "../operations/metrics.ts";
import { secretResolver } from "../organization/secrets.ts";
import { createClosers } from "../process/closers.ts";
import { type Front, openFront } from "../process/front.ts";
import { openHouse } from "../process/house.ts";
import { giveBackMemory } from "../process/memory.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

interface Working {
  readonly metrics: Metrics | undefined;
  close(drain: number): Promise<void>;
}

let working: Promise<Working> | undefined;

// Ctrl-C reaches every process of a terminal; the first one tells the others.
process.on("SIGINT", () => {});
process.on("message", (message: ToWorker) => {
  if (message.kind === "start") begin(message);
  else if (message.kind === "close") end(message.drain);
  else void count(message.id);
});

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

function begin({ config, name, port }: Extract<ToWorker, { kind: "start" }>): void {
  process.once("SIGTERM", () => end(config.drain));
  working = work(config, name, port);
  working.catch((error: unknown) => {
    const { message, reason } = error instanceof CredenceError ? error : { message: undefined, reason: undefined };
    if (message === undefined) openLog(config.logLevel, { process: name }).error(describeError(error));
    tell({ kind: "failed", message: message ?? "A worker could not start; its log says why.", reason });
    process.exitCode = 1;
    process.disconnect();
  });
}

async function work(config: Config, processName: string, port: number): Promise<Working> {
  const { organization: _, logLevel, ...rest } = config;
  const log = openLog(logLevel, { process: processName });
  const options = { ...rest, port, env: process.env, processName, resolveSecret: secretResolver(), log };
  const closers = createClosers();
  try {
    const house = await openHouse(options, closers);
    const front: Front = await openFront(options, house, closers, true);
    giveBackMemory();
    tell({ kind: "ready", url: front.url, port: front.port });
    return {
      metrics: house.metrics,
      async close(drain) {
        await front.drain(drain);
        await closers.close();
      },
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

let ending = false;

function end(drain: number): void {
  if (ending) return;
  ending = true;
  Promise.resolve(working)
    .then((one) => one?.close(drain))
    .catch(() => {
      process.exitCode = 1;
    })
    // The channel to the first process is all that keeps this one alive.
    .finally(() => process.disconnect());
}

async function count(id: number): Promise<void> {
  const { metrics } = (await working?.catch(() => undefined)) ?? {};
  tell({ kind: "snapshot", id, snapshot: metrics === undefined ? [] : await metrics.snapshot() });
}
