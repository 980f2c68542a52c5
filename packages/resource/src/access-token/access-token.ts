import { ok, type Result, refuse } from "@credence/protocol";
import {
  checkSignature,
  decodeJws,
  type JwsAlgorithm,
  type KeySource,
  type Signer,
  signJwt,
  typIs,
} from "@credence/protocol/jws";
import { type AccessTokenClaims, parseAccessTokenClaims, scopesOf } from "./claims.ts";

/** `typ` of the JWT header. @see RFC 9068 §2.1 */
export const ACCESS_TOKEN_TYP = "at+jwt";

/**
 * Signs an access token.
 *
 * @returns the JWT in compact form.
 * @see RFC 9068 §2
 */
export function signAccessToken(claims: AccessTokenClaims, signer: Signer): Promise<string> {
  return signJwt(ACCESS_TOKEN_TYP, claims, signer);
}

/** What a resource expects of an access token. */
export interface AccessTokenExpectations {
  /** Issuer of the authorization server: exact. */
  readonly issuer: string;
  /** The resource's identifier: exact. */
  readonly resource: string;
  /** The authorization server's keys. */
  readonly keys: KeySource;
  readonly algorithms: readonly JwsAlgorithm[];
  /** Scopes that the call needs: all of them. */
  readonly scopes?: readonly string[];
}

/**
 * Checks an access token that {@link signAccessToken} made.
 *
 * @param token - At most 16,384 characters.
 * @param now - Seconds since the epoch; there is no leeway after `exp`.
 * @returns the claims; refused: `access-token-…` or `scope-insufficient`. Rejects when the keys can not be had.
 * @see RFC 9068 §4
 */
export async function checkAccessToken(
  token: string,
  expected: AccessTokenExpectations,
  now: number,
): Promise<Result<AccessTokenClaims>> {
  const verified = await verifyAccessToken(token, expected);
  return verified.ok ? checkAccessTokenClaims(verified.value, expected, now) : verified;
}

/**
 * Verifies who made an access token: form, type, issuer, signature. What it is good for, and until when, is the next check's.
 *
 * @returns the claims; refused: `access-token-malformed`, `access-token-typ`, `access-token-issuer`,
 * `access-token-signature`. Rejects when the keys can not be had.
 */
export async function verifyAccessToken(
  token: string,
  expected: Pick<AccessTokenExpectations, "issuer" | "keys" | "algorithms">,
): Promise<Result<AccessTokenClaims>> {
  const jws = decodeJws(token);
  if (jws === undefined) return refuse("access-token-malformed");
  if (!typIs(jws.header, ACCESS_TOKEN_TYP)) return refuse("access-token-typ");
  // Before the signature, only so that the record says "somebody else's token" and not "bad signature".
  if (jws.payload.iss !== expected.issuer) return refuse("access-token-issuer");
  const fault = await checkSignature(jws, expected.algorithms, expected.keys);
  if (fault) return refuse("access-token-signature", fault);
  const claims = parseAccessTokenClaims(jws.payload);
  return typeof claims === "string" ? refuse("access-token-malformed", claims) : ok(claims);
}

/**
 * Checks the claims of an access token, whatever its format: issuer, resource, expiry, scopes.
 *
 * @param now - Seconds since the epoch; there is no leeway after `exp`.
 * @returns the claims; refused: `access-token-issuer`, `access-token-audience`, `access-token-expired`,
 * `scope-insufficient`.
 * @see RFC 9068 §4
 */
export function checkAccessTokenClaims(
  claims: AccessTokenClaims,
  expected: Pick<AccessTokenExpectations, "issuer" | "resource" | "scopes">,
  now: number,
): Result<AccessTokenClaims> {
  if (claims.iss !== expected.issuer) return refuse("access-token-issuer");
  if (claims.aud !== expected.resource) return refuse("access-token-audience");
  if (claims.exp <= now) return refuse("access-token-expired");
  const held = scopesOf(claims);
  const lacking = (expected.scopes ?? []).filter((scope) => !held.includes(scope));
  return lacking.length === 0 ? ok(claims) : refuse("scope-insufficient", lacking.join(" "));
}
