/** What a token request proves possession of: a DPoP key, or a client certificate. */
import type { Confirmation } from "./confirmation.ts";
import {
  type DpopExpectations,
  type MarkProof,
  useDpopProof,
  type VerifiedDpopProof,
  verifyDpopProof,
} from "./dpop.ts";
import { certificateConfirmation } from "./mtls.ts";
import { ok, type Result } from "./result.ts";

/** What a request may prove possession with. */
export interface ProofsPresented {
  /** The `DPoP` header; several come joined by a comma. */
  readonly dpop?: string | null;
  /** The certificate that the TLS listener has validated, in DER. */
  readonly certificate?: Uint8Array;
}

/** A proof that is good in itself; one by DPoP counts once {@link useProof} has marked it as used. */
export interface Proof {
  /** What a token is to be bound to. */
  readonly binding: Confirmation;
  readonly dpop?: VerifiedDpopProof;
}

/**
 * Checks what a request proves possession of. A DPoP proof wins over a certificate: no token is bound to both.
 *
 * @returns the proof; `undefined` where nothing is proven; refused with a `dpop-…` or `certificate-…` reason.
 * @see RFC 9449 §4.3, RFC 8705 §3, ID-JAG draft §9.8
 */
export async function verifyProof(
  { dpop: header = null, certificate }: ProofsPresented,
  expected: DpopExpectations,
): Promise<Result<Proof | undefined>> {
  if (header !== null) {
    const dpop = await verifyDpopProof(header, expected);
    return dpop.ok ? ok({ binding: { jkt: dpop.value.jkt }, dpop: dpop.value }) : dpop;
  }
  if (certificate === undefined) return ok(undefined);
  const binding = await certificateConfirmation(certificate);
  return binding.ok ? ok({ binding: binding.value }) : binding;
}

/**
 * Marks a proof as used, once it is known who sends it: anybody can make keys and proofs, and strangers must not fill the store.
 *
 * @returns refused: `dpop-replayed`. Rejects when `markUsed` does.
 * @see RFC 9449 §11.1
 */
export async function useProof(proof: Proof | undefined, markUsed: MarkProof): Promise<Result<true>> {
  if (proof?.dpop === undefined) return ok(true);
  const used = await useDpopProof(proof.dpop, markUsed);
  return used.ok ? ok(true) : used;
}
