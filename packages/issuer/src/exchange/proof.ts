import { ok, type Result, refuse } from "@credence/protocol";
import { type Confirmation, checkDpopProof, type DpopNonces } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";

/** How DPoP proofs are checked. */
export interface ProofOptions {
  /** The token endpoint's URL as clients know it: what `htu` must say. Never taken from a request. */
  readonly url: string;
  /** Marks a proof as used: one atomic statement, for all processes. `expiresAt` in seconds since the epoch. */
  markUsed(key: string, expiresAt: number): Promise<"first" | "again">;
  /** With it, every proof must carry a nonce of ours. @see RFC 9449 §8 */
  readonly nonces?: DpopNonces;
}

/** What a request may prove possession with. */
export interface ProofsPresented {
  /** The `DPoP` header; several come joined by a comma. */
  readonly dpop?: string | null;
  /** The certificate that the TLS listener has validated, in DER. */
  readonly certificate?: Uint8Array;
}

/**
 * What a request proves possession of. A DPoP proof wins over a certificate: an ID-JAG is never bound to both.
 *
 * @param now - Seconds since the epoch.
 * @returns the binding; `undefined` where nothing is proven; refused with a `dpop-…` or `certificate-…` reason. Rejects when
 * `markUsed` does.
 * @see RFC 9449 §4.3, RFC 8705 §3, ID-JAG draft §9.8
 */
export async function provenBinding(
  { dpop = null, certificate }: ProofsPresented,
  options: ProofOptions | undefined,
  now: number,
): Promise<Result<Confirmation | undefined>> {
  if (dpop === null) return certificate === undefined ? ok(undefined) : certificateConfirmation(certificate);
  // What nobody checks must not look as if it counted.
  if (options === undefined) return refuse("dpop-unavailable");
  const { url, nonces } = options;
  return checkDpopProof(dpop, {
    method: "POST",
    url,
    now,
    markUsed: (key, expiresAt) => options.markUsed(key, expiresAt),
    ...(nonces === undefined ? {} : { acceptsNonce: (nonce: string) => nonces.accepts(nonce, now) }),
  });
}
