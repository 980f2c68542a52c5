import { LRUCache } from "lru-cache";
import { hashed } from "./artifacts.ts";
import { networkOf } from "./source.ts";

/**
 * Back-off for guessed passwords and codes: per account and address, per account, per address.
 *
 * The memory is bounded, and an email counts whether somebody has it or not. A stranger who guesses at an account can
 * make its owner wait a minute at most: the limit that grows long is the guesser's own.
 */

interface Limit {
  /** Failures before the first wait. */
  readonly free: number;
  /** Longest wait in seconds. */
  readonly longest: number;
  /** Seconds of quiet after which failures are forgotten. */
  readonly forget: number;
}

/** How much is let through, for each of the three. */
export type Limits = Readonly<Record<"pair" | "account" | "address", Limit>>;

const PASSWORD_LIMITS: Limits = {
  pair: { free: 5, longest: 900, forget: 900 },
  account: { free: 20, longest: 60, forget: 900 },
  address: { free: 50, longest: 300, forget: 900 },
};

/**
 * A code has a million values, and whoever guesses one knows the password already: here the account's own limit grows long,
 * though its owner then waits, too. And it is remembered for a day: else whoever waits a little longer than they have to would
 * begin anew each time.
 */
export const CODE_LIMITS: Limits = { ...PASSWORD_LIMITS, account: { free: 10, longest: 900, forget: 86_400 } };

/** How many of each kind are remembered; the least recent goes first, so one kind can not push out another. */
const REMEMBERED = 20_000;

interface Count {
  failures: number;
  /** Seconds since the epoch before which nothing is tried. */
  until: number;
  last: number;
}

/** Permission to try a password or code; or how many seconds to wait. */
export type Attempt = { readonly wait: number } | { readonly wait: 0; succeeded(): void };

/** Counts attempts. */
export interface Attempts {
  /**
   * Asks to try one. The attempt counts as failed until it is said to have succeeded, so that many at once do not
   * pass the limit together.
   *
   * @param account - The email as typed, or who it is.
   * @param source - The client's address.
   * @param now - Seconds since the epoch.
   */
  begin(account: string, source: string, now: number): Attempt;
}

/** Makes the counts, empty. */
export function createAttempts(limits: Limits = PASSWORD_LIMITS): Attempts {
  const pairs = createCounts(limits.pair);
  const accounts = createCounts(limits.account);
  const addresses = createCounts(limits.address);

  return {
    begin(who, source, now) {
      const account = hashed(who.toLowerCase());
      const address = networkOf(source);
      const limited: readonly (readonly [Counts, string, Limit])[] = [
        [pairs, `${account} ${address}`, limits.pair],
        [accounts, account, limits.account],
        [addresses, address, limits.address],
      ];
      // Asked before anything is remembered: who has to wait leaves no trace, and so pushes out nobody else's.
      const before = limited.map(([counts, key]) => counts.known(key, now) ?? fresh(now));
      const wait = Math.ceil(Math.max(...before.map(({ until }) => until - now)));
      if (wait > 0) return { wait };
      const tried = limited.map(([counts, key, limit], i) => {
        const one = counts.known(key, now) ?? counts.add(key, now);
        fail(one, limit, now);
        return { one, until: before[i]?.until ?? 0 };
      });
      return {
        wait: 0,
        succeeded() {
          // The account's owner was here, from this address: only what others did stays counted.
          const own = tried[0]?.one.failures ?? 0;
          for (const [i, { one, until }] of tried.entries()) {
            one.failures = Math.max(0, one.failures - own);
            one.until = i === 0 ? 0 : until;
          }
        },
      };
    },
  };
}

interface Counts {
  /** What is remembered and not forgotten by now. */
  known(key: string, now: number): Count | undefined;
  add(key: string, now: number): Count;
}

function createCounts({ forget }: Limit): Counts {
  const counts = new LRUCache<string, Count>({ max: REMEMBERED });
  return {
    known(key, now) {
      const found = counts.get(key);
      return found !== undefined && now - found.last <= forget ? found : undefined;
    },
    add(key, now) {
      const one = fresh(now);
      counts.set(key, one);
      return one;
    },
  };
}

function fresh(now: number): Count {
  return { failures: 0, until: 0, last: now };
}

function fail(count: Count, { free, longest }: Limit, now: number): void {
  count.failures += 1;
  count.last = now;
  const beyond = count.failures - free;
  if (beyond >= 0) count.until = now + Math.min(longest, 2 ** beyond);
}
