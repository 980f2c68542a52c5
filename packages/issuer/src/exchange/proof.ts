import { type Result, refuse } from "@credence/protocol";
import type { DpopNonces, MarkProof } from "@credence/protocol/dpop";
import { type Proof, type ProofsPresented, verifyProof } from "@credence/protocol/proof-of-possession";

/** How DPoP proofs are checked. */
export interface ProofOptions {
  /** The token endpoint's URL as clients know it: what `htu` must say. Never taken from a request. */
  readonly url: string;
  /** Marks a proof as used: one atomic statement, for all processes. */
  readonly markUsed: MarkProof;
  /** With it, every proof must carry a nonce of ours. @see RFC 9449 §8 */
  readonly nonces?: DpopNonces;
}

/**
 * What an exchange proves possession of.
 *
 * @param now - Seconds since the epoch.
 * @returns the proof; `undefined` where nothing is proven; refused with a `dpop-…` or `certificate-…` reason.
 * @see RFC 9449 §4.3, RFC 8705 §3, ID-JAG draft §9.8
 */
export async function proofOf(
  presented: ProofsPresented,
  options: ProofOptions | undefined,
  now: number,
): Promise<Result<Proof | undefined>> {
  // What nobody checks must not look as if it counted.
  if (options === undefined && typeof presented.dpop === "string") return refuse("dpop-unavailable");
  const { url = "", nonces } = options ?? {};
  return verifyProof(presented, { method: "POST", url, now, nonces });
}
