/** JWTs with any header: what no signer of ours would make. */
import { encodeBase64url } from "@credence/protocol";

/** What signs: a signer, or whatever stands in for one. */
export type Sign = (data: Uint8Array) => Promise<Uint8Array>;

/** A JWT in compact form, with exactly this header; members that are `undefined` are left out. */
export async function jwtOf(header: object, claims: object, sign: Sign): Promise<string> {
  const input = `${encodeBase64url(JSON.stringify(header))}.${encodeBase64url(JSON.stringify(claims))}`;
  return `${input}.${encodeBase64url(await sign(new TextEncoder().encode(input)))}`;
}

/** HMAC-SHA256 with a secret that everybody knows: a public key. @see RFC 8725 §2.1 */
export function macWith(secret: string): Sign {
  return async (data) => {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", key, Uint8Array.from(data)));
  };
}
