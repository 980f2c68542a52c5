import { errorAnswer, type Refusal } from "@credence/protocol";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { buildChallenge } from "@credence/protocol/metadata";
import type { AccessTokenClaims } from "../access-token/claims.ts";
import type { RequestContext } from "../context.ts";
import type { CheckedToken } from "./check.ts";
import type { PresentedToken } from "./possession.ts";

/** What guards one resource. */
export interface Guard {
  /** Where the resource's metadata is, for the challenge. */
  readonly metadataUrl: string;
  /** Scopes that the call needs: all of them. */
  readonly scopes: readonly string[];
  /** Whether the resource takes bound tokens only. */
  readonly requireBound?: boolean;
  /** Checks a presented access token, scopes included. */
  check(presented: PresentedToken): Promise<CheckedToken>;
}

/** As much of a request as its check looks at. */
export interface CallRequest {
  readonly method: string;
  readonly url: string;
  /** Several headers of one name come joined by a comma; `null` where there is none. */
  readonly headers: { get(name: string): string | null };
}

/** Serves a request that carries a good access token. */
export type ProtectedHandler = (request: Request, access: AccessTokenClaims) => Response | Promise<Response>;

/**
 * Puts a guard before a handler.
 *
 * @returns a handler that answers 401 or 403 with a challenge, or what `handler` answers.
 * @see RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1
 */
export function protect(
  guard: Guard,
  handler: ProtectedHandler,
): (request: Request, context?: RequestContext) => Promise<Response> {
  return async (request, context = {}) => {
    const access = await authorize(request, guard, context);
    return access instanceof Response ? access : handler(request, access);
  };
}

/**
 * Checks the access token of a request.
 *
 * @returns its claims, or the answer that refuses the request.
 */
export async function authorize(
  request: CallRequest,
  guard: Guard,
  { certificate }: RequestContext = {},
): Promise<AccessTokenClaims | Response> {
  const presented = readAuthorization(request.headers.get("authorization"));
  if (presented === undefined) return challenge({ reason: "access-token-missing" }, guard, undefined, undefined);
  const { method, url } = request;
  const checked = await guard.check({ ...presented, dpop: request.headers.get("dpop"), method, url, certificate });
  return checked.ok ? checked.value : challenge(checked.refusal, guard, checked.decisionId, presented.scheme);
}

/**
 * Reads the access token from the `Authorization` header, the only place where one may stand.
 *
 * @returns scheme and what follows it, unchecked; `undefined` where there is no such header or another scheme.
 * @see RFC 6750 §2.1, RFC 9449 §7.1
 */
function readAuthorization(authorization: string | null): { scheme: string; token: string } | undefined {
  const [, scheme, token = ""] = /^(Bearer|DPoP)(?: (.*))?$/i.exec(authorization ?? "") ?? [];
  return scheme === undefined ? undefined : { scheme: scheme.toLowerCase(), token: token.trim() };
}

/** Errors of a proof: they are told in a DPoP challenge, whatever the scheme was. @see RFC 9449 §7.1 */
const PROOF_ERRORS: ReadonlySet<string> = new Set(["invalid_dpop_proof", "use_dpop_nonce"]);

/**
 * Answers a refusal: with the challenge of the scheme that was tried, so that its client understands the error.
 *
 * @param scheme - In lower case; `undefined` where no token came.
 * @see RFC 9449 §7.2
 */
function challenge(
  refusal: Refusal,
  guard: Guard,
  decisionId: string | undefined,
  scheme: string | undefined,
): Response {
  const { status: usual, body, headers: asked } = errorAnswer(refusal, decisionId);
  const ofProof = PROOF_ERRORS.has(body.error);
  // RFC 9449 §7.1, RFC 9470 §3: at a resource these are answered with 401.
  const status = ofProof || body.error === "insufficient_user_authentication" ? 401 : usual;
  const headers = new Headers({ "cache-control": "no-store", ...asked });
  if (status !== 401 && status !== 403) {
    return Response.json(body, { status, headers });
  }
  const { max_age: maxAge, acr_values: acrValues } = body;
  const parameters = {
    // RFC 6750 §3.1: no error for a request that carried no token.
    error: refusal.reason === "access-token-missing" ? undefined : body.error,
    max_age: maxAge === undefined ? undefined : String(maxAge),
    acr_values: acrValues === undefined ? undefined : String(acrValues),
    resource_metadata: guard.metadataUrl,
    scope: guard.scopes.length === 0 ? undefined : guard.scopes.join(" "),
  };
  const asDpop = guard.requireBound || ofProof || scheme === "dpop";
  const told = asDpop
    ? buildChallenge("DPoP", { ...parameters, algs: JWS_ALGORITHMS.join(" ") })
    : buildChallenge("Bearer", parameters);
  headers.set("www-authenticate", told);
  return Response.json(body, { status, headers });
}
