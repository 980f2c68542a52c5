import { LRUCache } from "lru-cache";
import { hashed } from "./artifacts.ts";

/**
 * Back-off for guessed passwords: per account and address, per account, per address.
 *
 * The memory is bounded, and an email counts whether somebody has it or not. A stranger who guesses at an account can
 * make its owner wait a minute at most: the limit that grows long is the guesser's own.
 */

interface Limit {
  /** Failures before the first wait. */
  readonly free: number;
  /** Longest wait in seconds. */
  readonly longest: number;
}

const LIMITS = {
  pair: { free: 5, longest: 900 },
  account: { free: 20, longest: 60 },
  address: { free: 50, longest: 300 },
} as const satisfies Record<string, Limit>;

/** Seconds of quiet after which failures are forgotten. */
const FORGET = 900;
/** How many accounts and addresses are remembered; the least recent goes first. */
const REMEMBERED = 20_000;

interface Count {
  failures: number;
  /** Seconds since the epoch before which nothing is tried. */
  until: number;
  last: number;
}

/** Permission to try a password; or how many seconds to wait. */
export type Attempt = { readonly wait: number } | { readonly wait: 0; succeeded(): void };

/** Counts attempts. */
export interface Attempts {
  /**
   * Asks to try a password. The attempt counts as failed until it is said to have succeeded, so that many at once do not
   * pass the limit together.
   *
   * @param email - As typed.
   * @param source - The client's address.
   * @param now - Seconds since the epoch.
   */
  begin(email: string, source: string, now: number): Attempt;
}

/** Makes the counts, empty. */
export function createAttempts(): Attempts {
  const counts = new LRUCache<string, Count>({ max: REMEMBERED });

  function count(key: string, now: number): Count {
    const known = counts.get(key);
    if (known !== undefined && now - known.last <= FORGET) return known;
    const fresh = { failures: 0, until: 0, last: now };
    counts.set(key, fresh);
    return fresh;
  }

  return {
    begin(email, source, now) {
      const account = hashed(email.toLowerCase());
      const limited: readonly (readonly [Count, Limit])[] = [
        [count(`pair ${account} ${source}`, now), LIMITS.pair],
        [count(`account ${account}`, now), LIMITS.account],
        [count(`address ${source}`, now), LIMITS.address],
      ];
      const wait = Math.ceil(Math.max(...limited.map(([one]) => one.until - now)));
      if (wait > 0) return { wait };
      const before = limited.map(([one]) => ({ ...one }));
      for (const [one, limit] of limited) fail(one, limit, now);
      return {
        wait: 0,
        succeeded() {
          // The account's owner was here, from this address: only what others did stays counted.
          for (const [i, [one]] of limited.entries()) {
            one.failures = i === 0 ? 0 : Math.max(0, one.failures - 1);
            one.until = i === 0 ? 0 : (before[i]?.until ?? 0);
          }
        },
      };
    },
  };
}

function fail(count: Count, { free, longest }: Limit, now: number): void {
  count.failures += 1;
  count.last = now;
  const beyond = count.failures - free;
  if (beyond >= 0) count.until = now + Math.min(longest, 2 ** beyond);
}
