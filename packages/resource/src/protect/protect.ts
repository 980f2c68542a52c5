import { errorAnswer, ok, type Refusal, type Result, refuse } from "@credence/protocol";
import { buildChallenge } from "@credence/protocol/metadata";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import { faultOf, randomId } from "../redeem/redeem.ts";

/** What guards one resource. */
export interface Guard {
  /** Where the resource's metadata is, for the challenge. */
  readonly metadataUrl: string;
  /** Scopes that the call needs: all of them. */
  readonly scopes: readonly string[];
  /** Checks a presented access token, scopes included. */
  check(token: string): Promise<Result<AccessTokenClaims>>;
  /** Takes the refusal of a presented token, with the decision id that the answer carries. */
  refused(decisionId: string, refusal: Refusal, cause: unknown): Promise<void>;
}

/** Serves a request that carries a good access token. */
export type ProtectedHandler = (request: Request, access: AccessTokenClaims) => Response | Promise<Response>;

/**
 * Puts a guard before a handler.
 *
 * @returns a handler that answers 401 or 403 with a challenge, or what `handler` answers.
 * @see RFC 6750 §3, RFC 9728 §5.1
 */
export function protect(guard: Guard, handler: ProtectedHandler): (request: Request) => Promise<Response> {
  return async (request) => {
    const access = await authorize(request, guard);
    return access instanceof Response ? access : handler(request, access);
  };
}

/**
 * Checks the access token of a request.
 *
 * @returns its claims, or the answer that refuses the request.
 */
export async function authorize(request: Request, guard: Guard): Promise<AccessTokenClaims | Response> {
  const token = bearerToken(request.headers.get("authorization"));
  if (!token.ok && token.refusal.reason === "access-token-missing") return challenge(token.refusal, guard, undefined);
  const { outcome, cause } = token.ok
    ? await attempt(() => guard.check(token.value))
    : { outcome: token, cause: undefined };
  if (outcome.ok) return outcome.value;
  const decisionId = randomId();
  // A refusal stays one when it can not be recorded.
  await guard.refused(decisionId, outcome.refusal, cause).catch(() => undefined);
  return challenge(outcome.refusal, guard, decisionId);
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

/**
 * Reads the access token from the `Authorization` header, the only place where one may stand.
 * @see RFC 6750 §2.1
 */
function bearerToken(authorization: string | null): Result<string> {
  const credentials = /^Bearer(?: +(.*))?$/i.exec(authorization ?? "");
  if (credentials === null) return refuse("access-token-missing");
  const token = credentials[1]?.trim() ?? "";
  // Two headers arrive as one with a comma in it, which no token has.
  return /^[A-Za-z0-9._~+/-]+=*$/.test(token) ? ok(token) : refuse("access-token-malformed");
}

function challenge(refusal: Refusal, guard: Guard, decisionId: string | undefined): Response {
  const { status, body } = errorAnswer(refusal, decisionId);
  if (status !== 401 && status !== 403) return Response.json(body, { status, headers: { "retry-after": "5" } });
  const header = buildChallenge("Bearer", {
    // RFC 6750 §3.1: no error for a request that carried no token.
    error: refusal.reason === "access-token-missing" ? undefined : body.error,
    resource_metadata: guard.metadataUrl,
    scope: guard.scopes.length === 0 ? undefined : guard.scopes.join(" "),
  });
  return Response.json(body, { status, headers: { "www-authenticate": header, "cache-control": "no-store" } });
}
