import { systemTime } from "./clock.ts";
import { port } from "./fault.ts";
import { memoryReplayStore, type ReplayStore } from "./replay.ts";
import { checkKey, checkValue, storeFault, wholeSecond } from "./stores/limits.ts";

/**
 * What a resource server keeps. Shared by its processes, all of it holds across them.
 *
 * Keys have 1 to 200 characters of `[A-Za-z0-9_:-]`, values at most 65,536 of any kind. Every function rejects when the
 * store can not do it, and soon: whoever asks answers 503 then, and grants nothing.
 */
export interface ResourceStore extends ReplayStore {
  /**
   * The epochs of some keys, in one round trip, in their order: "nothing rooted at or before this second counts".
   *
   * @returns seconds since the epoch, by the store's own clock; `undefined` where a key has none.
   */
  epochs(keys: readonly string[]): Promise<readonly (number | undefined)[]>;
  /**
   * Raises an epoch to the store's clock, in one atomic step; it is never lowered, and never forgotten.
   *
   * @returns the epoch, in seconds. What is to count after it waits for the next second.
   */
  raiseEpoch(key: string): Promise<number>;
  /**
   * Keeps a value until it expires, in place of one that was there.
   * @param expiresAt - Seconds since the epoch.
   */
  put(key: string, value: string, expiresAt: number): Promise<void>;
  /** The value of a key, unless it has expired. */
  get(key: string): Promise<string | undefined>;
  delete(key: string): Promise<void>;
}

/** The same store, whose failures say which of its functions failed, and that it is the store that did. */
export function namedStore(store: ResourceStore): ResourceStore {
  const named = <In extends readonly unknown[], Out>(name: string, run: (...input: In) => Promise<Out>) =>
    port("store-unavailable", `store.${name}`, run);
  return {
    consume: named("consume", (key, expiresAt) => store.consume(key, expiresAt)),
    epochs: named("epochs", (keys) => store.epochs(keys)),
    raiseEpoch: named("raiseEpoch", (key) => store.raiseEpoch(key)),
    put: named("put", (key, value, expiresAt) => store.put(key, value, expiresAt)),
    get: named("get", (key) => store.get(key)),
    delete: named("delete", (key) => store.delete(key)),
  };
}

/**
 * Keeps everything in memory: it holds within this process, until it ends.
 *
 * @param options.max - Marks, values, and epochs, kept at the most, 100,000 of each by default. When all of them are still
 * needed, `consume`, `put` and `raiseEpoch` reject.
 * @param options.now - Seconds since the epoch.
 */
export function memoryStore(options: { readonly max?: number; readonly now?: () => number } = {}): ResourceStore {
  const { max = 100_000, now = systemTime } = options;
  const values = new Map<string, Kept>();
  // No value expires before: a store that is full of what is needed is not gone through in vain.
  let earliest = Number.POSITIVE_INFINITY;
  const epochs = new Map<string, number>();
  return {
    ...memoryReplayStore({ max, now }),
    async epochs(keys) {
      keys.forEach(checkKey);
      return keys.map((key) => epochs.get(key));
    },
    async raiseEpoch(key) {
      checkKey(key);
      if (epochs.size >= max && !epochs.has(key)) throw storeFault(`The store is full: ${max} epochs`);
      const epoch = Math.max(Math.floor(now()), epochs.get(key) ?? 0);
      epochs.set(key, epoch);
      return epoch;
    },
    async put(key, value, expiresAt) {
      checkKey(key);
      checkValue(value);
      const until = wholeSecond(expiresAt);
      if (values.size >= max && !values.has(key)) {
        if (now() >= earliest) earliest = forgetExpired(values, now());
        if (values.size >= max) throw storeFault(`The store is full: ${max} values that are still needed`);
      }
      values.set(key, { value, expiresAt: until });
      earliest = Math.min(earliest, until);
    },
    async get(key) {
      checkKey(key);
      const found = values.get(key);
      return found !== undefined && found.expiresAt > now() ? found.value : undefined;
    },
    async delete(key) {
      checkKey(key);
      values.delete(key);
    },
  };
}

interface Kept {
  readonly value: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** @returns when the next of those that are left expires. */
function forgetExpired(values: Map<string, Kept>, time: number): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const [key, { expiresAt }] of values) {
    if (expiresAt <= time) values.delete(key);
    else earliest = Math.min(earliest, expiresAt);
  }
  return earliest;
}
