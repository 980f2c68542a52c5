import { asObject } from "./encoding.ts";

/**
 * What a token is bound to: the thumbprint of a DPoP key, or of a client certificate; never both.
 * @see RFC 9449 §6.1, RFC 8705 §3.1, ID-JAG draft §9.8
 */
export type Confirmation =
  | { readonly jkt: string; readonly "x5t#S256"?: never }
  | { readonly "x5t#S256": string; readonly jkt?: never };

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

/**
 * Reads a `cnf` claim. One that we do not understand wholly is none: whoever left a member out would accept an unproven one.
 *
 * @returns the confirmation; `undefined` for anything else than exactly one SHA-256 thumbprint that we know.
 * @see RFC 7800 §3.1
 */
export function parseConfirmation(cnf: unknown): Confirmation | undefined {
  const object = asObject(cnf);
  const [member, ...more] = Object.keys(object ?? {});
  if (object === undefined || member === undefined || more.length > 0) return undefined;
  const value = object[member];
  if (typeof value !== "string" || !THUMBPRINT.test(value)) return undefined;
  if (member === "jkt") return { jkt: value };
  return member === "x5t#S256" ? { "x5t#S256": value } : undefined;
}

/** Whether two confirmations are the same thumbprint of the same kind. Thumbprints are public: no secret is compared. */
export function sameConfirmation(a: Confirmation, b: Confirmation): boolean {
  return a.jkt === b.jkt && a["x5t#S256"] === b["x5t#S256"];
}
