import { systemTime } from "./clock.ts";
import { type ResourceCrypto, webCrypto } from "./crypto.ts";
import { checkKey, storeFault, wholeSecond } from "./stores/limits.ts";

/**
 * Seconds by which the store's clock may be ahead of this process's: marks are kept longer by that, so that none is gone
 * while what it marks still counts here.
 */
export const STORE_CLOCK_MARGIN = 60;

/** Marks of single use. */
export interface ReplayStore {
  /**
   * Marks a key as used, in one atomic step: of any number of simultaneous calls with one key, exactly one gets `first`.
   *
   * @param key - 50 characters or so, 200 at the most, of `[A-Za-z0-9_:-]`.
   * @param expiresAt - Seconds since the epoch from which on, by the store's own clock, the key is as if never used.
   * @throws anything, when the mark can not be kept: nothing is issued then.
   */
  consume(key: string, expiresAt: number): Promise<"first" | "again">;
}

/**
 * Keeps marks in memory: single use holds within this process, until it ends.
 *
 * @param options.max - Marks kept at the most, 100,000 by default. When all of them are still needed, `consume` rejects:
 * forgetting one would let its token be used again.
 * @param options.now - Seconds since the epoch.
 */
export function memoryReplayStore(options: { readonly max?: number; readonly now?: () => number } = {}): ReplayStore {
  const { max = 100_000, now = systemTime } = options;
  const marks = new Map<string, number>();
  const forget = byExpiry(marks);
  return {
    async consume(key, expiresAt) {
      checkKey(key);
      const until = wholeSecond(expiresAt);
      const time = now();
      const known = marks.get(key);
      if (known !== undefined && known > time) return "again";
      forget.until(time);
      if (marks.size >= max) throw storeFault(`The store is full: ${max} marks that are still needed`);
      if (until > time) {
        marks.set(key, until);
        forget.at(until, key);
      }
      return "first";
    },
  };
}

/**
 * Forgets marks by the second at which they expire: each mark is touched once, and none while it counts, however full the store is.
 */
function byExpiry(marks: Map<string, number>) {
  const bySecond = new Map<number, string[]>();
  let done = Number.NEGATIVE_INFINITY;

  function forgetSecond(second: number): void {
    for (const key of bySecond.get(second) ?? []) marks.delete(key);
    bySecond.delete(second);
  }

  return {
    at(second: number, key: string): void {
      const keys = bySecond.get(second);
      if (keys === undefined) bySecond.set(second, [key]);
      else keys.push(key);
    },
    until(time: number): void {
      const now = Math.floor(time);
      if (now === done) return;
      const [from, seconds] = [Math.min(done, now), Math.abs(now - done)];
      if (seconds <= bySecond.size) for (let second = from; second <= now; second += 1) forgetSecond(second);
      else for (const second of [...bySecond.keys()]) if (second <= now) forgetSecond(second);
      done = now;
    },
  };
}

/** Makes a store's key, of one size for parts of any size and content. */
export type StoreKeyOf = (kind: string, ...parts: readonly (string | undefined)[]) => string | Promise<string>;

/** What needs keys of a store. */
export interface StoreKeyPorts {
  /** Hashes by WebCrypto where it is left out. */
  readonly storeKeyOf?: StoreKeyOf;
}

export function storeKeys({ sha256 }: Pick<ResourceCrypto, "sha256">): StoreKeyOf {
  return (kind, ...parts) => {
    const hash = sha256(JSON.stringify(parts.map((part) => part ?? null)));
    return typeof hash === "string" ? `${kind}:${hash}` : hash.then((one) => `${kind}:${one}`);
  };
}

/** The keys of whoever says nothing of how they are made. */
export const webStoreKeyOf: StoreKeyOf = storeKeys(webCrypto);
