import type { Config } from "../config/config.ts";
import { listen } from "../http/listener.ts";
import { createHealth } from "../operations/health.ts";
import { openOperations } from "../operations/listener.ts";
import { createClosers } from "../process/closers.ts";
import { tellChange } from "../process/front.ts";
import { firstSigner } from "../process/handler.ts";
import { openHouse } from "../process/house.ts";
import type { ServerOptions } from "../process/options.ts";
import type { RunningServer } from "../process/server.ts";
import { takeDataDirectory, tend } from "../process/tend.ts";
import { openPool } from "./pool.ts";

/** How many processes answer requests, and the deployment that each of them reads. */
export interface WorkerOptions {
  readonly count: number;
  readonly config: Config;
}

/**
 * Starts the IdP in several processes: this one holds the data directory, makes keys and the first organization, serves the
 * admin socket and sweeps; the workers answer requests, at one address.
 *
 * @throws CredenceError `configuration` as `startServer`.
 */
export async function startWithWorkers(
  options: ServerOptions,
  { count, config }: WorkerOptions,
): Promise<RunningServer> {
  const closers = createClosers();
  try {
    takeDataDirectory(options, closers);
    const house = await openHouse({ ...options, processName: "primary" }, closers);
    const organization = await tend(options, house, closers);
    await checkAddress(options);
    const { store, audit, metrics, keyring } = house;
    const pool = await openPool({ count, config, log: options.log, onRestart: () => metrics?.workerRestarted() });
    closers.push(() => pool.close(0));
    const health = createHealth(
      {
        store: () => store.ping(),
        keys: async () => firstSigner(keyring.signingKeys("idp")),
        async workers() {
          if (pool.ready() === 0) throw new TypeError("no worker takes requests");
        },
      },
      tellChange(options),
    );
    const operations = await openOperations(options.operations, {
      health,
      snapshots: async () => [
        ...(metrics === undefined ? [] : [await metrics.snapshot()]),
        ...(await pool.snapshots()),
      ],
    });
    closers.push(() => operations?.close());
    return {
      ...{ url: pool.url, port: pool.port, store, audit, organization },
      ...(operations === undefined ? {} : { operationsUrl: operations.url }),
      async close(drain = 0) {
        health.drain();
        await pool.close(drain);
        await closers.close();
      },
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Workers share their address with whoever shares his: another server there would get half of the requests. */
async function checkAddress({ host, port }: ServerOptions): Promise<void> {
  if (port === 0) return;
  await (await listen({ host, port, handler: (_req, res) => res.end() })).close();
}
