import { type Audit, openAudit } from "../audit/audit.ts";
import { version } from "../config/version.ts";
import { DEFAULT_LIMITS } from "../http/limits.ts";
import { type KeyKeeper, keepKeys } from "../keys/keeper.ts";
import type { Keyring } from "../keys/keyring.ts";
import { describeError } from "../log.ts";
import { openInstruments } from "../operations/instruments.ts";
import type { Metrics } from "../operations/metrics.ts";
import type { Traces } from "../operations/traces.ts";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Closers } from "./closers.ts";
import { type OpenKeys, openKeys } from "./open-keys.ts";
import type { ServerOptions } from "./options.ts";

/** What every process of a server has open. */
export interface House {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly keeper: KeyKeeper;
  readonly openKek: OpenKeys["openKek"];
  /** Seconds for which others may keep our JWKS. */
  readonly jwksAge: number;
  readonly audit: Audit;
  /** Absent where nobody looks at them. */
  readonly metrics?: Metrics;
  readonly traces?: Traces;
  /** Whole seconds since the epoch. */
  readonly now: () => number;
}

/**
 * Opens store, keys and record for one process: any number may have them open at once.
 *
 * @param closers - Take what closes them again.
 */
export async function openHouse(options: ServerOptions, closers: Closers): Promise<House> {
  const { dataDir, store: url, commitDelayMs = 0, log, now: clock = () => Date.now() / 1_000 } = options;
  const now = (): number => Math.floor(clock());
  const { metrics, traces } = await openInstruments(options, version());
  closers.push(() => traces?.close());
  const bare = await openStore(storeLocation(dataDir, url), { commitDelayMs });
  closers.push(() => bare.close());
  const store = metrics?.store(bare) ?? bare;
  const { keyring, openKek, jwksAge } = await openKeys(options, store, now);
  const onFault = (error: unknown): void => log.error(describeError(error), "the record could not be kept");
  const { clientDenials, storeMegabytes } = { ...DEFAULT_LIMITS, ...options.limits };
  const bounds = { clientDenials, storeBytes: storeMegabytes * 1_000_000 };
  const silent = await openAudit({ store, keyring, now: clock, onFault, ...bounds });
  closers.push(() => silent.close());
  const audit = metrics?.audit(silent) ?? silent;
  await audit.record({ code: "server.started" });
  closers.push(() => audit.record({ code: "server.stopped" }));
  const onKeyFault = (error: unknown): void => log.error(describeError(error), "the keys could not be looked after");
  const keeper = keepKeys({ keyring, record: (event) => audit.record(event), onFault: onKeyFault });
  closers.push(() => keeper.close());
  return {
    ...{ store, keyring, keeper, openKek, jwksAge, audit, now },
    ...(metrics === undefined ? {} : { metrics }),
    ...(traces === undefined ? {} : { traces }),
  };
}
