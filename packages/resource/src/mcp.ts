/** For MCP servers made with the MCP SDK v2. */
import { errorAnswer } from "@credence/protocol";
import {
  type AuthInfo,
  OAuthError,
  OAuthErrorCode,
  type OAuthTokenVerifier,
  type VerifyBearerTokenOptions,
} from "@modelcontextprotocol/server";
import type { RequestContext } from "./context.ts";
import { authInfoOf, tokenOf } from "./mcp-auth-info.ts";
import type { ProtectOptions, ResourceServer } from "./server.ts";

export { authInfoOf, type McpAuthInfo } from "./mcp-auth-info.ts";

/**
 * The gate of an MCP server, in place of the SDK's `requireBearerAuth`, which knows bearer tokens alone: this one takes tokens
 * that are bound to a DPoP key or a certificate too.
 *
 * @param options.resource - May be left out where the server has one resource only.
 * @param options.scopes - What every call needs; what single tools need beyond it, the SDK's `requireScopes` says.
 * @returns a function that gives what the SDK's handler takes as `authInfo`, or the answer that refuses: 401 or 403 with the
 * challenge.
 * @throws CredenceError `configuration` for a resource that the server does not have.
 * @see MCP authorization, 2026-07-28; RFC 9449 §7.1
 */
export function mcpAuthorize(
  server: ResourceServer,
  options: ProtectOptions = {},
): (request: Request, context?: RequestContext) => Promise<AuthInfo | Response> {
  const resourceMetadataUrl = server.resourceMetadataUrl(options.resource);
  return async (request, context) => {
    const access = await server.authorize(request, options, context);
    if (access instanceof Response) return access;
    return { ...authInfoOf(tokenOf(request.headers.get("authorization")), access), resourceMetadataUrl };
  };
}

/**
 * The options of the SDK's `requireBearerAuth` for one resource of a server. That gate takes bearer tokens alone; see
 * {@link mcpAuthorize}.
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
  // A 401 too: the SDK's gate has no words for a sign-in that is too old or too weak (RFC 9470 §3); mcpAuthorize has.
  ["insufficient_user_authentication", OAuthErrorCode.InvalidToken],
]);
