import type { DpopNonces } from "./dpop-nonces.ts";
import { encodeBase64url, randomId } from "./encoding.ts";
import {
  checkSignature,
  decodeJws,
  generateSigningKey,
  importSigner,
  importVerifier,
  isJwsAlgorithm,
  JWS_ALGORITHMS,
  type JwsAlgorithm,
  type PrivateJwk,
  type PublicJwk,
  type Signer,
  thumbprint,
} from "./jws.ts";
import { ok, type Result, refuse } from "./result.ts";

export { type Confirmation, parseConfirmation, sameConfirmation } from "./confirmation.ts";
export { type DpopNonces, dpopNonces } from "./dpop-nonces.ts";

/** `typ` of a DPoP proof. @see RFC 9449 §4.2 */
export const DPOP_TYP = "dpop+jwt";

/** Seconds: how far a proof's `iat` may lie behind and ahead of our clock. @see RFC 9449 §11.1 */
export const DPOP_LIMITS = { maxAge: 60, skew: 30 } as const;

/** Seconds for which a nonce is accepted at the most, by whoever does not say: oidc-provider's are, the longest of those we know. */
const NONCE_LIFETIME = 300;

/** Characters of a proof at the most; its `jti` at the most. */
const MAX_PROOF = 8_192;
const MAX_JTI = 256;

/** A key to prove possession of. */
export interface DpopKey {
  readonly signer: Signer;
  readonly publicJwk: PublicJwk;
  /** The key's RFC 7638 thumbprint: what tokens are bound to. */
  readonly jkt: string;
}

/** Makes a new key; ES256 by default. */
export async function generateDpopKey(alg: JwsAlgorithm = "ES256"): Promise<DpopKey> {
  return importDpopKey((await generateSigningKey(alg)).privateJwk);
}

/**
 * Makes a DPoP key of a private JWK, to keep one key over restarts.
 * @throws CredenceError `configuration` when the key does not fit its algorithm.
 */
export async function importDpopKey(privateJwk: PrivateJwk): Promise<DpopKey> {
  const members = ["kty", "crv", "x", "y", "n", "e"].filter((name) => privateJwk[name] !== undefined);
  const publicJwk = { kty: privateJwk.kty, ...Object.fromEntries(members.map((name) => [name, privateJwk[name]])) };
  return { signer: await importSigner(privateJwk), publicJwk, jkt: await thumbprint(publicJwk) };
}

/** What one proof proves. */
export interface DpopProofParameters {
  /** HTTP method, upper case. */
  readonly method: string;
  /** The URL that is called; query and fragment are left out. */
  readonly url: string;
  /** The nonce that the server gave last. */
  readonly nonce?: string | undefined;
  /** The access token that goes with the call to a resource. */
  readonly accessToken?: string | undefined;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * Makes a DPoP proof: one for each request.
 *
 * @returns the value of the `DPoP` header.
 * @see RFC 9449 §4.2
 */
export async function createDpopProof(key: DpopKey, parameters: DpopProofParameters): Promise<string> {
  const { method, url, nonce, accessToken, now } = parameters;
  const claims = {
    jti: randomId(),
    htm: method,
    htu: withoutQuery(url),
    iat: Math.floor(now),
    ...(nonce === undefined ? {} : { nonce }),
    ...(accessToken === undefined ? {} : { ath: await accessTokenHash(accessToken) }),
  };
  const header = { alg: key.signer.alg, typ: DPOP_TYP, jwk: key.publicJwk };
  const input = `${encodeBase64url(JSON.stringify(header))}.${encodeBase64url(JSON.stringify(claims))}`;
  return `${input}.${encodeBase64url(await key.signer.sign(new TextEncoder().encode(input)))}`;
}

/** What a proof is checked against. */
export interface DpopExpectations {
  readonly method: string;
  /** The external URL of what was called, as clients know it: configured, never taken from a `Host` header. */
  readonly url: string;
  /** Seconds since the epoch. */
  readonly now: number;
  /** The access token that came with it: at a resource. */
  readonly accessToken?: string | undefined;
  /** By default {@link JWS_ALGORITHMS}. */
  readonly algorithms?: readonly JwsAlgorithm[];
  /** With them, a proof without one that they accept is refused as `dpop-nonce-wanted`. @see RFC 9449 §8 */
  readonly nonces?: Pick<DpopNonces, "accepts" | "lifetime"> | undefined;
}

/** Marks a proof as used: one atomic statement, for all processes. `expiresAt` in seconds since the epoch. */
export type MarkProof = (key: string, expiresAt: number) => Promise<"first" | "again">;

/** A proof that is good in itself; whether it was used before, {@link useDpopProof} finds out. */
export interface VerifiedDpopProof {
  /** Thumbprint of the key that it proves: what a token is to be bound to. */
  readonly jkt: string;
  /** What the mark of its use is kept under, and until when: arguments of {@link MarkProof}. */
  readonly mark: readonly [key: string, expiresAt: number];
}

/**
 * Checks a DPoP proof by all that can be seen of it. Whoever accepts it marks it as used afterwards.
 *
 * @param proof - The `DPoP` header; at most 8,192 characters.
 * @returns what it proves; refused with a `dpop-…` reason.
 * @see RFC 9449 §4.3
 */
export async function verifyDpopProof(proof: string, expected: DpopExpectations): Promise<Result<VerifiedDpopProof>> {
  // Two headers come joined by a comma, which a JWT does not have.
  const jws = proof.length <= MAX_PROOF ? decodeJws(proof) : undefined;
  if (jws === undefined) return refuse("dpop-malformed");
  const { header, payload } = jws;
  if (header.typ?.toLowerCase() !== DPOP_TYP) return refuse("dpop-malformed", "typ");
  const jwk = publicKeyOf((header as { jwk?: unknown }).jwk);
  if (jwk === undefined || !isJwsAlgorithm(header.alg)) return refuse("dpop-malformed", "jwk or alg");
  const { alg } = header;
  const verifier = await importVerifier(jwk, alg).catch(() => undefined);
  if (verifier === undefined) return refuse("dpop-malformed", "jwk");
  const fault = await checkSignature(jws, expected.algorithms ?? JWS_ALGORITHMS, async () => verifier);
  if (fault !== undefined) return refuse("dpop-signature", fault);

  const { jti, htm, htu, iat, ath, nonce } = payload;
  if (typeof jti !== "string" || jti === "" || jti.length > MAX_JTI) return refuse("dpop-malformed", "jti");
  if (htm !== expected.method) return refuse("dpop-method");
  if (typeof htu !== "string" || !sameUrl(htu, expected.url)) return refuse("dpop-url");
  if (typeof iat !== "number" || !Number.isFinite(iat)) return refuse("dpop-malformed", "iat");
  const { nonces, now } = expected;
  const nonceGood = typeof nonce === "string" && nonce.length <= MAX_JTI && (await nonces?.accepts(nonce, now));
  if (nonces && !nonceGood) return refuse("dpop-nonce-wanted");
  if (iat > now + DPOP_LIMITS.skew) return refuse("dpop-time", "the client's clock is ahead");
  // RFC 9449 §11.1: a good nonce says when the proof was made; without one, only iat does.
  if (!nonceGood && iat < now - DPOP_LIMITS.maxAge) return refuse("dpop-time", "too old, or the clock behind");
  if (expected.accessToken !== undefined && ath !== (await accessTokenHash(expected.accessToken))) {
    return refuse("dpop-token");
  }

  const jkt = await thumbprint(jwk);
  // As long as the proof would be good again: with a nonce, whatever its iat says, while the nonce is.
  const good = Math.max(DPOP_LIMITS.maxAge + DPOP_LIMITS.skew, nonceGood ? (nonces?.lifetime ?? NONCE_LIFETIME) : 0);
  const until = Math.max(iat, now) + good;
  // Under key and `jti`, so that nobody burns another's ids.
  const mark = await sha256(`${jkt} ${jti} ${withoutQuery(expected.url)}`);
  return ok({ jkt, mark: [`dpop:${mark}`, Math.ceil(until)] });
}

/**
 * Marks a proof as used: the first of any number of uses counts. Comes after whoever sends it has authenticated, because
 * anybody can make keys and proofs, and strangers must not fill the store.
 *
 * @returns what a token is to be bound to; refused: `dpop-replayed`. Rejects when `markUsed` does.
 * @see RFC 9449 §11.1
 */
export async function useDpopProof(
  { jkt, mark }: VerifiedDpopProof,
  markUsed: MarkProof,
): Promise<Result<{ readonly jkt: string }>> {
  return (await markUsed(...mark)) === "first" ? ok({ jkt }) : refuse("dpop-replayed");
}

/**
 * {@link verifyDpopProof} and {@link useDpopProof} at once, where nothing else is to be checked in between.
 *
 * @returns what a token is to be bound to; refused with a `dpop-…` reason. Rejects when `markUsed` does.
 * @see RFC 9449 §4.3
 */
export async function checkDpopProof(
  proof: string,
  { markUsed, ...expected }: DpopExpectations & { readonly markUsed: MarkProof },
): Promise<Result<{ readonly jkt: string }>> {
  const verified = await verifyDpopProof(proof, expected);
  return verified.ok ? useDpopProof(verified.value, markUsed) : verified;
}

/** The hash of an access token that a proof names: 43 characters of base64url. @see RFC 9449 §4.2 (`ath`) */
export function accessTokenHash(accessToken: string): Promise<string> {
  return sha256(accessToken);
}

/** RFC 9449 §4.3 steps 4 and 7: a public key, asymmetric, without any private member. */
function publicKeyOf(jwk: unknown): PublicJwk | undefined {
  if (typeof jwk !== "object" || jwk === null || !("kty" in jwk) || typeof jwk.kty !== "string") return undefined;
  if (["d", "p", "q", "dp", "dq", "qi", "oth", "k"].some((member) => Object.hasOwn(jwk, member))) return undefined;
  const { kty, ...members } = jwk;
  return { ...members, kty };
}

/** RFC 9449 §4.3 step 9: without query and fragment, after syntax- and scheme-based normalization (RFC 3986 §6.2). */
function sameUrl(a: string, b: string): boolean {
  if (a.length > 2_048 || !URL.canParse(a)) return false;
  const { username, password } = new URL(a);
  // Credentials are no part of where a request goes, and a part of the URI that is compared.
  return username === "" && password === "" && withoutQuery(a) === withoutQuery(b);
}

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

async function sha256(text: string): Promise<string> {
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}
