import { createHash, createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";

/** Algorithms that we sign with. */
export type SigningAlgorithm = "ES256" | "RS256";

/** A key as JWK (RFC 7517), with its `kid`, `alg` and `use`. */
export type Jwk = Readonly<JsonWebKey> & { readonly kid: string };

const generate = promisify(generateKeyPair);

/** A new private key as JWK; RSA with 2,048 bits. */
export async function generatePrivateJwk(alg: SigningAlgorithm): Promise<Jwk> {
  const { privateKey } =
    alg === "ES256"
      ? await generate("ec", { namedCurve: "P-256" })
      : await generate("rsa", { modulusLength: 2_048, publicExponent: 0x10001 });
  const jwk: JsonWebKey = privateKey.export({ format: "jwk" });
  return { ...jwk, kid: thumbprint(jwk), alg, use: "sig" };
}

/** The public half, computed from the private key and never copied from what is stored beside it. */
export function publicHalf(privateJwk: Jwk): Jwk {
  const { kid, alg, use, ...key } = privateJwk;
  const jwk: JsonWebKey = createPublicKey({ key, format: "jwk" }).export({ format: "jwk" });
  return { ...jwk, kid, ...(alg === undefined ? {} : { alg }), ...(use === undefined ? {} : { use }) };
}

/**
 * The thumbprint of a key, base64url SHA-256 over its required members in lexicographic order.
 * @see RFC 7638 §3
 */
export function thumbprint(jwk: JsonWebKey): string {
  const { crv, e, kty, n, x, y } = jwk;
  const required = kty === "EC" ? { crv, kty, x, y } : { e, kty, n };
  return createHash("sha256").update(JSON.stringify(required)).digest("base64url");
}
