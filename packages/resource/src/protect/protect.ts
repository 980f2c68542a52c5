import { errorAnswer, type Refusal } from "@credence/protocol";
import { buildChallenge } from "@credence/protocol/metadata";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import type { CheckedToken } from "./check.ts";

/** What guards one resource. */
export interface Guard {
  /** Where the resource's metadata is, for the challenge. */
  readonly metadataUrl: string;
  /** Scopes that the call needs: all of them. */
  readonly scopes: readonly string[];
  /** Checks a presented access token, scopes included. */
  check(token: string): Promise<CheckedToken>;
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
  if (token === undefined) return challenge({ reason: "access-token-missing" }, guard, undefined);
  const checked = await guard.check(token);
  return checked.ok ? checked.value : challenge(checked.refusal, guard, checked.decisionId);
}

/**
 * Reads the access token from the `Authorization` header, the only place where one may stand.
 *
 * @returns what follows the scheme, unchecked; `undefined` where there is no such header or another scheme.
 * @see RFC 6750 §2.1
 */
function bearerToken(authorization: string | null): string | undefined {
  const credentials = /^Bearer(?: (.*))?$/i.exec(authorization ?? "");
  return credentials === null ? undefined : (credentials[1] ?? "").trim();
}

function challenge(refusal: Refusal, guard: Guard, decisionId: string | undefined): Response {
  const { status, body } = errorAnswer(refusal, decisionId);
  const headers = new Headers({ "cache-control": "no-store" });
  if (status !== 401 && status !== 403) {
    headers.set("retry-after", "5");
    return Response.json(body, { status, headers });
  }
  const parameters = {
    // RFC 6750 §3.1: no error for a request that carried no token.
    error: refusal.reason === "access-token-missing" ? undefined : body.error,
    resource_metadata: guard.metadataUrl,
    scope: guard.scopes.length === 0 ? undefined : guard.scopes.join(" "),
  };
  headers.set("www-authenticate", buildChallenge("Bearer", parameters));
  return Response.json(body, { status, headers });
}
