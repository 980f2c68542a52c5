import { randomBytes } from "node:crypto";

/** Something that a person was shown an error page for. For the operator's log; the page gives the reference alone. */
export interface Fault {
  readonly reference: string;
  /** The protocol's own code, or ours. */
  readonly code: string;
  readonly error: unknown;
}

/** A fresh reference: short enough to be read out on the phone, 50 bits. */
export function newReference(): string {
  const letters = [...randomBytes(10)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return `${letters.slice(0, 5)}-${letters.slice(5)}`;
}

/** Without letters that are taken for another: Crockford's base 32. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Takes a fault to the operator's log. */
export type Report = (fault: Fault) => void;
