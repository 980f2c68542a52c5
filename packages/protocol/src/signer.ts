/** The signature algorithms that we sign and verify with. */
export const JWS_ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA"] as const;

/** One of {@link JWS_ALGORITHMS}. */
export type JwsAlgorithm = (typeof JWS_ALGORITHMS)[number];

/** Whether a header's `alg` is one that we know; `none` and the MACs are not. */
export function isJwsAlgorithm(alg: unknown): alg is JwsAlgorithm {
  return JWS_ALGORITHMS.some((known) => known === alg);
}

/** Signs with one key, wherever that key is: WebCrypto, node:crypto, a KMS, an HSM. */
export interface Signer {
  readonly alg: JwsAlgorithm;
  readonly kid: string;
  /**
   * @param data - The JWS signing input, ASCII bytes.
   * @returns the signature as JWS wants it (ES256: 64 bytes r||s; ES384: 96; EdDSA: 64; RSA: the modulus' length).
   */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** Verifies with one key. */
export interface Verifier {
  readonly alg: JwsAlgorithm;
  /**
   * @param data - The JWS signing input, ASCII bytes.
   * @param signature - As JWS has it.
   */
  verify(data: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/**
 * Finds the key that a header names; `undefined` when there is none that fits.
 * Rejects when the keys can not be had at all.
 */
export type KeySource = (header: JwsHeader) => Promise<Verifier | undefined>;

/** A protected header, as far as we read it. */
export interface JwsHeader {
  readonly alg: string;
  readonly kid?: string;
  readonly typ?: string;
  readonly crit?: unknown;
}
