import type { AuthorizationDetail } from "./authorization-details.ts";
import { asObject } from "./encoding.ts";
import { CredenceError } from "./errors.ts";
import type { Form } from "./form.ts";
import { type Granted, parseGranted } from "./granted.ts";
import { MAX_TOKEN_LENGTH } from "./jws.ts";
import { ok, type Result, refuse } from "./result.ts";
import { resourcesOf, scopeOf } from "./scope.ts";
import { authorizationDetailsOf } from "./token-exchange.ts";

/** Grant type of the redemption. @see RFC 7523 §2.1 */
export const JWT_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** The same with a DPoP proof, by the name of the draft's example: without a proof it is refused. @see ID-JAG draft §9.8.1 */
export const JWT_DPOP_GRANT = "urn:ietf:params:oauth:grant-type:jwt-dpop";

/** A redemption, parsed. */
export interface JwtBearerRequest {
  /** The ID-JAG. */
  readonly assertion: string;
  /** Narrows the ID-JAG's scope; `undefined`: all of it. */
  readonly scope: readonly string[] | undefined;
  /** Narrows the ID-JAG's resource. */
  readonly resource: readonly string[];
  /** Narrows the ID-JAG's authorization details. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

/**
 * Parses a redemption.
 *
 * @returns the request; refused: `parameter-missing`, `id-jag-malformed`, `scope-malformed`, `resource-malformed`,
 * `authorization-details-malformed`.
 * @see ID-JAG draft §4.4, RFC 7523 §2.1
 */
export function parseJwtBearerRequest(form: Form): Result<JwtBearerRequest> {
  const assertion = form.get("assertion");
  if (assertion === undefined) return refuse("parameter-missing", "assertion");
  if (assertion.length > MAX_TOKEN_LENGTH) return refuse("id-jag-malformed", "too long");
  const scope = scopeOf(form);
  if (!scope.ok) return scope;
  const resource = resourcesOf(form);
  if (!resource.ok) return resource;
  const details = authorizationDetailsOf(form);
  if (!details.ok) return details;
  const narrowed = details.value === undefined ? {} : { authorizationDetails: details.value };
  return ok({ assertion, scope: scope.value, resource: resource.value, ...narrowed });
}

/** Builds the form of a redemption, without client authentication. @see ID-JAG draft §4.4 */
export function buildJwtBearerRequest(parameters: {
  readonly assertion: string;
  readonly scope?: string;
  readonly resource?: string;
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}): URLSearchParams {
  const form = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: parameters.assertion });
  if (parameters.scope) form.set("scope", parameters.scope);
  if (parameters.resource) form.set("resource", parameters.resource);
  const { authorizationDetails: details } = parameters;
  if (details) form.set("authorization_details", JSON.stringify(details));
  return form;
}

/** An access token answer, as JSON. @see ID-JAG draft §4.4.2 */
export interface AccessTokenAnswer extends Granted {
  readonly access_token: string;
  readonly token_type: string;
}

/**
 * Parses an access token answer.
 *
 * @param value - Parsed JSON of a 200 answer.
 * @throws CredenceError `response_invalid`.
 * @see RFC 6749 §5.1
 */
export function parseAccessTokenAnswer(value: unknown): AccessTokenAnswer {
  const answer = asObject(value) ?? {};
  const wrong = (member: string): CredenceError =>
    new CredenceError(`The authorization server's answer has no valid ${member}`, {
      code: "response_invalid",
      reason: `access-token-answer-${member.replaceAll("_", "-")}`,
    });
  const token = answer.access_token;
  if (typeof token !== "string" || token === "") throw wrong("access_token");
  const type = answer.token_type;
  if (typeof type !== "string" || type === "") throw wrong("token_type");
  return { access_token: token, token_type: type, ...parseGranted(answer, wrong) };
}
