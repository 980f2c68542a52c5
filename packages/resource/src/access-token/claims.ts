import { asObject } from "@credence/protocol";
import { type AuthorizationDetail, readAuthorizationDetails } from "@credence/protocol/authorization-details";
import { type Confirmation, parseConfirmation } from "@credence/protocol/dpop";
import type { IdJagClaims } from "@credence/protocol/id-jag";

/**
 * What an access token goes back to: the ID-JAG that it was issued for. Every token made from one ID-JAG carries it, so
 * that a revocation ("nothing rooted before T counts") reaches what is already out.
 */
export interface Root {
  /** Issuer of the ID-JAG. */
  readonly iss: string;
  readonly tenant?: string;
  /** Id of the ID-JAG. */
  readonly jti: string;
  /** When the ID-JAG was issued, seconds since the epoch. */
  readonly iat: number;
  /** The person, as the issuer names them. */
  readonly sub: string;
  /** When the person authenticated, seconds since the epoch. */
  readonly auth_time?: number;
}

/** The claims of an access token. `customer` and `root` are ours; the others are RFC 9068's. */
export interface AccessTokenClaims {
  readonly iss: string;
  /** The resource: exactly one. */
  readonly aud: string;
  /** Id of the local account. */
  readonly sub: string;
  readonly client_id: string;
  readonly jti: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** Seconds since the epoch. */
  readonly exp: number;
  /** Scope tokens divided by one space; absent where the resource has none. */
  readonly scope?: string;
  /** Id of the customer whose IdP vouched. */
  readonly customer: string;
  readonly root: Root;
  /** What the token is bound to; absent for a bearer token. @see RFC 7800 §3.1 */
  readonly cnf?: Confirmation;
  /** @see RFC 9396 §9.1 */
  readonly authorization_details?: readonly AuthorizationDetail[];
  /** How the person authenticated at their IdP. @see RFC 9470 §6.1 */
  readonly acr?: string;
  /** When the person authenticated at their IdP, seconds since the epoch. @see RFC 9470 §6.1 */
  readonly auth_time?: number;
  /** Who acts, where the IdP said so: for the record, never who the token is for. @see RFC 8693 §4.1 */
  readonly act?: Readonly<Record<string, unknown>>;
}

/** The root of the grant that an ID-JAG makes. */
export function rootOf(claims: IdJagClaims): Root {
  const { iss, tenant, jti, iat, sub, auth_time } = claims;
  return {
    iss,
    ...(tenant === undefined ? {} : { tenant }),
    jti,
    iat,
    sub,
    ...(auth_time === undefined ? {} : { auth_time }),
  };
}

/** The scopes of an access token. */
export function scopesOf(claims: AccessTokenClaims): readonly string[] {
  return claims.scope === undefined ? [] : claims.scope.split(" ").filter((token) => token !== "");
}

/** The payload as claims of an access token, or the name of the first claim that is missing or has the wrong form. */
export function parseAccessTokenClaims(payload: Readonly<Record<string, unknown>>): AccessTokenClaims | string {
  for (const name of ["iss", "aud", "sub", "client_id", "jti", "customer"]) if (!isText(payload[name])) return name;
  for (const name of ["iat", "exp"]) if (!isTime(payload[name])) return name;
  if (payload.scope !== undefined && typeof payload.scope !== "string") return "scope";
  const root = asObject(payload.root);
  if (!root || !["iss", "jti", "sub"].every((name) => isText(root[name])) || !isTime(root.iat)) return "root";
  if (root.tenant !== undefined && !isText(root.tenant)) return "root";
  if (root.auth_time !== undefined && !isTime(root.auth_time)) return "root";
  if (payload.cnf !== undefined && !parseConfirmation(payload.cnf)) return "cnf";
  const { authorization_details: details, acr, auth_time: authTime, act } = payload;
  if (details !== undefined && !readAuthorizationDetails(details).ok) return "authorization_details";
  if (acr !== undefined && !isText(acr)) return "acr";
  if (authTime !== undefined && !isTime(authTime)) return "auth_time";
  if (act !== undefined && !asObject(act)) return "act";
  // Every member that the type names was checked above.
  return payload as unknown as AccessTokenClaims;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
