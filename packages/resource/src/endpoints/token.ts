import { errorAnswer, type Refusal, randomId } from "@credence/protocol";
import { buildChallenge } from "@credence/protocol/metadata";
import type { RequestContext } from "../context.ts";
import type { Facts, ReceiverEvent, Recorder } from "../record.ts";
import { type Receiver, type Redeemed, redeem } from "../redeem/redeem.ts";
import type { Account } from "../redeem/subject.ts";

/**
 * The token endpoint: redeems, records, answers. A grant that could not be recorded is not answered.
 *
 * @see RFC 6749 §3.2, §5
 */
export async function tokenEndpoint<A extends Account>(
  request: Request,
  receiver: Receiver<A>,
  record: Recorder,
  context: RequestContext = {},
): Promise<Response> {
  const decisionId = randomId();
  const time = receiver.now();
  const { outcome, facts } = await redeem(request, receiver, context);
  const refusal = outcome.ok ? undefined : outcome.refusal;
  try {
    await record(eventOf(decisionId, time, facts, refusal));
  } catch {
    // The record is what the organization sees: without it, nothing is granted.
    return refusalAnswer(request, { reason: "store-unavailable" }, decisionId, receiver.issuer);
  }
  const answer = outcome.ok
    ? grantAnswer(outcome.value)
    : refusalAnswer(request, outcome.refusal, decisionId, receiver.issuer);
  // RFC 9449 §8.2: whoever uses DPoP has the next nonce with each answer.
  const nonces = request.headers.has("dpop") ? receiver.nonces : undefined;
  if (nonces !== undefined) answer.headers.set("dpop-nonce", await nonces.current(time));
  return answer;
}

/** One redemption, for the record. */
export function eventOf(decisionId: string, time: number, facts: Facts, refusal: Refusal | undefined): ReceiverEvent {
  return {
    kind: "redemption",
    verified: false,
    ...facts,
    outcome: refusal ? "refused" : "granted",
    decisionId,
    time,
    ...(refusal ? { reason: refusal.reason } : {}),
    ...(refusal?.detail === undefined ? {} : { detail: refusal.detail }),
  };
}

/** @see ID-JAG draft §4.4.2: `scope` and `resource` as granted; never a refresh token. */
function grantAnswer({ accessToken, claims, scope }: Redeemed): Response {
  const body = {
    access_token: accessToken,
    // RFC 9449 §5; a token that is bound to a certificate is a bearer token (RFC 8705 §3).
    token_type: claims.cnf?.jkt === undefined ? "Bearer" : "DPoP",
    expires_in: claims.exp - claims.iat,
    ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
    resource: claims.aud,
    ...(claims.authorization_details === undefined ? {} : { authorization_details: claims.authorization_details }),
  };
  return Response.json(body, { headers: { "cache-control": "no-store" } });
}

/** Answers a refusal of one of the endpoints. */
export function refusalAnswer(request: Request, refusal: Refusal, decisionId: string, realm: string): Response {
  const { status, body, headers: told } = errorAnswer(refusal, decisionId);
  const headers = new Headers({ "cache-control": "no-store", ...told });
  // RFC 6749 §5.2: with the scheme that the client used.
  const basic = /^basic\b/i.test(request.headers.get("authorization") ?? "");
  if (body.error === "invalid_client" && basic) headers.set("www-authenticate", buildChallenge("Basic", { realm }));
  return Response.json(body, { status, headers });
}
