import { hash } from "node:crypto";
import {
  checkSignature,
  type DecodedJws,
  type JwsAlgorithm,
  type KeySource,
  type SignatureFault,
  type Verifier,
} from "@credence/protocol/jws";
import { createGenerations } from "../store/generations.ts";

/** Tokens that are remembered in each of two generations, each by 43 characters. */
const REMEMBERED = 10_000;

/** Checks the signature of a token that was taken apart: the fault, or `undefined` when it is good. */
export type SignatureCheck = (token: string, jws: DecodedJws) => Promise<SignatureFault | undefined>;

/**
 * Makes a check that does not verify again what it has found to be good: an agent exchanges one ID token for each of its apps. A
 * token is known by the hash of all of it and by the very key that verified it: once that key is gone, so is what is
 * remembered. Nothing else is saved: type, issuer, audience, expiry and liveness are the caller's, each time.
 *
 * @param algorithms - Those allowed for this issuer and kind of token.
 */
export function rememberingCheck(algorithms: readonly JwsAlgorithm[], keys: KeySource): SignatureCheck {
  const verified = createGenerations<string, Verifier>(REMEMBERED);
  return async (token, jws) => {
    const name = hash("sha256", token, "base64url");
    const before = verified.get(name);
    if (before !== undefined && (await keys(jws.header)) === before) return undefined;
    let used: Verifier | undefined;
    const fault = await checkSignature(jws, algorithms, async (header) => {
      used = await keys(header);
      return used;
    });
    if (fault === undefined && used !== undefined) verified.set(name, used);
    else verified.delete(name);
    return fault;
  };
}
