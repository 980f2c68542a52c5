import { type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import { JWS_ALGORITHMS, type JwkSet, jwksKeys } from "@credence/protocol/jws";
import { checkAccessToken, checkAccessTokenClaims } from "../access-token/access-token.ts";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { faultOf } from "../fault.ts";
import type { AccessTokenOptions, LivenessInput } from "../options.ts";
import type { Recorder } from "../record.ts";

/** The outcome of a check: the claims, or why not, and under which id the reason is on record. */
export type CheckedToken =
  | { readonly ok: true; readonly value: AccessTokenClaims }
  | { readonly ok: false; readonly refusal: Refusal; readonly decisionId: string };

/** What checks of access tokens need from their surroundings. */
export interface CheckPorts {
  readonly issuer: string;
  /** The authorization server's public keys. */
  readonly jwks: JwkSet;
  /** The app's own format, if it has one. */
  readonly ownFormat: AccessTokenOptions["check"];
  isAlive(grant: LivenessInput): Promise<boolean>;
  readonly record: Recorder;
  /** Seconds since the epoch. */
  now(): number;
}

/** Checks a token for one resource and the scopes that a call needs. */
export type TokenChecker = (token: string, resource: string, scopes: readonly string[]) => Promise<CheckedToken>;

/**
 * Makes the check of access tokens: format, issuer, resource, expiry, scopes, liveness.
 *
 * @returns a check that never rejects: what fails to run is a refusal. Refusals are recorded.
 * @see RFC 9068 §4
 */
export function tokenChecker(ports: CheckPorts): TokenChecker {
  const keys = jwksKeys(ports.jwks);
  type Check = (token: string, resource: string, scopes: readonly string[]) => Promise<Result<AccessTokenClaims>>;
  const read: Check = async (token, resource, scopes) => {
    // RFC 6750 §2.1; two headers arrive as one with a comma in it, which no token has.
    if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) return refuse("access-token-malformed");
    const expected = { issuer: ports.issuer, resource, scopes, keys, algorithms: JWS_ALGORITHMS };
    const now = ports.now();
    if (!ports.ownFormat) return checkAccessToken(token, expected, now);
    const claims = await ports.ownFormat(token);
    return claims === undefined ? refuse("access-token-malformed") : checkAccessTokenClaims(claims, expected, now);
  };
  const check: Check = async (token, resource, scopes) => {
    const checked = await read(token, resource, scopes);
    if (!checked.ok) return checked;
    const { customer, client_id: clientId, root } = checked.value;
    return (await ports.isAlive({ customer, clientId, root })) ? checked : refuse("access-token-revoked");
  };
  return async (token, resource, scopes) => {
    const { outcome, cause } = await attempt(() => check(token, resource, scopes));
    if (outcome.ok) return outcome;
    const decisionId = randomId();
    await recordRefusal(ports, resource, decisionId, outcome.refusal, cause);
    return { ok: false, refusal: outcome.refusal, decisionId };
  };
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
