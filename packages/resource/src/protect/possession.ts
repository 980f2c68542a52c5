import { ok, type Result, refuse } from "@credence/protocol";
import { useDpopProof, verifyDpopProof } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { type StoreKeyPorts, webStoreKeyOf } from "../replay.ts";

/** An access token as a request presents it, with what it proves. */
export interface PresentedToken {
  readonly token: string;
  /** In lower case; `bearer` where the caller does not say. */
  readonly scheme?: string;
  /** The `DPoP` header. */
  readonly dpop?: string | null;
  readonly method?: string;
  /** The URL that was called, as clients know it: its path counts, below the resource's own origin. */
  readonly url?: string;
  /** The client's certificate, in DER. */
  readonly certificate?: Uint8Array | undefined;
}

/** What the check of possession needs. */
export interface PossessionPorts extends StoreKeyPorts {
  consume(key: string, expiresAt: number): Promise<"first" | "again">;
}

/**
 * Whether a request proves what its access token is bound to. A bound token is worth nothing as a bearer token, and a bearer
 * token nothing as a bound one.
 *
 * @param claims - Of a token that is good otherwise.
 * @param requireBound - Whether the resource takes bound tokens only.
 * @param now - Seconds since the epoch.
 * @returns refused: `access-token-proof`, or with a `dpop-…` reason. Rejects when `consume` does.
 * @see RFC 9449 §7.1, §7.2, RFC 8705 §3
 */
export async function checkPossession(
  { cnf, aud }: Pick<AccessTokenClaims, "cnf" | "aud">,
  { token, scheme = "bearer", dpop, method = "GET", url, certificate }: PresentedToken,
  { consume, storeKeyOf = webStoreKeyOf }: PossessionPorts,
  now: number,
  requireBound: boolean,
): Promise<Result<true>> {
  if (cnf?.jkt !== undefined) {
    if (scheme !== "dpop" || typeof dpop !== "string" || url === undefined)
      return refuse("access-token-proof", "missing");
    const proven = await verifyDpopProof(dpop, { method, url: externalUrl(aud, url), now, accessToken: token });
    if (!proven.ok) return proven;
    if (proven.value.jkt !== cnf.jkt) return refuse("access-token-proof", "another key");
    const used = await useDpopProof(proven.value, async (key, until) => consume(await storeKeyOf("dpop", key), until));
    return used.ok ? ok(true) : used;
  }
  if (scheme === "dpop") return refuse("access-token-proof", "the token is not bound to a key");
  if (cnf === undefined) return requireBound ? refuse("access-token-proof", "the token is not bound") : ok(true);
  if (certificate === undefined) return refuse("access-token-proof", "no certificate");
  const shown = await certificateConfirmation(certificate);
  if (!shown.ok) return refuse("access-token-proof", "the certificate can not be read");
  return shown.value["x5t#S256"] === cnf["x5t#S256"] ? ok(true) : refuse("access-token-proof", "another certificate");
}

/** Behind a proxy the request's own host is not the one that clients see: the resource's identifier has that. */
function externalUrl(resource: string, url: string): string {
  // Joined as text: resolved as a reference, a path that begins with two slashes would name another host, or none.
  return `${new URL(resource).origin}${new URL(url).pathname}`;
}
