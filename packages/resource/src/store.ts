import { systemTime } from "./clock.ts";
import { memoryReplayStore, type ReplayStore } from "./replay.ts";

/** What a resource server keeps. Shared by its processes, all of it holds across them. */
export interface ResourceStore extends ReplayStore {
  /**
   * The epochs of some keys, in one round trip, in their order: "nothing rooted at or before this second counts".
   *
   * @param keys - 50 characters or so each of `[A-Za-z0-9_:-]`.
   * @returns seconds since the epoch, by the store's own clock; `undefined` where a key has none.
   */
  epochs(keys: readonly string[]): Promise<readonly (number | undefined)[]>;
  /**
   * Raises an epoch to the store's clock, in one atomic step; it is never lowered.
   *
   * @returns the epoch, in seconds.
   */
  raiseEpoch(key: string): Promise<number>;
  /**
   * Keeps a value until it expires.
   * @param expiresAt - Seconds since the epoch.
   */
  put(key: string, value: string, expiresAt: number): Promise<void>;
  /** The value of a key, unless it has expired. */
  get(key: string): Promise<string | undefined>;
  delete(key: string): Promise<void>;
}

/**
 * Keeps everything in memory: it holds within this process, until it ends.
 *
 * @param options.max - Marks, and values, kept at the most, 100,000 of each by default. When all of them are still needed,
 * `consume` and `put` reject.
 * @param options.now - Seconds since the epoch.
 */
export function memoryStore(options: { readonly max?: number; readonly now?: () => number } = {}): ResourceStore {
  const { max = 100_000, now = systemTime } = options;
  const values = new Map<string, { readonly value: string; readonly expiresAt: number }>();
  const epochs = new Map<string, number>();
  return {
    ...memoryReplayStore({ max, now }),
    epochs: async (keys) => keys.map((key) => epochs.get(key)),
    async raiseEpoch(key) {
      const epoch = Math.max(Math.floor(now()), epochs.get(key) ?? 0);
      epochs.set(key, epoch);
      return epoch;
    },
    async put(key, value, expiresAt) {
      if (values.size >= max) for (const [old, one] of values) if (one.expiresAt <= now()) values.delete(old);
      if (values.size >= max) throw new RangeError(`The store in memory holds ${max} values that are still needed.`);
      values.set(key, { value, expiresAt });
    },
    async get(key) {
      const found = values.get(key);
      return found !== undefined && found.expiresAt > now() ? found.value : undefined;
    },
    async delete(key) {
      values.delete(key);
    },
  };
}
