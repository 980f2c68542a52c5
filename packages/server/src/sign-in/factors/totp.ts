import { randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { hashed } from "../artifacts.ts";
import { type FactorPorts, factorsOf, keepFactor, newFactor } from "./factors.ts";

/**
 * One-time codes of an authenticator app: SHA-1, 6 digits, 30 seconds, which is what every such app can do.
 *
 * @see RFC 6238
 */

const PERIOD = 30;
const DIGITS = 6;
/** Steps before and after the present one that are good, too. @see RFC 6238 §5.2 */
const WINDOW = 1;
/** Bytes of a secret. @see RFC 4226 §4 (R6) */
const SECRET_BYTES = 20;

/** Recovery codes that somebody gets. */
const RECOVERY_CODES = 10;
/** Without letters that are taken for another: Crockford's base 32, of which each has 5 bits. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Letters of a recovery code, in groups of 4: 80 bits. */
const RECOVERY_LENGTH = 16;

/** A fresh secret, in base 32. */
export function newTotpSecret(): string {
  return new Secret({ size: SECRET_BYTES }).base32;
}

/** What an authenticator app reads from the QR code. `issuer` is what it shows as the place. */
export function totpUri(secret: string, { issuer, label }: { issuer: string; label: string }): string {
  return new TOTP({ issuer, label, secret, digits: DIGITS, period: PERIOD }).toString();
}

/** What became of a typed code. */
export type CodeOutcome = "fits" | "wrong" | "used";

/**
 * Checks a code against a secret, and uses it up: each time step is good once.
 *
 * @param typed - As typed: spaces do not count.
 */
export async function checkTotp(
  { store, now }: Pick<FactorPorts, "store" | "now">,
  person: string,
  secret: string,
  typed: string,
): Promise<CodeOutcome> {
  const token = typed.replace(/\s/g, "");
  if (!/^\d{6}$/.test(token)) return "wrong";
  const timestamp = now() * 1_000;
  const period = PERIOD;
  const delta = TOTP.validate({ token, secret: Secret.fromBase32(secret), period, timestamp, window: WINDOW });
  if (delta === null) return "wrong";
  const step = TOTP.counter({ period, timestamp }) + delta;
  // Forgotten only after the last moment at which the step could count.
  const used = await store.consume(
    "totp",
    hashed(JSON.stringify([person, secret, step])),
    (step + WINDOW + 2) * PERIOD,
  );
  return used === "first" ? "fits" : "used";
}

/** Keeps a secret that a code has confirmed, with fresh recovery codes. @returns the codes, or `exists` when one is set up. */
export async function keepTotp(
  ports: FactorPorts,
  person: string,
  secret: string,
): Promise<readonly string[] | "exists"> {
  const kept = await keepFactor(ports, { kind: "totp", key: hashed(person), person }, { secret });
  return kept === "exists" ? "exists" : renewRecoveryCodes(ports, person);
}

/** Removes the authenticator app and what stands in for it. */
export async function removeTotp({ store }: Pick<FactorPorts, "store">, person: string): Promise<void> {
  await store.removeFactors(person, "totp");
  await store.removeFactors(person, "recovery-code");
}

/** Makes recovery codes in place of those that there were. @returns the codes, which nobody can read again. */
export async function renewRecoveryCodes(ports: FactorPorts, person: string): Promise<readonly string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, newRecoveryCode);
  const factors = codes.map((code) =>
    newFactor(ports, { kind: "recovery-code", key: recoveryKey(person, code), person }, {}),
  );
  await ports.store.replaceFactors(person, "recovery-code", await Promise.all(factors));
  return codes;
}

/**
 * Checks what a person typed: a code of their app, or a recovery code, which is gone by that.
 *
 * @param typed - As typed.
 */
export async function checkCode(ports: FactorPorts, person: string, typed: string): Promise<CodeOutcome> {
  const { totp } = await factorsOf(ports, person);
  if (totp === undefined) return "wrong";
  const recovery = recoveryCode(typed);
  if (recovery !== undefined) {
    const removed = await ports.store.removeFactors(person, "recovery-code", recoveryKey(person, recovery));
    return removed === 1 ? "fits" : "wrong";
  }
  const outcome = await checkTotp(ports, person, totp.secret, typed);
  if (outcome === "fits") await ports.store.useFactor("totp", hashed(person), 0, ports.now());
  return outcome;
}

function newRecoveryCode(): string {
  const letters = [...randomBytes(RECOVERY_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return letters.match(/.{4}/g)?.join("-") ?? letters;
}

/** A recovery code as it was given out, whatever the case and the signs between; `undefined` for what is none. */
function recoveryCode(typed: string): string | undefined {
  const letters = typed.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  return letters.length === RECOVERY_LENGTH ? letters : undefined;
}

/** A hash is enough: 80 random bits can not be tried one after the other. */
function recoveryKey(person: string, code: string): string {
  return hashed(JSON.stringify(["recovery code", person, code.replaceAll("-", "")]));
}
