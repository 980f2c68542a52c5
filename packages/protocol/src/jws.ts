import { decodeBase64url, decodeBase64urlText, encodeBase64url, parseJsonObject } from "./encoding.ts";
import { isJwsAlgorithm, type JwsAlgorithm, type JwsHeader, type KeySource, type Signer } from "./signer.ts";

export {
  generateSigningKey,
  importSigner,
  importVerifier,
  type JwkSet,
  jwksKeys,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  thumbprint,
} from "./keys.ts";
export {
  isJwsAlgorithm,
  JWS_ALGORITHMS,
  type JwsAlgorithm,
  type JwsHeader,
  type KeySource,
  type Signer,
  type Verifier,
} from "./signer.ts";

/** A JWS in compact form, taken apart but not verified. */
export interface DecodedJws {
  readonly header: JwsHeader;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
}

/** Characters that a token may have at the most. */
export const MAX_TOKEN_LENGTH = 16_384;

const ascii = new TextEncoder();

/**
 * Signs claims as a JWT in compact form.
 *
 * @param typ - The header's `typ`: every kind of token has its own (RFC 8725 §3.11).
 * @param claims - The payload; members that are `undefined` are left out.
 * @see RFC 7515 §7.1
 */
export async function signJwt(typ: string, claims: object, signer: Signer): Promise<string> {
  const input = `${headerOf(typ, signer)}.${encodeBase64url(JSON.stringify(claims))}`;
  return `${input}.${encodeBase64url(await signer.sign(ascii.encode(input)))}`;
}

/** The headers of a key, by type: a server signs many tokens with few of them. */
const headers = new WeakMap<Signer, Map<string, string>>();

function headerOf(typ: string, signer: Signer): string {
  const own = headers.get(signer) ?? new Map<string, string>();
  headers.set(signer, own);
  const header = own.get(typ) ?? encodeBase64url(JSON.stringify({ alg: signer.alg, kid: signer.kid, typ }));
  own.set(typ, header);
  return header;
}

/**
 * The one audience of a JWT: `aud` is a string, or an array of exactly one. What is meant for several is meant for nobody.
 *
 * @returns the audience as it stands there, to be compared letter by letter; `undefined` for anything else.
 * @see RFC 7519 §4.1.3, ID-JAG draft §4.4.1
 */
export function singleAudience(aud: unknown): string | undefined {
  const one: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  return typeof one === "string" ? one : undefined;
}

/**
 * Takes a JWT in compact form apart, without verifying it.
 *
 * @param token - At most {@link MAX_TOKEN_LENGTH} characters.
 * @returns its parts, or `undefined` when it is not three parts of base64url with JSON objects in the first two.
 * @see RFC 7515 §5.2
 */
export function decodeJws(token: string): DecodedJws | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined;
  const parts = token.split(".");
  const [head, body, tail] = parts;
  if (parts.length !== 3 || !head || !body || !tail) return undefined;
  const header = known.get(head) ?? decodeHeader(head);
  const payload = decodePart(body);
  const signature = decodeBase64url(tail);
  if (!header || !payload || !signature) return undefined;
  return { header, payload, signingInput: ascii.encode(token.slice(0, token.lastIndexOf("."))), signature };
}

/** Headers by how they came, with nothing but texts in them: a server sees few of them, and each on many tokens. */
const known = new Map<string, JwsHeader>();
const MOST_KNOWN = 100;

function decodeHeader(part: string): JwsHeader | undefined {
  const header = decodePart(part);
  if (header === undefined || typeof header.alg !== "string") return undefined;
  if (header.kid !== undefined && typeof header.kid !== "string") return undefined;
  if (header.typ !== undefined && typeof header.typ !== "string") return undefined;
  // Checked just above, member by member.
  const checked = header as unknown as JwsHeader;
  if (Object.values(header).every((value) => typeof value === "string")) {
    if (known.size >= MOST_KNOWN) known.clear();
    // A copy: a piece of a token would keep the whole of it in memory.
    known.set(JSON.parse(JSON.stringify(part)), Object.freeze(checked));
  }
  return checked;
}

function decodePart(part: string): Record<string, unknown> | undefined {
  const text = decodeBase64urlText(part);
  return text === undefined ? undefined : parseJsonObject(text);
}

/**
 * Whether the header's `typ` is the expected one: case-insensitive, with or without `application/`.
 * @see RFC 7515 §4.1.9
 */
export function typIs(header: JwsHeader, expected: string): boolean {
  return header.typ?.toLowerCase().replace(/^application\//, "") === expected;
}

/** Why a signature does not count. */
export type SignatureFault = "algorithm" | "crit" | "key" | "signature";

/**
 * Checks algorithm, critical extensions, key and signature, in that order.
 *
 * @param algorithms - Those allowed for this issuer and kind of token.
 * @param keys - Where the issuer's keys come from; never a URL in the token.
 * @returns the fault, or `undefined` when the signature is good. Rejects when the keys can not be had.
 * @see RFC 7515 §5.2, RFC 8725 §3.1
 */
export async function checkSignature(
  jws: DecodedJws,
  algorithms: readonly JwsAlgorithm[],
  keys: KeySource,
): Promise<SignatureFault | undefined> {
  const { alg, crit } = jws.header;
  if (!isJwsAlgorithm(alg) || !algorithms.includes(alg)) return "algorithm";
  // RFC 7515 §4.1.11: we understand no extension, so whatever is critical is not understood.
  if (crit !== undefined) return "crit";
  const verifier = await keys(jws.header);
  if (verifier === undefined || verifier.alg !== alg) return "key";
  return (await verifier.verify(jws.signingInput, jws.signature)) ? undefined : "signature";
}
