/**
 * ES256 signatures between their two spellings. JWS has r and s side by side, 32 bytes each; node:crypto speaks DER, and asking
 * it for the other one (`dsaEncoding: "ieee-p1363"`) costs more on Node 24 than the signature itself.
 */
import { CredenceError } from "../errors.ts";

/** Bytes of r, and of s, on the curve P-256. */
const SIZE = 32;

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** As first bit of an integer: it is negative. */
const SIGN = 0x80;

/**
 * Spells r||s in DER.
 *
 * @param signature - As JWS has it.
 * @returns the DER; `undefined` when the signature does not have 64 bytes.
 * @see RFC 7518 §3.4, RFC 3279 §2.2.3
 */
export function toDer(signature: Uint8Array): Uint8Array | undefined {
  if (signature.length !== 2 * SIZE) return undefined;
  const r = toInteger(signature.subarray(0, SIZE));
  const s = toInteger(signature.subarray(SIZE));
  // Two integers of at most 35 bytes: the short form of a length is enough.
  return Buffer.concat([Uint8Array.of(SEQUENCE, r.length + s.length), r, s]);
}

/** As few bytes as can be, and never negative. */
function toInteger(bytes: Uint8Array): Uint8Array {
  let zeros = 0;
  while (zeros < bytes.length - 1 && bytes[zeros] === 0) zeros += 1;
  const padding = isNegative(bytes[zeros]) ? 1 : 0;
  const length = padding + bytes.length - zeros;
  const integer = new Uint8Array(2 + length);
  integer[0] = INTEGER;
  integer[1] = length;
  integer.set(bytes.subarray(zeros), 2 + padding);
  return integer;
}

/**
 * Spells a DER signature as r||s.
 *
 * @param der - As node:crypto makes it.
 * @returns 64 bytes.
 * @throws CredenceError `configuration` when it is no signature on P-256.
 * @see RFC 7518 §3.4
 */
export function fromDer(der: Uint8Array): Uint8Array {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) throw malformed();
  const signature = new Uint8Array(2 * SIZE);
  const middle = takeInteger(der, 2, signature.subarray(0, SIZE));
  if (takeInteger(der, middle, signature.subarray(SIZE)) !== der.length) throw malformed();
  return signature;
}

/** Reads the integer that begins at `at` into the end of `into`. @returns where it ends. */
function takeInteger(der: Uint8Array, at: number, into: Uint8Array): number {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  const from = der[at + 2] === 0 ? at + 3 : at + 2;
  const size = end - from;
  if (der[at] !== INTEGER || length === 0 || end > der.length) throw malformed();
  if (isNegative(der[at + 2]) || size > SIZE) throw malformed();
  into.set(der.subarray(from, end), SIZE - size);
  return end;
}

function isNegative(first = 0): boolean {
  return (first & SIGN) !== 0;
}

function malformed(): CredenceError {
  return new CredenceError("The signature is none of the curve P-256", { code: "configuration" });
}
