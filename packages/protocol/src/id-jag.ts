import { type AuthorizationDetail, readAuthorizationDetails } from "./authorization-details.ts";
import { type Confirmation, parseConfirmation } from "./confirmation.ts";
import { asObject, asStrings } from "./encoding.ts";
import {
  checkSignature,
  type DecodedJws,
  decodeJws,
  type JwsAlgorithm,
  type KeySource,
  type Signer,
  signJwt,
  singleAudience,
  typIs,
} from "./jws.ts";
import { ok, type Result, refuse } from "./result.ts";

/** `typ` of the JWT header. @see ID-JAG draft §3.1 */
export const ID_JAG_TYP = "oauth-id-jag+jwt";

/** Token type of an ID-JAG, requested and issued. @see ID-JAG draft §4.3 */
export const ID_JAG_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:id-jag";

/** The grant profile in a resource authorization server's metadata. @see ID-JAG draft §7.2 */
export const ID_JAG_GRANT_PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag";

/** The claims of an ID-JAG. @see ID-JAG draft §3.1 */
export interface IdJagClaims {
  /** Issuer of the IdP. */
  readonly iss: string;
  /** The person, as the resource authorization server would see them from this IdP in SSO. */
  readonly sub: string;
  /** Issuer of the resource authorization server: exactly one. */
  readonly aud: string;
  /** The client's id **at the resource authorization server**. */
  readonly client_id: string;
  readonly jti: string;
  /** Seconds since the epoch. */
  readonly exp: number;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** Seconds since the epoch. */
  readonly nbf?: number;
  readonly resource?: string | readonly string[];
  readonly scope?: string;
  readonly authorization_details?: readonly AuthorizationDetail[];
  readonly act?: Readonly<Record<string, unknown>>;
  readonly tenant?: string;
  readonly aud_tenant?: string;
  readonly aud_sub?: string;
  /** Seconds since the epoch. */
  readonly auth_time?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly email?: string;
  readonly sub_id?: Readonly<Record<string, unknown>>;
  readonly cnf?: Confirmation;
}

/**
 * Signs an ID-JAG.
 *
 * @returns the JWT in compact form.
 * @see ID-JAG draft §4.3.4.1
 */
export function signIdJag(claims: IdJagClaims, signer: Signer): Promise<string> {
  return signJwt(ID_JAG_TYP, claims, signer);
}

/** An ID-JAG taken apart: its form is right, its signature not checked. */
export interface DecodedIdJag {
  readonly jws: DecodedJws;
  readonly claims: IdJagClaims;
}

/**
 * Takes an ID-JAG apart: header and form of the claims, no signature. Use it to choose the issuer, then
 * {@link verifyIdJag}.
 *
 * @param token - At most 16,384 characters.
 * @returns the parts; refused: `id-jag-malformed`, `id-jag-typ`, `id-jag-claim`.
 * @see ID-JAG draft §3.1, §4.4.1
 */
export function decodeIdJag(token: string): Result<DecodedIdJag> {
  const jws = decodeJws(token);
  if (jws === undefined) return refuse("id-jag-malformed");
  if (!typIs(jws.header, ID_JAG_TYP)) return refuse("id-jag-typ");
  const claims = parseClaims(jws.payload);
  return claims.ok ? ok({ jws, claims: claims.value }) : claims;
}

/** What a receiver expects of an ID-JAG. */
export interface IdJagExpectations {
  /** The trusted issuer: exact. */
  readonly issuer: string;
  /** Our own issuer: exact. */
  readonly audience: string;
  /** The client that authenticated with this request. */
  readonly clientId: string;
  /** Algorithms allowed for this issuer. */
  readonly algorithms: readonly JwsAlgorithm[];
  /** Allowed difference of clocks, in seconds. */
  readonly skew: number;
  /** Longest lifetime (`exp` - `iat`) that is accepted, in seconds. */
  readonly maxLifetime: number;
}

/**
 * Verifies an ID-JAG: signature first, then issuer, audience, client and times. Binding (`cnf`), replay and liveness are
 * the caller's next steps.
 *
 * @param now - Seconds since the epoch.
 * @returns the claims; refused with an `id-jag-…` reason, or `issuer-keys-unavailable`.
 * @see ID-JAG draft §4.4.1, RFC 7523 §3
 */
export async function verifyIdJag(
  decoded: DecodedIdJag,
  expected: IdJagExpectations,
  keys: KeySource,
  now: number,
): Promise<Result<IdJagClaims>> {
  const signature = await checkIdJagSignature(decoded, expected, keys);
  return signature.ok ? checkIdJagClaims(decoded.claims, expected, now) : signature;
}

async function checkIdJagSignature(
  decoded: DecodedIdJag,
  expected: IdJagExpectations,
  keys: KeySource,
): Promise<Result<true>> {
  try {
    const fault = await checkSignature(decoded.jws, expected.algorithms, keys);
    return fault ? refuse(`id-jag-${fault}`) : ok(true);
  } catch (cause) {
    return refuse("issuer-keys-unavailable", cause instanceof Error ? cause.message : undefined);
  }
}

/**
 * Checks the claims of an ID-JAG whose signature is good.
 *
 * @param now - Seconds since the epoch.
 * @see ID-JAG draft §4.4.1
 */
export function checkIdJagClaims(claims: IdJagClaims, expected: IdJagExpectations, now: number): Result<IdJagClaims> {
  if (claims.iss !== expected.issuer) return refuse("id-jag-issuer");
  if (claims.aud !== expected.audience) return refuse("id-jag-audience");
  if (claims.client_id !== expected.clientId) return refuse("id-jag-client");
  if (claims.exp <= now - expected.skew) return refuse("id-jag-expired", "exp: it is old, or the clocks differ");
  if (claims.iat > now + expected.skew) return refuse("id-jag-not-yet-valid", "iat: the clocks differ");
  if (claims.nbf !== undefined && claims.nbf > now + expected.skew)
    return refuse("id-jag-not-yet-valid", "nbf: the clocks differ");
  if (claims.exp - claims.iat > expected.maxLifetime) return refuse("id-jag-lifetime");
  return ok(claims);
}

const STRINGS = ["iss", "sub", "client_id", "jti"] as const;
const OPTIONAL_STRINGS = ["scope", "tenant", "aud_tenant", "aud_sub", "acr", "email"] as const;
const OPTIONAL_OBJECTS = ["act", "sub_id"] as const;
const MAX_STRING = 2_048;

function parseClaims(payload: Readonly<Record<string, unknown>>): Result<IdJagClaims> {
  for (const name of STRINGS) if (!isText(payload[name])) return refuse("id-jag-claim", name);
  for (const name of OPTIONAL_STRINGS)
    if (present(payload[name]) && !isText(payload[name])) return refuse("id-jag-claim", name);
  for (const name of ["exp", "iat"]) if (!isTime(payload[name])) return refuse("id-jag-claim", name);
  for (const name of ["nbf", "auth_time"])
    if (present(payload[name]) && !isTime(payload[name])) return refuse("id-jag-claim", name);
  for (const name of OPTIONAL_OBJECTS)
    if (present(payload[name]) && !asObject(payload[name])) return refuse("id-jag-claim", name);
  // RFC 7800 §3.1: a confirmation that is not understood is not proven.
  if (present(payload.cnf) && !parseConfirmation(payload.cnf)) return refuse("id-jag-claim", "cnf");
  const { amr, resource, authorization_details: details } = payload;
  if (present(amr) && !asStrings(amr)) return refuse("id-jag-claim", "amr");
  if (present(resource) && !isText(resource) && !asStrings(resource)?.length) return refuse("id-jag-claim", "resource");
  if (present(details) && !readAuthorizationDetails(details).ok) return refuse("id-jag-claim", "authorization_details");
  const aud = singleAudience(payload.aud);
  if (!isText(aud)) return refuse("id-jag-audience", "not exactly one");
  // Every member was checked above; unknown members are carried along, unread.
  return ok({ ...payload, aud } as unknown as IdJagClaims);
}

function present(value: unknown): boolean {
  return value !== undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_STRING;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
