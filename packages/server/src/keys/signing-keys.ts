import { CredenceError } from "@credence/protocol";
import type { JwsAlgorithm, KeySource, PublicJwk, Signer } from "@credence/protocol/jws";
import { nodeKeys, nodeSigner } from "@credence/protocol/node";
import { type ExternalKeys, externalSigner } from "./external-keys.ts";
import { type KeyUse, verifies } from "./life.ts";
import type { OpenKey } from "./stored-key.ts";

/** The keys of one use at one moment. After a change there is another one of these: compare by identity. */
export interface SigningKeys {
  /** Those that sign, one for each algorithm, in the order of the deployment. */
  readonly signers: readonly Signer[];
  /** Those that are published: what they signed counts. Those that sign come first, in the same order. */
  readonly publicJwks: readonly PublicJwk[];
  /** Verifies with the published ones. */
  readonly keys: KeySource;
}

/**
 * Readies keys for use. What is no longer published is left out.
 *
 * @param algorithms - In the order of the deployment.
 * @throws CredenceError `configuration` when a key that signs is kept elsewhere, and there is no way to it.
 */
export function signingKeys(
  use: KeyUse,
  all: readonly OpenKey[],
  algorithms: readonly JwsAlgorithm[],
  external: ExternalKeys | undefined,
): SigningKeys {
  const own = all.filter((key) => key.use === use);
  const place = ({ alg }: OpenKey) => (algorithms.includes(alg) ? algorithms.indexOf(alg) : algorithms.length);
  const last = ({ state }: OpenKey) => (state === "active" ? 0 : 1);
  const published = own.filter(({ state }) => verifies(state)).sort((a, b) => last(a) - last(b) || place(a) - place(b));
  const publicJwks = published.map(({ publicJwk }) => publicJwk);
  return {
    signers: published.filter(({ state }) => state === "active").map((key) => signerOf(key, external)),
    publicJwks,
    keys: nodeKeys({ keys: publicJwks }),
  };
}

function signerOf({ kid, alg, publicJwk, privateHalf }: OpenKey, external: ExternalKeys | undefined): Signer {
  if (privateHalf && "privateJwk" in privateHalf) return nodeSigner(privateHalf.privateJwk);
  if (privateHalf && external) return externalSigner({ kid, alg, publicJwk, ...privateHalf }, external);
  throw new CredenceError(
    `The private half of the signing key ${kid} is kept at an external signer, and none is configured (keys.signer).`,
    { code: "configuration", reason: "external-signer-missing" },
  );
}
