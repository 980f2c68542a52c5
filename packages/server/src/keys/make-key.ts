import { generateSigningKey, type JwsAlgorithm, thumbprint } from "@credence/protocol/jws";
import type { StoredKey } from "../store/store.ts";
import type { ExternalKeys } from "./external-keys.ts";
import type { KeyPlan } from "./life.ts";
import type { Sealer } from "./seal.ts";
import { type PrivateHalf, publicHalf, sealKey } from "./stored-key.ts";

/** A key that was made, and what it is called where its private half is kept, if that is not here. */
export interface MadeKey {
  readonly key: StoredKey;
  readonly external?: string;
}

/**
 * Makes a key pair, fit for the store: here, or where private halves are kept.
 *
 * @param now - Seconds since the epoch.
 * @throws CredenceError `network`, `configuration` or `response_invalid` when it can not be made there.
 */
export async function makeKey(
  { use, alg, state }: KeyPlan["make"][number],
  sealer: Sealer,
  now: number,
  external: ExternalKeys | undefined,
): Promise<MadeKey> {
  // The record's keys sign it where it is written: every few seconds, also while nothing else can be reached.
  const { publicJwk, privateHalf } = use === "idp" && external ? await elsewhere(alg, external) : await here(alg);
  const kid = await thumbprint(publicJwk);
  const named = { ...publicJwk, kid, alg, use: "sig" };
  const sealed = sealKey({ kid, use, alg, publicJwk: named, privateHalf }, sealer);
  const key = { ...sealed, state, createdAt: now, ...(state === "active" ? { activatedAt: now } : {}) };
  return { key, ...("external" in privateHalf ? privateHalf : {}) };
}

async function here(alg: JwsAlgorithm) {
  const { privateJwk } = await generateSigningKey(alg);
  const privateHalf: PrivateHalf = { privateJwk };
  return { publicJwk: publicHalf(privateJwk), privateHalf };
}

async function elsewhere(alg: JwsAlgorithm, external: ExternalKeys) {
  const { name, publicJwk } = await external.create(alg);
  const privateHalf: PrivateHalf = { external: name };
  return { publicJwk, privateHalf };
}
