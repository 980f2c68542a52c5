import type { AttemptLimit, Store } from "../store/store.ts";
import { hashed } from "./artifacts.ts";
import { networkOf } from "./source.ts";

/**
 * Back-off for guessed passwords and codes: per account and address, per account, per address. It is counted in the store, for all
 * processes together: who is turned away by one does not begin anew at the next, nor after a restart.
 *
 * The counts are bounded, and an email counts whether somebody has it or not: whoever is not there costs and looks the same. A
 * stranger who guesses at an account can make its owner wait a minute at most: the limit that grows long is the guesser's own.
 */

type Limit = Pick<AttemptLimit, "free" | "longest" | "forget">;

/** How much is let through, for each of the three. */
type Limits = Readonly<Record<"pair" | "account" | "address", Limit>>;

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
const CODE_LIMITS: Limits = { ...PASSWORD_LIMITS, account: { free: 10, longest: 900, forget: 86_400 } };

/** What is guessed at. A passkey can not be guessed: what is counted there is work, for one sign-in. */
const LIMITS = {
  password: PASSWORD_LIMITS,
  code: CODE_LIMITS,
  passkey: { ...PASSWORD_LIMITS, account: { free: 10, longest: 900, forget: 900 } },
} as const satisfies Readonly<Record<string, Limits>>;

/** Permission to try a password or code; or how many seconds to wait. */
export type Attempt = { readonly wait: number } | { readonly wait: 0; succeeded(): Promise<void> };

/** Counts attempts. Both calls reject when the store can not count: nothing is tried then. */
export interface Attempts {
  /**
   * Asks to try one. The attempt counts as failed until it is said to have succeeded, so that many at once do not
   * pass the limit together.
   *
   * @param account - The email as typed, or who it is.
   * @param source - The client's address.
   * @param now - Seconds since the epoch.
   */
  begin(account: string, source: string, now: number): Promise<Attempt>;
}

/** Where attempts are counted. */
export type AttemptStore = Pick<Store, "beginAttempt" | "attemptSucceeded">;

/** Counts attempts at one thing. */
export function createAttempts(store: AttemptStore, what: keyof typeof LIMITS): Attempts {
  const limits = LIMITS[what];
  return {
    async begin(who, source, now) {
      const account = hashed(who.toLowerCase());
      const address = hashed(networkOf(source));
      const counts: readonly AttemptLimit[] = [
        // The first is the owner's own, where they succeed: only what others did stays counted in the other two.
        { ...limits.pair, kind: `${what} pair`, key: `${account} ${address}` },
        { ...limits.account, kind: `${what} account`, key: account },
        { ...limits.address, kind: `${what} address`, key: address },
      ];
      const begun = await store.beginAttempt(counts, now);
      return "marks" in begun ? { wait: 0, succeeded: () => store.attemptSucceeded(begun.marks) } : begun;
    },
  };
}
