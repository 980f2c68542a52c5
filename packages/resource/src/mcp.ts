/** For MCP servers made with the MCP SDK v2. */
import { CredenceError } from "@credence/protocol";
import { ERRORS } from "@credence/protocol/reasons";
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
    verifier: mcpTokenVerifier(server, options.resource),
    requiredScopes: [...(options.scopes ?? [])],
    expectedResource: new URL(resource),
    resourceMetadataUrl: server.resourceMetadataUrl(options.resource),
  };
}

/**
 * A verifier of access tokens for the SDK.
 *
 * @param resource - May be left out where the server has one resource only.
 * @returns a verifier that throws the SDK's `OAuthError`: `invalid_token`, or `server_error` when a check failed to run.
 */
export function mcpTokenVerifier(server: ResourceServer, resource?: string): OAuthTokenVerifier {
  // At the start, not at the first call: a resource that the server does not have is a mistake in the set-up.
  server.resourceMetadataUrl(resource);
  return {
    async verifyAccessToken(token) {
      const checked = await check(server, token, resource);
      if (!checked.ok) throw new OAuthError(OAuthErrorCode.InvalidToken, ERRORS.invalid_token.description);
      return authInfoOf(token, checked.value);
    },
  };
}

async function check(
  server: ResourceServer,
  token: string,
  resource: string | undefined,
): ReturnType<ResourceServer["check"]> {
  try {
    return await server.check(token, resource === undefined ? {} : { resource });
  } catch (cause) {
    if (cause instanceof CredenceError) {
      throw new OAuthError(OAuthErrorCode.ServerError, ERRORS.temporarily_unavailable.description);
    }
    throw cause;
  }
}

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
