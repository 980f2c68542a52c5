import { asObject, parseScope } from "@credence/protocol";
import { type AuthorizationDetail, detailsWithin } from "@credence/protocol/authorization-details";
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { type Confirmation, sameConfirmation } from "@credence/protocol/dpop";
import type { GuardedResponse } from "@credence/protocol/fetch";
import { decodeIdJag, type IdJagClaims } from "@credence/protocol/id-jag";
import { type AuthorizationServerMetadata, issuesIdJags, tokenEndpointOf } from "@credence/protocol/metadata";
import {
  buildTokenExchangeRequest,
  parseTokenExchangeAnswer,
  type TokenExchangeAnswer,
} from "@credence/protocol/token-exchange";
import { takesProofs } from "./dpop.ts";
import { AgentError, cleanText, errorOfAnswer, mismatch, placed, type Where } from "./errors.ts";
import type { AgentContext } from "./options.ts";

/** What an ID-JAG is asked for. */
export interface IdJagRequest {
  /** Issuer of the app's authorization server, letter by letter. */
  readonly audience: string;
  /** The resource's identifier. */
  readonly resource: string;
  /** Scope tokens divided by spaces; without it the organization's policy chooses. */
  readonly scope?: string;
  /** What exactly the agent wants to do. @see RFC 9396 */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

/** An ID-JAG whose claims fit what was asked for. Secret. */
export interface IdJag {
  readonly idJag: string;
  readonly claims: IdJagClaims;
  /** What was granted, where the IdP said so. */
  readonly scope: string | undefined;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** What stands for the person, and whether the ID-JAG is to be bound to the agent's key. */
export interface ExchangeSubject {
  readonly token: string;
  /** A token type URN; an ID token by default. @see RFC 8693 §3 */
  readonly type?: string;
  readonly bind?: boolean;
}

/**
 * Exchanges a subject token for an ID-JAG at the IdP, and checks the answer against the question.
 *
 * @throws AgentError with leg `exchange`.
 * @see ID-JAG draft §4.3
 */
export async function exchange(context: AgentContext, request: IdJagRequest, subject: ExchangeSubject): Promise<IdJag> {
  const { issuer, client } = context.idp;
  const where: Where = { leg: "exchange", party: issuer };
  return placed(where, async () => {
    const app = await appClient(context, request.audience);
    const metadata = await context.discovery.identityProvider(issuer);
    checkIssuesIdJags(metadata, where);
    const { token: subjectToken, type: subjectTokenType, bind = false } = subject;
    const form = buildTokenExchangeRequest({
      ...request,
      subjectToken,
      ...(subjectTokenType === undefined ? {} : { subjectTokenType }),
    });
    const answer = await postForm(context, metadata, form, client, bind);
    if (answer.status !== 200) throw errorOfAnswer(answer, where);
    const granted = parseTokenExchangeAnswer(answer.json());
    const expected = { issuer, clientId: app.clientId, now: context.now() };
    const idJag = checkIdJag(granted, request, expected, where);
    await checkBinding(context, idJag.claims, bind, where);
    context.watch({ type: "id-jag", claims: idJag.claims });
    return idJag;
  });
}

/** The agent's credential at an app. Exactly this issuer's: a resource may name any server, ours are never tried there. */
export async function appClient(context: Pick<AgentContext, "clientAt">, issuer: string): Promise<ClientIdentity> {
  const client = await context.clientAt(issuer);
  if (client) return client;
  throw new AgentError(`The agent has no credential for ${issuer}. Register it there and add it to apps.`, {
    leg: "discovery",
    party: issuer,
    code: "configuration",
    reason: "app-unknown",
  });
}

function checkIssuesIdJags(metadata: AuthorizationServerMetadata, where: Where): void {
  if (!issuesIdJags(metadata)) {
    throw new AgentError(`${where.party} does not issue ID-JAGs: its metadata says so. Ask its operator.`, {
      ...where,
      code: "not_supported",
      reason: "id-jag-not-issued",
    });
  }
}

/**
 * Whether both sides take DPoP proofs, so that tokens for an app are bound.
 * @throws AgentError `not_supported` where binding is required and one of them does not.
 */
export async function bindsTo(context: AgentContext, server: AuthorizationServerMetadata): Promise<boolean> {
  if (context.prover === undefined) return false;
  return bindsAt(context, [await context.discovery.identityProvider(context.idp.issuer), server]);
}

/** As {@link bindsTo}, of servers whose metadata is at hand. */
export function bindsAt(
  { prover }: Pick<AgentContext, "prover">,
  servers: readonly AuthorizationServerMetadata[],
): boolean {
  if (prover === undefined) return false;
  const without = servers.find((metadata) => !takesProofs(metadata));
  if (without === undefined) return true;
  if (!prover.required) return false;
  throw new AgentError(`${without.issuer} takes no DPoP proofs, and this agent is set to use nothing unbound.`, {
    leg: "discovery",
    party: without.issuer,
    code: "not_supported",
    reason: "dpop-not-supported",
  });
}

/** A key or certificate that was shown and is not in the ID-JAG is a downgrade. @see ID-JAG draft §9.8.1.1, §9.8.2.1 */
async function checkBinding(
  { prover, certificateThumbprint }: AgentContext,
  { cnf }: IdJagClaims,
  bound: boolean,
  where: Where,
): Promise<void> {
  const expected = bound && prover ? { jkt: await prover.jkt() } : certificateOf(certificateThumbprint);
  const same = expected === undefined ? cnf === undefined : cnf !== undefined && sameConfirmation(cnf, expected);
  if (!same) throw mismatch(where, "binding-differs", "the ID-JAG is not bound to what this agent has proven");
}

function certificateOf(thumbprint: string | undefined): Confirmation | undefined {
  return thumbprint === undefined ? undefined : { "x5t#S256": thumbprint };
}

/**
 * Posts a form to the token endpoint that the issuer's own metadata names, with the client's proof for that issuer.
 *
 * @param bind - With a proof of the agent's key; where the server wants a nonce, once more with it.
 */
export async function postForm(
  context: AgentContext,
  metadata: AuthorizationServerMetadata,
  form: URLSearchParams,
  client: ClientIdentity,
  bind: boolean = false,
): Promise<GuardedResponse> {
  const url = tokenEndpointOf(metadata, context.certificateThumbprint !== undefined);
  const prover = bind ? context.prover : undefined;
  let sent: string | undefined;
  const send = async (): Promise<GuardedResponse> => {
    const proof = await addClientAuth(form, client, metadata.issuer, context.now());
    const dpop = await prover?.headers("token", "POST", url);
    sent = dpop?.dpop;
    const type = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
    return context.guarded(url, { method: "POST", headers: { ...proof, ...dpop, ...type }, body: form.toString() });
  };
  const answer = await send();
  const isNew = prover?.note("token", url, answer.headers, sent) ?? false;
  return isNew && answer.status === 400 && errorIn(answer) === "use_dpop_nonce" ? send() : answer;
}

function errorIn(answer: GuardedResponse): unknown {
  try {
    return asObject(answer.json())?.error;
  } catch {
    return undefined;
  }
}

/** Seconds by which clocks may differ. */
const SKEW = 60;

function checkIdJag(
  answer: TokenExchangeAnswer,
  request: IdJagRequest,
  expected: { readonly issuer: string; readonly clientId: string; readonly now: number },
  where: Where,
): IdJag {
  const decoded = decodeIdJag(answer.access_token);
  if (!decoded.ok) throw mismatch(where, decoded.refusal.reason, "what it issued is not an ID-JAG");
  const { claims } = decoded.value;
  if (claims.iss !== expected.issuer) throw mismatch(where, "id-jag-issuer", "the ID-JAG names another issuer");
  if (claims.aud !== request.audience) throw mismatch(where, "id-jag-audience", "the ID-JAG is for another audience");
  if (claims.client_id !== expected.clientId) {
    const ids = `${cleanText(claims.client_id)}, and the agent is ${expected.clientId} there`;
    throw new AgentError(
      `The token exchange with ${where.party} failed: the ID-JAG is for ${request.audience}'s client ${ids}. It is not used. ` +
        "Compare the clientId in apps with what the IdP's admin has entered for this agent at the app.",
      { ...where, code: "response_invalid", reason: "id-jag-client" },
    );
  }
  const clock = `its clock or this machine's (${new Date(expected.now * 1_000).toISOString()}) is wrong`;
  if (claims.exp <= expected.now - SKEW) {
    throw mismatch(where, "id-jag-expired", `the ID-JAG has expired already: ${clock}`);
  }
  if (claims.iat > expected.now + SKEW) {
    throw mismatch(where, "id-jag-clock", `the ID-JAG was issued in the future: ${clock}`);
  }
  checkResourceNamed(claims.resource, request, where);
  checkResource(claims.resource, request.resource, where);
  checkResource(answer.resource, request.resource, where);
  checkScope(claims.scope, request.scope, where);
  checkScope(answer.scope, request.scope, where);
  checkDetails(claims.authorization_details, request.authorizationDetails, where);
  checkDetails(answer.authorization_details, request.authorizationDetails, where);
  return {
    idJag: answer.access_token,
    claims,
    scope: claims.scope ?? answer.scope ?? request.scope,
    expiresAt: claims.exp,
  };
}

/**
 * Any server may name somebody else's authorization server as its own. Where the two are not at one origin, only the IdP
 * can say that they belong together: it grants a resource of the audience, and what it grants stands in the ID-JAG.
 * @see ID-JAG draft §4.3.3
 */
function checkResourceNamed(said: IdJagClaims["resource"], { audience, resource }: IdJagRequest, where: Where): void {
  if (said !== undefined || (URL.canParse(resource) && new URL(resource).origin === new URL(audience).origin)) return;
  throw mismatch(
    where,
    "resource-unconfirmed",
    `the ID-JAG does not name ${resource}, so nobody but that server itself says that ${audience} issues tokens for it`,
  );
}

/** Refuses an answer for any other resource than the one that was asked for. */
export function checkResource(said: string | readonly string[] | undefined, asked: string, where: Where): void {
  if (said === undefined) return;
  const all = [said].flat();
  if (all.length !== 1 || all[0] !== asked) {
    throw mismatch(where, "resource-differs", "the answer is for another resource than was asked for");
  }
}

/** Refuses an answer that gives more than was asked for. With no scope asked, the other side chooses. */
export function checkScope(said: string | undefined, asked: string | undefined, where: Where): void {
  if (!said || asked === undefined) return;
  const limit = new Set(scopeTokens(asked));
  if (!scopeTokens(said).every((token) => limit.has(token))) {
    throw mismatch(where, "scope-wider", "the answer grants more scope than was asked for");
  }
}

/** Refuses an answer that gives details beyond those that were asked for. @see RFC 9396 §7.1 */
export function checkDetails(
  said: readonly AuthorizationDetail[] | undefined,
  asked: readonly AuthorizationDetail[] | undefined,
  where: Where,
): void {
  if (said === undefined || detailsWithin(said, asked ?? [])) return;
  throw mismatch(where, "details-wider", "the answer grants authorization details that were not asked for");
}

/**
 * Refuses an access token that is sent in another way than ours: a bound one as DPoP, any other as a bearer token.
 * @see RFC 6749 §7.1, RFC 9449 §5
 */
export function checkTokenType(said: string, where: Where, bound: boolean = false): void {
  if (said.toLowerCase() === (bound ? "dpop" : "bearer")) return;
  throw mismatch(where, "token-type", "the access token is of a type that this agent does not use");
}

/** The tokens of a scope; a malformed one is left whole, and so fits nothing but itself. */
export function scopeTokens(scope: string | undefined): readonly string[] {
  if (!scope) return [];
  const parsed = parseScope(scope);
  return parsed.ok ? parsed.value : [scope];
}
