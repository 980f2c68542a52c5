/** Keys for Node: imported and used by node:crypto, on the calling thread. They do the same as those of `keys.ts`, for less. */
import { constants, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { CredenceError } from "../errors.ts";
import {
  fits,
  type JwkSet,
  jwksKeys,
  MIN_RSA_MODULUS_BITS,
  type PrivateJwk,
  type PublicJwk,
  publicHalf,
} from "../keys.ts";
import { isJwsAlgorithm, type JwsAlgorithm, type KeySource, type Signer, type Verifier } from "../signer.ts";
import { fromDer, toDer } from "./ecdsa.ts";

const P1363 = { dsaEncoding: "ieee-p1363" } as const;
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } as const;

/** One algorithm in node:crypto's words. */
interface Operations {
  sign(data: Uint8Array, key: KeyObject): Uint8Array;
  verify(data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean;
}

const OPERATIONS: Readonly<Record<JwsAlgorithm, Operations>> = {
  ES256: {
    sign: (data, key) => fromDer(sign("sha256", data, key)),
    verify(data, key, signature) {
      const der = toDer(signature);
      return der !== undefined && verify("sha256", data, key, der);
    },
  },
  // Slower in this spelling, and rare.
  ES384: {
    sign: (data, key) => sign("sha384", data, { key, ...P1363 }),
    verify: (data, key, signature) => verify("sha384", data, { key, ...P1363 }, signature),
  },
  RS256: {
    sign: (data, key) => sign("sha256", data, key),
    verify: (data, key, signature) => verify("sha256", data, key, signature),
  },
  PS256: {
    sign: (data, key) => sign("sha256", data, { key, ...PSS }),
    verify: (data, key, signature) => verify("sha256", data, { key, ...PSS }, signature),
  },
  EdDSA: {
    sign: (data, key) => sign(null, data, key),
    verify: (data, key, signature) => verify(null, data, key, signature),
  },
};

/**
 * Makes a signer of a private key: `importSigner` for Node.
 *
 * @param jwk - The private key with `alg` and `kid`.
 * @returns a signer that signs on the calling thread: ES256 in about 30 µs, RS256 in about 250 µs.
 * @throws CredenceError `configuration` when the key does not fit its algorithm.
 * @see RFC 7518 §3
 */
export function nodeSigner(jwk: PrivateJwk): Signer {
  const { alg, kid } = jwk;
  if (!isJwsAlgorithm(alg) || !fits(jwk, alg)) throw unfit("signing key");
  const key = imported("signing key", () => createPrivateKey({ key: { ...jwk }, format: "jwk" }));
  const { sign: signWith } = OPERATIONS[alg];
  return { alg, kid, sign: async (data) => signWith(data, key) };
}

/**
 * Makes a verifier of a public key: `importVerifier` for Node.
 *
 * @throws CredenceError `configuration` when the key does not fit the algorithm.
 * @see RFC 7518 §3
 */
export function nodeVerifier(jwk: PublicJwk, alg: JwsAlgorithm): Verifier {
  if (!fits(jwk, alg)) throw unfit("key");
  const key = imported("key", () => createPublicKey({ key: { ...publicHalf(jwk) }, format: "jwk" }));
  const { verify: verifyWith } = OPERATIONS[alg];
  return { alg, verify: async (data, signature) => verifyWith(data, key, signature) };
}

/** Finds keys in a set as `jwksKeys` does, and verifies on Node. Each key is imported once. */
export function nodeKeys(jwks: JwkSet): KeySource {
  return jwksKeys(jwks, async (jwk, alg) => nodeVerifier(jwk, alg));
}

function imported(what: string, create: () => KeyObject): KeyObject {
  const key = attempted(create);
  if (key === undefined) throw unfit(what);
  // Zeros before a modulus make it longer as a text alone.
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < MIN_RSA_MODULUS_BITS) throw unfit(what);
  return key;
}

/** What Node says of a key that it can not read may hold a piece of the key: it is not passed on. */
function attempted(create: () => KeyObject): KeyObject | undefined {
  try {
    return create();
  } catch {
    return undefined;
  }
}

function unfit(what: string): CredenceError {
  return new CredenceError(`The ${what} does not fit its algorithm`, { code: "configuration" });
}
