import { ok, type Result, refuse } from "@credence/protocol";
import { type Confirmation, checkDpopProof, type DpopNonces, sameConfirmation } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";
import type { RequestContext } from "../context.ts";
import { replayKey } from "../replay.ts";

/** What the check of proofs needs from its surroundings. */
export interface ProofPorts {
  /** The token endpoint's URL, as clients know it. */
  readonly tokenEndpoint: string;
  /** With it, every proof must carry a nonce of ours. */
  readonly nonces: DpopNonces | undefined;
  consume(key: string, expiresAt: number): Promise<"first" | "again">;
}

/**
 * What a token request proves possession of. A DPoP proof wins over a certificate.
 *
 * @param now - Seconds since the epoch.
 * @returns the binding; `undefined` where nothing is proven; refused with a `dpop-…` or `certificate-…` reason. Rejects when
 * `consume` does.
 * @see RFC 9449 §4.3, §5, RFC 8705 §3
 */
export async function proofOf(
  request: Pick<Request, "headers">,
  { certificate }: RequestContext,
  { tokenEndpoint: url, nonces, consume }: ProofPorts,
  now: number,
): Promise<Result<Confirmation | undefined>> {
  const dpop = request.headers.get("dpop");
  if (dpop === null) return certificate === undefined ? ok(undefined) : certificateConfirmation(certificate);
  return checkDpopProof(dpop, {
    method: "POST",
    url,
    now,
    markUsed: async (key, expiresAt) => consume(await replayKey("dpop", key), expiresAt),
    ...(nonces === undefined ? {} : { acceptsNonce: (nonce: string) => nonces.accepts(nonce, now) }),
  });
}

/**
 * What the access token is bound to: what the ID-JAG is bound to, and the request proves; else what the request proves.
 *
 * @param required - Whether the resource takes bound tokens only.
 * @returns the binding; refused: `id-jag-bound`, `id-jag-unbound`.
 * @see ID-JAG draft §9.8.1.2, §9.8.2.2
 */
export function bindingOf(
  cnf: Confirmation | undefined,
  proven: Confirmation | undefined,
  required: boolean,
): Result<Confirmation | undefined> {
  if (cnf !== undefined) {
    return proven !== undefined && sameConfirmation(cnf, proven) ? ok(cnf) : refuse("id-jag-bound");
  }
  return required && proven === undefined ? refuse("id-jag-unbound") : ok(proven);
}
