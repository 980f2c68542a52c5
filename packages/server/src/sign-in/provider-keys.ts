import { createPublicKey, type KeyObject } from "node:crypto";
import type { PublicJwk, Signer } from "@credence/protocol/jws";
import { ExternalSigningKey, errors } from "oidc-provider";
import type { SigningKeys } from "../keys/signing-keys.ts";

/**
 * Our keys as oidc-provider takes them: it never has a private half, wherever that is kept. Those that sign come first, for it
 * signs with the first that fits; the others verify, and stand in the JWKS.
 */
export function providerKeys({ signers, publicJwks }: SigningKeys): ProviderKey[] {
  return publicJwks.map(
    (jwk) =>
      new ProviderKey(
        jwk,
        signers.find(({ kid }) => kid === jwk.kid),
      ),
  );
}

/** A class, because oidc-provider tells these from JWKs by what they inherit from. */
class ProviderKey extends ExternalSigningKey {
  readonly #jwk: PublicJwk;
  readonly #signer: Signer | undefined;
  readonly #publicKey: KeyObject;

  constructor(jwk: PublicJwk, signer: Signer | undefined) {
    super();
    this.#jwk = jwk;
    this.#signer = signer;
    this.#publicKey = createPublicKey({ key: { ...jwk }, format: "jwk" });
  }

  override get kid(): string | undefined {
    return this.#jwk.kid;
  }

  override get alg(): string | undefined {
    return this.#jwk.alg;
  }

  override keyObject(): KeyObject {
    return this.#publicKey;
  }

  override async sign(data: Uint8Array): Promise<Uint8Array> {
    try {
      if (this.#signer) return await this.#signer.sign(data);
    } catch (cause) {
      throw new SignerUnavailable(cause);
    }
    throw new SignerUnavailable(new TypeError(`the key ${this.kid} does not sign`));
  }
}

/** No token leaves, and the client may come again: 503, as at the exchange. */
class SignerUnavailable extends errors.OIDCProviderError {
  constructor(cause: unknown) {
    super(503, "temporarily_unavailable", { cause });
    this.expose = true;
    this.error_description = "the server can not sign at the moment";
    // For the record; the client hears the description.
    this.error_detail = cause instanceof Error ? cause.message : "signer-unavailable";
  }
}
