import { errorAnswer, type Refusal, randomId } from "@credence/protocol";
import { buildChallenge } from "@credence/protocol/metadata";
import type { RequestContext } from "../context.ts";
import type { Facts, ReceiverEvent, Recorder } from "../record.ts";
import {
  type Receiver,
  type Redeemed,
  type RedemptionRequest,
  redeemForm,
  redemptionRequest,
} from "../redeem/redeem.ts";
import type { Account } from "../redeem/subject.ts";
import { type Answer, responseOf } from "./answer.ts";

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
  return responseOf(await tokenAnswer(await redemptionRequest(request, context), receiver, record));
}

/** As {@link tokenEndpoint}, for whoever reads requests and sends answers themselves. It never rejects. */
export async function tokenAnswer<A extends Account>(
  request: RedemptionRequest,
  receiver: Receiver<A>,
  record: Recorder,
): Promise<Answer> {
  const { authorization } = request;
  const decisionId = randomId();
  const time = receiver.now();
  const { outcome, facts } = await redeemForm(request, receiver);
  const refusal = outcome.ok ? undefined : outcome.refusal;
  try {
    await record(eventOf(decisionId, time, facts, refusal));
  } catch {
    // The record is what the organization sees: without it, nothing is granted.
    return refusalAnswer(authorization, { reason: "store-unavailable" }, decisionId, receiver.issuer);
  }
  const answer = outcome.ok
    ? grantAnswer(outcome.value)
    : refusalAnswer(authorization, outcome.refusal, decisionId, receiver.issuer);
  // RFC 9449 §8.2: whoever uses DPoP has the next nonce with each answer.
  const nonces = request.dpop === null ? undefined : receiver.nonces;
  if (nonces === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, "dpop-nonce": await nonces.current(time) } };
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
function grantAnswer({ accessToken, claims, scope }: Redeemed): Answer {
  const body = {
    access_token: accessToken,
    // RFC 9449 §5; a token that is bound to a certificate is a bearer token (RFC 8705 §3).
    token_type: claims.cnf?.jkt === undefined ? "Bearer" : "DPoP",
    expires_in: claims.exp - claims.iat,
    ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
    resource: claims.aud,
    ...(claims.authorization_details === undefined ? {} : { authorization_details: claims.authorization_details }),
  };
  return { status: 200, headers: { "cache-control": "no-store" }, body };
}

/**
 * Answers a refusal of one of the endpoints.
 *
 * @param authorization - The request's header.
 */
export function refusalAnswer(
  authorization: string | null,
  refusal: Refusal,
  decisionId: string,
  realm: string,
): Answer {
  const { status, body, headers } = errorAnswer(refusal, decisionId);
  // RFC 6749 §5.2: with the scheme that the client used.
  const basic = body.error === "invalid_client" && /^basic\b/i.test(authorization ?? "");
  const challenge = basic ? { "www-authenticate": buildChallenge("Basic", { realm }) } : {};
  return { status, headers: { "cache-control": "no-store", ...headers, ...challenge }, body };
}
