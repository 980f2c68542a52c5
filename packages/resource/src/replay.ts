import { encodeBase64url } from "@credence/protocol";
import { systemTime } from "./clock.ts";
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
  return {
    async consume(key, expiresAt) {
      checkKey(key);
      const until = wholeSecond(expiresAt);
      const time = now();
      const known = marks.get(key);
      if (known !== undefined && known > time) return "again";
      if (marks.size >= max) forgetExpired(marks, time);
      if (marks.size >= max) throw storeFault(`The store is full: ${max} marks that are still needed`);
      marks.set(key, until);
      return "first";
    },
  };
}

function forgetExpired(marks: Map<string, number>, time: number): void {
  for (const [key, expiresAt] of marks) if (expiresAt <= time) marks.delete(key);
}

/** A key of one size for parts of any size and content. */
export async function replayKey(kind: string, ...parts: readonly (string | undefined)[]): Promise<string> {
  const text = JSON.stringify(parts.map((part) => part ?? null));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `${kind}:${encodeBase64url(new Uint8Array(digest))}`;
}
