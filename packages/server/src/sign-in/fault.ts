import { createHash, randomBytes } from "node:crypto";

/** Something that a person was shown an error page for. For the operator's log; the page gives the reference alone. */
export interface Fault {
  readonly reference: string;
  /** The protocol's own code, or ours. */
  readonly code: string;
  readonly error: unknown;
}

/** A fresh reference: short enough to be read out on the phone, 50 bits. */
export function newReference(): string {
  return spell(randomBytes(10));
}

/** The reference of something that has an id: always the same, and of no use for anything but naming it. */
export function referenceOf(id: string): string {
  return spell(createHash("sha256").update("credence reference v1\0").update(id).digest());
}

function spell(bytes: Uint8Array): string {
  const letters = [...bytes.subarray(0, 10)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return `${letters.slice(0, 5)}-${letters.slice(5)}`;
}

/** Without letters that are taken for another: Crockford's base 32. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Takes a fault to the operator's log. */
export type Report = (fault: Fault) => void;
