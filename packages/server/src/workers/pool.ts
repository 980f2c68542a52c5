import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CredenceError } from "@credence/protocol";
import type { Config } from "../config/config.ts";
import type { Logger } from "../log.ts";
import type { MetricsSnapshot } from "../operations/metrics.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** The workers of one server. */
export interface Pool {
  readonly url: string;
  readonly port: number;
  /** How many take requests. */
  ready(): number;
  /** What each of them has counted; nothing of one that does not answer soon. */
  snapshots(): Promise<readonly MetricsSnapshot[]>;
  /** Lets each drain for so many seconds, and waits until all are gone. */
  close(drain: number): Promise<void>;
}

/** What the pool needs. */
export interface PoolOptions {
  readonly count: number;
  /** Of the deployment: workers get it as it is. */
  readonly config: Config;
  readonly log: Logger;
  /** A worker has ended unasked, and is about to be started anew. */
  readonly onRestart: () => void;
}

/** One of the places that the pool keeps filled. */
interface Place {
  readonly name: string;
  worker: Worker | undefined;
  ready: boolean;
  /** How often in a row its worker ended soon after its start. */
  shortLived: number;
}

/** Milliseconds. */
const RESTART_AFTER = 100;
const RESTART_AT_MOST = 30_000;
/** A worker that lived so long did not end because of its start. */
const LIVED = 60_000;
const SNAPSHOT_WITHIN = 2_000;
/** What a worker has, beside the time to drain, until it is ended by force: its requests in flight, and its last commit. */
const END_WITHIN = 25_000;

/**
 * Starts workers at one address, and starts anew whichever ends.
 *
 * @throws CredenceError `configuration` when the first of them can not start; none is left then.
 */
export async function openPool(options: PoolOptions): Promise<Pool> {
  const { count, config, log, onRestart } = options;
  const places = Array.from({ length: count }, (_, i): Place => {
    return { name: `worker-${i + 1}`, worker: undefined, ready: false, shortLived: 0 };
  });
  const closing = new AbortController();
  let port = config.port;
  cluster.setupPrimary({ exec: entry(), args: [], silent: false });

  /** Fills a place. Resolves when the worker is ready; rejects when it ends before. */
  async function fill(place: Place): Promise<Extract<FromWorker, { kind: "ready" }>> {
    const worker = cluster.fork();
    const began = performance.now();
    place.worker = worker;
    worker.once("exit", (code, signal) => left(place, performance.now() - began, signal ?? code));
    send(worker, { kind: "start", config, name: place.name, port });
    const ready = await firstWord(worker);
    place.ready = true;
    return ready;
  }

  function left(place: Place, lived: number, how: string | number): void {
    place.ready = false;
    place.worker = undefined;
    if (closing.signal.aborted) return;
    place.shortLived = lived > LIVED ? 0 : place.shortLived + 1;
    const delay = Math.min(RESTART_AT_MOST, RESTART_AFTER * 2 ** (place.shortLived - 1));
    log.error({ worker: place.name, how, delay }, "a worker has ended, and is started anew");
    onRestart();
    void sleep(delay, undefined, { signal: closing.signal })
      .then(() => fill(place))
      .then(() => log.info({ worker: place.name }, "a worker takes requests again"))
      // It has ended, and so has come here again; or all do.
      .catch(() => undefined);
  }

  async function close(drain: number): Promise<void> {
    closing.abort();
    await Promise.all(
      places.map(async ({ worker }) => {
        if (worker === undefined) return;
        const gone = once(worker, "exit");
        const late = setTimeout(() => worker.process.kill("SIGKILL"), drain * 1_000 + END_WITHIN);
        send(worker, { kind: "close", drain });
        await gone;
        clearTimeout(late);
      }),
    );
  }

  try {
    const [first, ...others] = places;
    if (first === undefined) throw new RangeError("There is no worker to start.");
    // One alone: it brings the tables up to date, and with port 0 it chooses the port for all.
    const { url, port: taken } = await fill(first);
    port = taken;
    await Promise.all(others.map((place) => fill(place)));
    return {
      url,
      port,
      close,
      ready: () => places.filter(({ ready }) => ready).length,
      snapshots: async () =>
        (await Promise.all(places.map(({ worker }) => snapshotOf(worker)))).flatMap((one) => (one ? [one] : [])),
    };
  } catch (error) {
    await close(0);
    throw error;
  }
}

/** From source the worker is TypeScript, from a build JavaScript: the compiler rewrites imports, not paths. */
function entry(): string {
  const url = import.meta.url.endsWith(".ts")
    ? new URL("./entry.ts", import.meta.url)
    : new URL("./entry.js", import.meta.url);
  return fileURLToPath(url);
}

/** A worker that has just gone takes no message, and needs none. */
function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {});
}

/** Whether a worker is ready, or why not. */
function firstWord(worker: Worker): Promise<Extract<FromWorker, { kind: "ready" }>> {
  return new Promise((resolve, reject) => {
    worker.once("exit", () => reject(failed("A worker ended before it was ready.", undefined)));
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "ready") resolve(message);
      else if (message.kind === "failed") reject(failed(message.message, message.reason));
    });
  });
}

function failed(message: string, reason: string | undefined): CredenceError {
  return new CredenceError(message, { code: "configuration", ...(reason === undefined ? {} : { reason }) });
}

let asked = 0;

async function snapshotOf(worker: Worker | undefined): Promise<MetricsSnapshot | undefined> {
  if (worker === undefined) return undefined;
  asked += 1;
  const id = asked;
  return new Promise((resolve) => {
    const done = (snapshot: MetricsSnapshot | undefined): void => {
      clearTimeout(late);
      worker.off("message", listen);
      resolve(snapshot);
    };
    const listen = (message: FromWorker): void => {
      if (message.kind === "snapshot" && message.id === id) done(message.snapshot);
    };
    const late = setTimeout(() => done(undefined), SNAPSHOT_WITHIN);
    worker.on("message", listen);
    send(worker, { kind: "snapshot", id });
  });
}
