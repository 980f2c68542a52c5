/** What every store holds its callers to, and what it means when one fails. */
import { CredenceError } from "@credence/protocol";

/** Characters of a key, and of a value, at the most. */
export const STORE_LIMITS = { key: 200, value: 65_536 } as const;

/** Seconds since the epoch at the end of the year 9999: whatever expires later expires then. */
const LATEST = 253_402_300_799;

/** @throws CredenceError `configuration` for a key of other characters, or of none, or of too many. */
export function checkKey(key: string): void {
  if (key.length <= STORE_LIMITS.key && /^[A-Za-z0-9_:-]+$/.test(key)) return;
  throw wrong(`A store's key is 1 to ${STORE_LIMITS.key} of A-Z a-z 0-9 _ : -`);
}

/** @throws CredenceError `configuration` for a value of too many characters. */
export function checkValue(value: string): void {
  if (value.length > STORE_LIMITS.value)
    throw wrong(`A store's value has ${STORE_LIMITS.value} characters at the most`);
}

/**
 * The whole second in which something has expired.
 *
 * @param expiresAt - Seconds since the epoch.
 * @throws CredenceError `configuration` for what is no time: compared with the clock, it would be neither past nor to come.
 */
export function wholeSecond(expiresAt: number): number {
  if (!Number.isFinite(expiresAt)) throw wrong("expiresAt is not a number of seconds");
  return Math.min(Math.ceil(expiresAt), LATEST);
}

/** A store that can not do what it was asked to: nothing is granted then. */
export function storeFault(message: string, cause?: unknown): CredenceError {
  return new CredenceError(message, { code: "temporarily_unavailable", reason: "store-unavailable", cause });
}

function wrong(message: string): CredenceError {
  return new CredenceError(message, { code: "configuration" });
}
