import { type AuthorizationDetail, parseAuthorizationDetails } from "./authorization-details.ts";
import { asObject } from "./encoding.ts";
import { CredenceError } from "./errors.ts";
import type { Form } from "./form.ts";
import { type Granted, parseGranted } from "./granted.ts";
import { ID_JAG_TOKEN_TYPE } from "./id-jag.ts";
import { MAX_TOKEN_LENGTH } from "./jws.ts";
import { ok, type Result, refuse } from "./result.ts";
import { resourcesOf, scopeOf } from "./scope.ts";

/** Grant type of the token exchange. @see RFC 8693 §2.1 */
export const TOKEN_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";

/** Token types of subject tokens. @see RFC 8693 §3 */
export const TOKEN_TYPES = {
  idToken: "urn:ietf:params:oauth:token-type:id_token",
  saml2: "urn:ietf:params:oauth:token-type:saml2",
  refreshToken: "urn:ietf:params:oauth:token-type:refresh_token",
} as const;

/** Type of an actor token that is a JWT of the actor's own. @see RFC 8693 §3 */
export const JWT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt";

/** What may be a subject token; whether an IdP takes it, the IdP decides. @see ID-JAG draft §4.3 */
const SUBJECT_TOKEN_TYPES: ReadonlySet<string> = new Set(Object.values(TOKEN_TYPES));

/** A token exchange request for an ID-JAG, parsed. */
export interface TokenExchangeRequest {
  /** Issuer of the resource authorization server. */
  readonly audience: string;
  readonly resource: readonly string[];
  /** `undefined` when the request names none. */
  readonly scope: readonly string[] | undefined;
  /** `undefined` when the request names none. @see RFC 9396 */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  readonly subjectToken: string;
  readonly subjectTokenType: string;
  /** Who acts, where that is another than the client. @see RFC 8693 §2.1 */
  readonly actor?: { readonly token: string; readonly type: string };
}

/**
 * Parses a token exchange request for an ID-JAG.
 *
 * @returns the request; refused: `parameter-missing`, `parameter-malformed`, `requested-token-type-unsupported`,
 * `subject-token-type-unsupported`, `audiences-several`, `actor-token-malformed`,
 * `authorization-details-malformed`, `scope-malformed`, `resource-malformed`, `subject-token-malformed`.
 * @see ID-JAG draft §4.3, RFC 8693 §2.1
 */
export function parseTokenExchangeRequest(form: Form): Result<TokenExchangeRequest> {
  const requested = form.get("requested_token_type");
  if (requested === undefined) return refuse("parameter-missing", "requested_token_type");
  if (requested !== ID_JAG_TOKEN_TYPE) return refuse("requested-token-type-unsupported");
  const audience = parseAudience(form);
  if (!audience.ok) return audience;
  const subject = parseSubjectToken(form);
  if (!subject.ok) return subject;
  const actor = parseActorToken(form);
  if (!actor.ok) return actor;
  const details = authorizationDetailsOf(form);
  if (!details.ok) return details;
  const resource = resourcesOf(form);
  if (!resource.ok) return resource;
  const scope = scopeOf(form);
  if (!scope.ok) return scope;
  return ok({
    audience: audience.value,
    resource: resource.value,
    scope: scope.value,
    ...(details.value === undefined ? {} : { authorizationDetails: details.value }),
    ...subject.value,
    ...(actor.value === undefined ? {} : { actor: actor.value }),
  });
}

/**
 * The authorization details of a request, if it names any.
 *
 * @returns the details, or `undefined`; refused: `authorization-details-malformed`.
 * @see RFC 9396 §5
 */
export function authorizationDetailsOf(form: Form): Result<readonly AuthorizationDetail[] | undefined> {
  const text = form.get("authorization_details");
  return text === undefined ? ok(undefined) : parseAuthorizationDetails(text);
}

/** RFC 8693 §2.1: the type stands with the token, and only with it. */
function parseActorToken(form: Form): Result<TokenExchangeRequest["actor"]> {
  const [token, type] = [form.get("actor_token"), form.get("actor_token_type")];
  if (token === undefined && type === undefined) return ok(undefined);
  if (token === undefined || type === undefined || token.length > MAX_TOKEN_LENGTH)
    return refuse("actor-token-malformed");
  return ok({ token, type });
}

function parseAudience(form: Form): Result<string> {
  const [audience, ...others] = form.all("audience");
  if (audience === undefined) return refuse("parameter-missing", "audience");
  if (others.length > 0) return refuse("audiences-several");
  return audience.length <= 2_048 ? ok(audience) : refuse("parameter-malformed", "audience");
}

function parseSubjectToken(form: Form): Result<{ subjectToken: string; subjectTokenType: string }> {
  const subjectToken = form.get("subject_token");
  if (subjectToken === undefined) return refuse("parameter-missing", "subject_token");
  const subjectTokenType = form.get("subject_token_type");
  if (subjectTokenType === undefined) return refuse("parameter-missing", "subject_token_type");
  if (!SUBJECT_TOKEN_TYPES.has(subjectTokenType)) return refuse("subject-token-type-unsupported");
  if (subjectToken.length > MAX_TOKEN_LENGTH) return refuse("subject-token-malformed", "too long");
  return ok({ subjectToken, subjectTokenType });
}

/** What a client asks the IdP for. */
export interface TokenExchangeParameters {
  /** Issuer of the resource authorization server. */
  readonly audience: string;
  readonly resource?: string | readonly string[];
  /** Scope tokens divided by spaces. */
  readonly scope?: string;
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  readonly subjectToken: string;
  /** By default an ID token. */
  readonly subjectTokenType?: string;
  readonly actor?: { readonly token: string; readonly type: string };
}

/**
 * Builds the form of a token exchange request, without client authentication.
 * @see ID-JAG draft §4.3
 */
export function buildTokenExchangeRequest(parameters: TokenExchangeParameters): URLSearchParams {
  const form = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE_GRANT,
    requested_token_type: ID_JAG_TOKEN_TYPE,
    audience: parameters.audience,
    subject_token: parameters.subjectToken,
    subject_token_type: parameters.subjectTokenType ?? TOKEN_TYPES.idToken,
  });
  for (const resource of [parameters.resource ?? []].flat()) form.append("resource", resource);
  if (parameters.scope) form.set("scope", parameters.scope);
  const { authorizationDetails: details, actor } = parameters;
  if (details) form.set("authorization_details", JSON.stringify(details));
  if (actor) {
    form.set("actor_token", actor.token);
    form.set("actor_token_type", actor.type);
  }
  return form;
}

/** The answer to a token exchange, as JSON. @see ID-JAG draft §4.3.4 */
export interface TokenExchangeAnswer extends Granted {
  readonly issued_token_type: typeof ID_JAG_TOKEN_TYPE;
  /** The ID-JAG: RFC 8693 wants this name, though it is no access token. */
  readonly access_token: string;
  readonly token_type: "N_A";
  /** Seconds; of an answer that does not say, 0. */
  readonly expires_in: number;
}

/** Builds the answer. The granted scope and resource stand in it, whatever was asked. @see ID-JAG draft §4.3.4 */
export function buildTokenExchangeAnswer(granted: {
  readonly idJag: string;
  readonly expiresIn: number;
  readonly scope: readonly string[];
  /** One as a string, several as a list. */
  readonly resource?: string | readonly string[];
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}): TokenExchangeAnswer {
  return {
    issued_token_type: ID_JAG_TOKEN_TYPE,
    access_token: granted.idJag,
    token_type: "N_A",
    expires_in: granted.expiresIn,
    // RFC 6749 §3.3: a scope has at least one token.
    ...(granted.scope.length === 0 ? {} : { scope: granted.scope.join(" ") }),
    ...(granted.resource === undefined ? {} : { resource: granted.resource }),
    ...(granted.authorizationDetails === undefined ? {} : { authorization_details: granted.authorizationDetails }),
  };
}

/**
 * Parses the answer to a token exchange.
 *
 * @param value - Parsed JSON of a 200 answer.
 * @throws CredenceError `response_invalid` when it is not an ID-JAG's.
 * @see ID-JAG draft §4.3.4
 */
export function parseTokenExchangeAnswer(value: unknown): TokenExchangeAnswer {
  const answer = asObject(value);
  const wrong = (member: string): CredenceError =>
    new CredenceError(`The IdP's answer to the token exchange has no valid ${member}`, {
      code: "response_invalid",
      reason: `token-exchange-answer-${member.replaceAll("_", "-")}`,
    });
  if (answer?.issued_token_type !== ID_JAG_TOKEN_TYPE) throw wrong("issued_token_type");
  if (typeof answer.access_token !== "string" || answer.access_token === "") throw wrong("access_token");
  // RFC 8693 §2.2.1: the value is compared without regard to case, as all token types are (RFC 6749 §5.1).
  if (typeof answer.token_type !== "string" || answer.token_type.toLowerCase() !== "n_a") throw wrong("token_type");
  const granted = parseGranted(answer, wrong);
  return {
    issued_token_type: ID_JAG_TOKEN_TYPE,
    access_token: answer.access_token,
    token_type: "N_A",
    // RECOMMENDED only; the ID-JAG's own exp tells more exactly anyway.
    expires_in: 0,
    ...granted,
  };
}
