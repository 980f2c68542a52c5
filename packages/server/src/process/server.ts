import type { Audit } from "../audit/audit.ts";
import { openOperations } from "../operations/listener.ts";
import type { Store } from "../store/store.ts";
import { createClosers } from "./closers.ts";
import { openFront } from "./front.ts";
import { openHouse } from "./house.ts";
import type { ServerOptions } from "./options.ts";
import type { SeedOutcome } from "./seed.ts";
import { takeDataDirectory, tend } from "./tend.ts";

export type { ServerOptions } from "./options.ts";
export type { SeedOutcome } from "./seed.ts";

/** A server at work. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  readonly audit: Audit;
  /** What became of the organization file, and what is to be said of it. */
  readonly organization: SeedOutcome;
  /** Where health and metrics are, if anywhere. */
  readonly operationsUrl?: string;
  /**
   * Lets requests in flight finish, closes the record with a signed head, and lets the data directory go.
   *
   * @param drain - Seconds for which requests are still taken, while readiness says no more: so that whoever balances the
   *   load has noticed before nobody is taken any more. 0 by default: connections that are idle end at once then.
   */
  close(drain?: number): Promise<void>;
}

/**
 * Starts the IdP: store, keys, record, sign-in, issuer, listener.
 *
 * @throws CredenceError `configuration` when the directory, keys or address can not be used; nothing is left open then.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closers = createClosers();
  try {
    takeDataDirectory(options, closers);
    const house = await openHouse(options, closers);
    const organization = await tend(options, house, closers);
    const front = await openFront(options, house, closers);
    const { store, audit, metrics } = house;
    const operations = await openOperations(options.operations, {
      health: front.health,
      snapshots: async () => (metrics === undefined ? [] : [await metrics.snapshot()]),
    });
    closers.push(() => operations?.close());
    return {
      ...{ url: front.url, port: front.port, store, audit, organization },
      ...(operations === undefined ? {} : { operationsUrl: operations.url }),
      async close(drain = 0) {
        await front.drain(drain);
        await closers.close();
      },
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}
