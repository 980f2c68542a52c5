import { CredenceError } from "@credence/protocol";
import type { JwsAlgorithm, PublicJwk, Signer } from "@credence/protocol/jws";
import { nodeVerifier } from "@credence/protocol/node";

/**
 * Where private keys are made and stay: a signing service, a KMS, an HSM behind PKCS#11. Every operation is bounded in time by
 * whoever implements it, and rejects when it is not done.
 */
export interface ExternalKeys {
  /** For messages: `https://vault.acme.example/v1/transit`. */
  readonly name: string;
  /**
   * Makes a key pair there.
   * @returns what it is called there, at most 256 characters, and its public half.
   */
  create(alg: JwsAlgorithm): Promise<{ readonly name: string; readonly publicJwk: PublicJwk }>;
  /**
   * @param data - The JWS signing input: what is hashed and signed, not a hash.
   * @returns the signature as JWS wants it. @see RFC 7518 §3
   */
  sign(name: string, alg: JwsAlgorithm, data: Uint8Array): Promise<Uint8Array>;
  /** Destroys a key pair that is gone. Where that is somebody else's task, there is no such operation. */
  destroy?(name: string): Promise<void>;
}

/**
 * A signer whose key is elsewhere. Each signature is verified before it is handed on: a token that nobody can verify must not
 * leave, and a service that signs with another key is found out here, not by the apps.
 *
 * @returns rejects with CredenceError `temporarily_unavailable`, reason `signer-unavailable` or `signature-wrong`.
 */
export function externalSigner(
  key: { readonly kid: string; readonly alg: JwsAlgorithm; readonly publicJwk: PublicJwk; readonly external: string },
  keys: ExternalKeys,
): Signer {
  const { kid, alg, publicJwk, external } = key;
  const verifier = nodeVerifier(publicJwk, alg);
  return {
    alg,
    kid,
    async sign(data) {
      const signature = await keys.sign(external, alg, data).catch((cause: unknown) => {
        throw unavailable(`${keys.name} does not sign with ${external}.`, "signer-unavailable", cause);
      });
      if (await verifier.verify(data, signature)) return signature;
      throw unavailable(`${keys.name} gave a wrong signature for ${external}; it was thrown away.`, "signature-wrong");
    },
  };
}

function unavailable(message: string, reason: string, cause?: unknown): CredenceError {
  return new CredenceError(message, { code: "temporarily_unavailable", reason, status: 503, cause });
}
