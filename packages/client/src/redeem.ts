import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import { buildJwtBearerRequest, parseAccessTokenAnswer } from "@credence/protocol/jwt-bearer";
import { type AuthorizationServerMetadata, redeemsIdJags } from "@credence/protocol/metadata";
import { AgentError, errorOfAnswer, mismatch, placed, type Where } from "./errors.ts";
import {
  appClient,
  checkDetails,
  checkResource,
  checkScope,
  checkTokenType,
  type IdJag,
  type IdJagRequest,
  postForm,
} from "./exchange.ts";
import type { AgentContext } from "./options.ts";

/** An access token of an app. Secret; goes to its resource and nowhere else. */
export interface AccessToken {
  readonly accessToken: string;
  /** `DPoP`: bound to the agent's key, and sent with a proof of it. */
  readonly tokenType: "Bearer" | "DPoP";
  /** Seconds since the epoch; `undefined` when the server did not say. */
  readonly expiresAt: number | undefined;
  /** What was granted, as far as anybody said so. */
  readonly scope: string | undefined;
  /** What was granted, where details were asked for. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** The resource's identifier: the token is for URLs that it covers. */
  readonly resource: string;
  /** Issuer of the authorization server that gave it. */
  readonly issuer: string;
}

/**
 * Whether an authorization server redeems ID-JAGs, before one is asked for.
 *
 * @returns its metadata.
 * @throws AgentError `not_supported` when its metadata denies it; `configuration` when we have no credential there.
 * @see ID-JAG draft §7.2
 */
export async function findRedeemer(context: AgentContext, issuer: string): Promise<AuthorizationServerMetadata> {
  await appClient(context, issuer);
  const metadata = await context.discovery.authorizationServer(issuer);
  if (!redeemsIdJags(metadata)) {
    throw new AgentError(`${issuer} does not redeem ID-JAGs: its metadata says so. Ask the app's operator.`, {
      leg: "discovery",
      party: issuer,
      code: "not_supported",
      reason: "id-jag-not-redeemed",
    });
  }
  return metadata;
}

/**
 * Redeems an ID-JAG for an access token, and checks the answer against the question.
 *
 * @throws AgentError with leg `redemption`.
 * @see ID-JAG draft §4.4
 */
export async function redeem(
  context: AgentContext,
  metadata: AuthorizationServerMetadata,
  request: IdJagRequest,
  granted: IdJag,
  bound: boolean = false,
): Promise<AccessToken> {
  const { issuer } = metadata;
  const where: Where = { leg: "redemption", party: issuer };
  return placed(where, async () => {
    const client = await appClient(context, issuer);
    const form = buildJwtBearerRequest({ assertion: granted.idJag, resource: request.resource });
    const askedAt = context.now();
    const answer = await postForm(context, metadata, form, client, bound);
    if (answer.status !== 200) throw errorOfAnswer(answer, where);
    const token = parseAccessTokenAnswer(answer.json());
    checkTokenType(token.token_type, where, bound);
    // An ID-JAG is a grant: as a bearer token it would hand the person to whoever sees it.
    if (token.access_token === granted.idJag) throw mismatch(where, "id-jag-returned", "it gave the ID-JAG back");
    checkScope(token.scope, granted.scope, where);
    checkResource(token.resource, request.resource, where);
    const details = token.authorization_details ?? granted.claims.authorization_details;
    checkDetails(details, granted.claims.authorization_details, where);
    const expiresAt = token.expires_in === undefined ? undefined : askedAt + token.expires_in;
    const scope = token.scope ?? granted.scope;
    context.watch({ type: "access-token", issuer, resource: request.resource, scope, expiresAt });
    return {
      accessToken: token.access_token,
      tokenType: bound ? "DPoP" : "Bearer",
      ...(details === undefined ? {} : { authorizationDetails: details }),
      expiresAt,
      scope,
      resource: request.resource,
      issuer,
    };
  });
}
