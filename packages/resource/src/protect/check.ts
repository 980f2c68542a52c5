import { ok, type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import { JWS_ALGORITHMS, type JwkSet } from "@credence/protocol/jws";
import { checkAccessTokenClaims } from "../access-token/access-token.ts";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { rememberingVerifier } from "../access-token/verified.ts";
import { type ResourceCrypto, webCrypto } from "../crypto.ts";
import { faultOf } from "../fault.ts";
import type { AccessTokenOptions, LivenessInput } from "../options.ts";
import type { Recorder } from "../record.ts";
import { checkPossession, type PossessionPorts, type PresentedToken } from "./possession.ts";

/** The outcome of a check: the claims, or why not, and under which id the reason is on record. */
export type CheckedToken =
  | { readonly ok: true; readonly value: AccessTokenClaims }
  | { readonly ok: false; readonly refusal: Refusal; readonly decisionId: string };

/** What checks of access tokens need from their surroundings. */
export interface CheckPorts extends PossessionPorts {
  readonly issuer: string;
  /** The authorization server's public keys. */
  readonly jwks: JwkSet;
  /** By WebCrypto where it is left out. */
  readonly crypto?: ResourceCrypto;
  /** The app's own format, if it has one. */
  readonly ownFormat: AccessTokenOptions["check"];
  isAlive(grant: LivenessInput): Promise<boolean>;
  readonly record: Recorder;
  /** Seconds since the epoch. */
  now(): number;
}

/** What a call needs of its access token. */
export interface Needs {
  readonly resource: string;
  /** All of them. */
  readonly scopes: readonly string[];
  /** Whether the resource takes bound tokens only; `false` by default. */
  readonly requireBound?: boolean;
  /** Seconds that the person's sign-in may be old at the most. @see RFC 9470 §3 */
  readonly maxAge?: number | undefined;
  /** Ways to sign in, any of which is enough. @see RFC 9470 §3 */
  readonly acrValues?: readonly string[] | undefined;
}

/** Checks a presented token for what a call needs. */
export type TokenChecker = (presented: PresentedToken, needs: Needs) => Promise<CheckedToken>;

/**
 * Makes a reader of access tokens, for the endpoints that tell or end them: whatever resource they are for, and whoever
 * presents them.
 *
 * @returns the claims of a token that counts; `undefined` for any other. Rejects when a port does.
 */
export function tokenReader(
  ports: Pick<CheckPorts, "issuer" | "jwks" | "crypto" | "ownFormat" | "isAlive" | "now">,
): (token: string) => Promise<AccessTokenClaims | undefined> {
  const read = readerOf(ports);
  return async (token) => {
    const claims = await read(token);
    return claims.ok && (await ports.isAlive(livenessOf(claims.value))) ? claims.value : undefined;
  };
}

/**
 * Makes the check of access tokens: format, issuer, resource, expiry, scopes, possession, liveness, sign-in.
 *
 * @returns a check that never rejects: what fails to run is a refusal. Refusals are recorded.
 * @see RFC 9068 §4
 */
export function tokenChecker(ports: CheckPorts): TokenChecker {
  const read = readerOf(ports);
  type Check = (presented: PresentedToken, needs: Needs) => Promise<Result<AccessTokenClaims>>;
  const check: Check = async (presented, needs) => {
    const checked = await read(presented.token, needs);
    if (!checked.ok) return checked;
    const now = ports.now();
    const proven = await checkPossession(checked.value, presented, ports, now, needs.requireBound ?? false);
    if (!proven.ok) return proven;
    const signedIn = checkSignIn(checked.value, needs, now);
    if (!signedIn.ok) return signedIn;
    return (await ports.isAlive(livenessOf(checked.value))) ? checked : refuse("access-token-revoked");
  };
  return async (presented, needs) => {
    const { outcome, cause } = await attempt(() => check(presented, needs));
    if (outcome.ok) return outcome;
    const decisionId = randomId();
    await recordRefusal(ports, needs.resource, decisionId, outcome.refusal, cause);
    return { ok: false, refusal: outcome.refusal, decisionId };
  };
}

/**
 * Reads access tokens of ours: format, issuer, expiry, and, where that matters, resource and scopes.
 *
 * @returns a reader that gives the claims; refused: `access-token-…`, `scope-insufficient`. Rejects when the app's own format does.
 */
function readerOf(
  ports: Pick<CheckPorts, "issuer" | "jwks" | "crypto" | "ownFormat" | "now">,
): (token: string, needs?: Pick<Needs, "resource" | "scopes">) => Promise<Result<AccessTokenClaims>> {
  const { issuer, ownFormat, crypto = webCrypto } = ports;
  const verify = rememberingVerifier({ issuer, keys: crypto.keysOf(ports.jwks), algorithms: JWS_ALGORITHMS }, crypto);
  const claimsOf = async (token: string): Promise<Result<AccessTokenClaims>> => {
    if (!ownFormat) return verify(token);
    const claims = await ownFormat(token);
    return claims === undefined ? refuse("access-token-malformed") : ok(claims);
  };
  return async (token, needs) => {
    if (!TOKEN.test(token)) return refuse("access-token-malformed");
    const claims = await claimsOf(token);
    if (!claims.ok) return claims;
    const { resource = claims.value.aud, scopes = [] } = needs ?? {};
    return checkAccessTokenClaims(claims.value, { issuer, resource, scopes }, ports.now());
  };
}

/** What a token may look like. Two headers arrive as one with a comma in it, which no token has. @see RFC 6750 §2.1 */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** The grant that a token stands for, to ask whether it still counts. */
export function livenessOf({
  customer,
  client_id: clientId,
  root,
  iat: issuedAt,
  jti: accessToken,
}: AccessTokenClaims): LivenessInput {
  return { customer, clientId, root, issuedAt, accessToken };
}

/** Seconds by which the clock of whoever signed the person in may be ahead. */
const SIGN_IN_SKEW = 30;

/** A claim that a call needs and that is missing never passes. @see RFC 9470 §5 */
function checkSignIn({ acr, root }: AccessTokenClaims, { maxAge, acrValues }: Needs, now: number): Result<true> {
  const wire = {
    ...(maxAge === undefined ? {} : { max_age: maxAge }),
    ...(acrValues === undefined ? {} : { acr_values: acrValues.join(" ") }),
  };
  if (acrValues !== undefined && !(acr !== undefined && acrValues.includes(acr))) {
    return refuse("acr-too-weak", undefined, wire);
  }
  const age = root.auth_time === undefined ? Number.NaN : now - root.auth_time;
  // A sign-in of the future (in milliseconds, say) would be a recent one for ever.
  const recent = age >= -SIGN_IN_SKEW && age <= (maxAge ?? 0);
  return maxAge === undefined || recent ? ok(true) : refuse("sign-in-too-old", undefined, wire);
}

/** A port that fails refuses the request: nothing passes that was not checked. */
async function attempt(
  check: () => Promise<Result<AccessTokenClaims>>,
): Promise<{ readonly outcome: Result<AccessTokenClaims>; readonly cause: unknown }> {
  try {
    return { outcome: await check(), cause: undefined };
  } catch (thrown) {
    const { refusal, cause } = faultOf(thrown);
    return { outcome: { ok: false, refusal }, cause };
  }
}

async function recordRefusal(
  { record, now }: CheckPorts,
  resource: string,
  decisionId: string,
  { reason, detail }: Refusal,
  cause: unknown,
): Promise<void> {
  try {
    await record({
      kind: "access",
      outcome: "refused",
      decisionId,
      time: now(),
      verified: false,
      resource,
      reason,
      ...(detail === undefined ? {} : { detail }),
      ...(cause === undefined ? {} : { cause }),
    });
  } catch {
    // A refusal stays one when it can not be recorded.
  }
}
