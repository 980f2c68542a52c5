/** For MCP servers made with the MCP SDK v2. */
import { errorAnswer } from "@credence/protocol";
import {
  type AuthInfo,
  OAuthError,
  OAuthErrorCode,
  type OAuthTokenVerifier,
  type VerifyBearerTokenOptions,
} from "@modelcontextprotocol/server";
import { type AccessTokenClaims, scopesOf } from "./access-token/claims.ts";
import type { ProtectOptions, ResourceServer } from "./server.ts";

/**
 * The options of the SDK's `requireBearerAuth` for one resource of a server.
 *
 * @param options.resource - May be left out where the server has one resource only.
 * @param options.scopes - What every call needs; what single tools need beyond it, the SDK's `requireScopes` says.
 * @see MCP authorization, 2026-07-28
 */
export function mcpBearerAuth(server: ResourceServer, options: ProtectOptions = {}): VerifyBearerTokenOptions {
  const [only = ""] = server.resources;
  const resource = options.resource ?? only;
  return {
    verifier: mcpTokenVerifier(server, options),
    requiredScopes: [...(options.scopes ?? [])],
    expectedResource: new URL(resource),
    resourceMetadataUrl: server.resourceMetadataUrl(options.resource),
  };
}

/**
 * A verifier of access tokens for the SDK. What it refuses is on record, under the decision id in the error's message.
 *
 * @param options.resource - May be left out where the server has one resource only.
 * @returns a verifier that throws the SDK's `OAuthError`: `invalid_token`, `insufficient_scope`, or `server_error` when a
 * check failed to run.
 */
export function mcpTokenVerifier(server: ResourceServer, options: ProtectOptions = {}): OAuthTokenVerifier {
  // At the start, not at the first call: a resource that the server does not have is a mistake in the set-up.
  server.resourceMetadataUrl(options.resource);
  return {
    async verifyAccessToken(token) {
      const checked = await server.check(token, options);
      if (checked.ok) return authInfoOf(token, checked.value);
      const { error, error_description: message } = errorAnswer(checked.refusal, checked.decisionId).body;
      throw new OAuthError(SDK_CODES.get(error) ?? OAuthErrorCode.ServerError, message);
    },
  };
}

const SDK_CODES: ReadonlyMap<string, OAuthErrorCode> = new Map([
  ["invalid_token", OAuthErrorCode.InvalidToken],
  ["insufficient_scope", OAuthErrorCode.InsufficientScope],
]);

/**
 * What the SDK hands to tools as `ctx.http.authInfo`: the local account is `extra.account`, its customer
 * `extra.customer`, the ID-JAG that it all goes back to `extra.root`.
 */
export function authInfoOf(token: string, claims: AccessTokenClaims): AuthInfo {
  return {
    token,
    clientId: claims.client_id,
    scopes: [...scopesOf(claims)],
    expiresAt: claims.exp,
    resource: new URL(claims.aud),
    extra: { account: claims.sub, customer: claims.customer, root: claims.root },
  };
}
