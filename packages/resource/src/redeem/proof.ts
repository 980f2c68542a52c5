import { ok, type Result, refuse } from "@credence/protocol";
import { type Confirmation, type DpopNonces, sameConfirmation } from "@credence/protocol/dpop";
import { type Proof, useProof, verifyProof } from "@credence/protocol/proof-of-possession";
import { type StoreKeyPorts, webStoreKeyOf } from "../replay.ts";

/** What the check of proofs needs from its surroundings. */
export interface ProofPorts extends StoreKeyPorts {
  /** The token endpoint's URL, as clients know it. */
  readonly tokenEndpoint: string;
  /** With it, every proof must carry a nonce of ours. */
  readonly nonces: DpopNonces | undefined;
  consume(key: string, expiresAt: number): Promise<"first" | "again">;
}

/**
 * What a redemption proves possession of.
 *
 * @param dpop - The `DPoP` header.
 * @param certificate - The client's, in DER.
 * @param now - Seconds since the epoch.
 * @returns the proof; `undefined` where nothing is proven; refused with a `dpop-…` or `certificate-…` reason.
 * @see RFC 9449 §4.3, §5, RFC 8705 §3
 */
export function proofOf(
  { dpop, certificate }: { readonly dpop: string | null; readonly certificate?: Uint8Array | undefined },
  { tokenEndpoint: url, nonces }: Pick<ProofPorts, "tokenEndpoint" | "nonces">,
  now: number,
): Promise<Result<Proof | undefined>> {
  const presented = { dpop, ...(certificate === undefined ? {} : { certificate }) };
  return verifyProof(presented, { method: "POST", url, now, nonces });
}

/** Marks a proof as used. @returns refused: `dpop-replayed`. Rejects when `consume` does. */
export function spendProof(
  proof: Proof | undefined,
  { consume, storeKeyOf = webStoreKeyOf }: Pick<ProofPorts, "consume" | "storeKeyOf">,
): Promise<Result<true>> {
  return useProof(proof, async (key, expiresAt) => consume(await storeKeyOf("dpop", key), expiresAt));
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
