/** The default keys: imported by jose, used by WebCrypto. On Node, `node/keys.ts` is the quicker one. */
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from "jose";
import { asObject } from "./encoding.ts";
import { CredenceError } from "./errors.ts";
import {
  isJwsAlgorithm,
  type JwsAlgorithm,
  type JwsHeader,
  type KeySource,
  type Signer,
  type Verifier,
} from "./signer.ts";

/** A public key as JWK. @see RFC 7517 §4 */
export interface PublicJwk {
  readonly kty: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly use?: string;
  readonly [member: string]: unknown;
}

/** A private key as JWK, with the `kid` that its public half is published under. */
export interface PrivateJwk extends PublicJwk {
  readonly kid: string;
  readonly alg: string;
}

/** A set of public keys. @see RFC 7517 §5 */
export interface JwkSet {
  readonly keys: readonly PublicJwk[];
}

// What WebCrypto calls our algorithms, and which key they need.
const ALGORITHMS = {
  ES256: { params: { name: "ECDSA", hash: "SHA-256" }, kty: "EC", crv: "P-256" },
  ES384: { params: { name: "ECDSA", hash: "SHA-384" }, kty: "EC", crv: "P-384" },
  RS256: { params: { name: "RSASSA-PKCS1-v1_5" }, kty: "RSA", crv: undefined },
  PS256: { params: { name: "RSA-PSS", saltLength: 32 }, kty: "RSA", crv: undefined },
  EdDSA: { params: { name: "Ed25519" }, kty: "OKP", crv: "Ed25519" },
} as const;

/** RFC 7518 §3.3: an RSA modulus has at least 2,048 bits, 256 bytes, 342 characters of base64url. */
export const MIN_RSA_MODULUS_BITS = 2_048;
const MIN_RSA_MODULUS_LENGTH = 342;

/**
 * Makes a signer of a private key.
 *
 * @param jwk - The private key with `alg` and `kid`.
 * @throws CredenceError `configuration` when the key does not fit its algorithm.
 */
export async function importSigner(jwk: PrivateJwk): Promise<Signer> {
  const { alg, kid } = jwk;
  if (!isJwsAlgorithm(alg) || !fits(jwk, alg)) {
    throw new CredenceError("The signing key does not fit its algorithm", { code: "configuration" });
  }
  const key = await importKey(jwk, alg);
  const { params } = ALGORITHMS[alg];
  return {
    alg,
    kid,
    sign: async (data) => new Uint8Array(await crypto.subtle.sign(params, key, asBuffer(data))),
  };
}

/**
 * Makes a verifier of a public key.
 *
 * @throws CredenceError `configuration` when the key does not fit the algorithm.
 */
export async function importVerifier(jwk: PublicJwk, alg: JwsAlgorithm): Promise<Verifier> {
  if (!fits(jwk, alg)) throw new CredenceError("The key does not fit its algorithm", { code: "configuration" });
  const key = await importKey(publicHalf(jwk), alg);
  const { params } = ALGORITHMS[alg];
  return {
    alg,
    // A key that is none (a point that is not on its curve) is found at the import by some runtimes, here by others.
    verify: (data, signature) =>
      crypto.subtle.verify(params, key, asBuffer(signature), asBuffer(data)).catch(() => false),
  };
}

/**
 * Makes a new key pair.
 *
 * @returns both halves as JWK with `alg`, `use` and, as `kid`, the RFC 7638 thumbprint.
 */
export async function generateSigningKey(
  alg: JwsAlgorithm,
): Promise<{ readonly privateJwk: PrivateJwk; readonly publicJwk: PublicJwk }> {
  const pair = await generateKeyPair(alg === "EdDSA" ? "Ed25519" : alg, { extractable: true });
  const bare = await exportJWK(pair.privateKey);
  const kid = await calculateJwkThumbprint(bare);
  const privateJwk = { ...bare, kty: String(bare.kty), kid, alg, use: "sig" };
  return { privateJwk, publicJwk: publicHalf(privateJwk) };
}

/** The RFC 7638 thumbprint of a key, SHA-256, base64url (43 characters). */
export function thumbprint(jwk: PublicJwk): Promise<string> {
  return calculateJwkThumbprint(publicHalf(jwk));
}

/**
 * Finds keys in a set: by `kid` when the header names one, else the only one that fits the algorithm.
 * Each key is imported once.
 *
 * @param verifierOf - Imports a key for an algorithm that it may serve; rejects for one that is no key.
 */
export function jwksKeys(
  jwks: JwkSet,
  verifierOf: (jwk: PublicJwk, alg: JwsAlgorithm) => Promise<Verifier> = importVerifier,
): KeySource {
  const imported = new Map<PublicJwk, Promise<Verifier>>();
  return async (header) => {
    const jwk = selectKey(jwks, header);
    if (jwk === undefined || !isJwsAlgorithm(header.alg)) return undefined;
    let verifier = imported.get(jwk);
    if (verifier === undefined) {
      verifier = verifierOf(jwk, header.alg);
      imported.set(jwk, verifier);
    }
    const found = await verifier.catch(() => undefined);
    // An RSA key without `alg` may serve RS256 and PS256: the first use must not decide for the second.
    return found === undefined || found.alg === header.alg ? found : verifierOf(jwk, header.alg);
  };
}

function selectKey(jwks: JwkSet, { alg, kid }: JwsHeader): PublicJwk | undefined {
  if (!isJwsAlgorithm(alg)) return undefined;
  const fitting = jwks.keys.filter((jwk) => fits(jwk, alg) && (kid === undefined || jwk.kid === kid));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/**
 * Parses a JWK set, keeping the keys that could verify a signature and dropping all private members.
 *
 * @param value - Parsed JSON; at most 100 keys are read.
 * @returns the set, or `undefined` when it is not one.
 * @see RFC 7517 §5
 */
export function parseJwks(value: unknown): JwkSet | undefined {
  const keys = asObject(value)?.keys;
  if (!Array.isArray(keys) || keys.length > 100) return undefined;
  const known = keys.flatMap((item) => {
    const jwk = asObject(item);
    return jwk && typeof jwk.kty === "string" ? [publicHalf(jwk as unknown as PublicJwk)] : [];
  });
  return { keys: known };
}

const PUBLIC_MEMBERS = ["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e"];

/** A key without what is private of it, and without what we do not read. */
export function publicHalf(jwk: PublicJwk): PublicJwk {
  const members = PUBLIC_MEMBERS.filter((name) => jwk[name] !== undefined).map((name) => [name, jwk[name]] as const);
  return { kty: jwk.kty, ...Object.fromEntries(members) };
}

/** Whether a key may serve an algorithm, by what it says of itself. */
export function fits(jwk: PublicJwk, alg: JwsAlgorithm): boolean {
  const { kty, crv } = ALGORITHMS[alg];
  const modulus = jwk.n;
  return (
    jwk.kty === kty &&
    jwk.crv === crv &&
    (jwk.alg === undefined || jwk.alg === alg || (alg === "EdDSA" && jwk.alg === "Ed25519")) &&
    (jwk.use === undefined || jwk.use === "sig") &&
    (kty !== "RSA" || (typeof modulus === "string" && modulus.length >= MIN_RSA_MODULUS_LENGTH))
  );
}

async function importKey(jwk: PublicJwk, alg: JwsAlgorithm): Promise<CryptoKey> {
  const { key_ops: _, ...members } = jwk;
  const key = await importJWK({ ...members, alg: alg === "EdDSA" ? "Ed25519" : alg }, alg);
  if (key instanceof Uint8Array) throw new CredenceError("A symmetric key is not accepted", { code: "configuration" });
  // Zeros before a modulus make it longer as a text alone.
  const { algorithm } = key;
  if ("modulusLength" in algorithm && Number(algorithm.modulusLength) < MIN_RSA_MODULUS_BITS)
    throw new CredenceError("An RSA key is too short", { code: "configuration" });
  return key;
}

/** WebCrypto's types want a plain ArrayBuffer beneath the bytes; ours always have one. */
function asBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
