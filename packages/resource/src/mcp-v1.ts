/** For MCP servers made with the MCP SDK v1 (`@modelcontextprotocol/sdk`), in Express. */
import { errorAnswer, type Refusal } from "@credence/protocol";
import {
  InsufficientScopeError,
  InvalidTokenError,
  type OAuthError,
  ServerError,
} from "@modelcontextprotocol/sdk/server/auth/errors.js";
import type { BearerAuthMiddlewareOptions } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import type { OAuthTokenVerifier } from "@modelcontextprotocol/sdk/server/auth/provider.js";
import type { AuthInfo } from "@modelcontextprotocol/sdk/server/auth/types.js";
import type { CertificateOptions } from "./certificate.ts";
import { authInfoOf, tokenOf } from "./mcp-auth-info.ts";
import { accessOf } from "./node/access.ts";
import { type Next, protect } from "./node/middleware.ts";
import type { NodeIncoming, NodeOutgoing } from "./node/request.ts";
import type { ProtectOptions, ResourceServer } from "./server.ts";

export type { CertificateOptions } from "./certificate.ts";
export { authInfoOf, type McpAuthInfo } from "./mcp-auth-info.ts";

/**
 * The gate of an MCP server, in place of the SDK's `requireBearerAuth`, which knows bearer tokens alone: this one takes tokens
 * that are bound to a DPoP key or a certificate too.
 *
 * @param options.resource - May be left out where the server has one resource only.
 * @param options.scopes - What every call needs.
 * @returns middleware that leaves `req.auth` for the SDK's transports, or answers 401 or 403 with the challenge.
 * @throws CredenceError `configuration` for a resource that the server does not have.
 * @see MCP authorization, 2025-11-25; RFC 9449 §7.1
 */
export function mcpAuthorize(
  server: ResourceServer,
  options: ProtectOptions & CertificateOptions = {},
): (req: NodeIncoming & { auth?: AuthInfo }, res: NodeOutgoing, next: Next) => Promise<void> {
  const gate = protect(server, options);
  return (req, res, next) =>
    gate(req, res, (error) => {
      if (error === undefined) req.auth = authInfoOf(tokenOf(req.headers.authorization), accessOf(req));
      next(error);
    });
}

/**
 * The options of the SDK's `requireBearerAuth` for one resource of a server. That gate takes bearer tokens alone; see
 * {@link mcpAuthorize}.
 *
 * @param options.resource - May be left out where the server has one resource only.
 * @param options.scopes - What every call needs.
 * @see MCP authorization, 2025-11-25
 */
export function mcpBearerAuth(server: ResourceServer, options: ProtectOptions = {}): BearerAuthMiddlewareOptions {
  const [only = ""] = server.resources;
  return {
    verifier: mcpTokenVerifier(server, options),
    requiredScopes: [...(options.scopes ?? [])],
    expectedResource: new URL(options.resource ?? only),
    resourceMetadataUrl: server.resourceMetadataUrl(options.resource),
  };
}

/**
 * A verifier of access tokens for the SDK. What it refuses is on record, under the decision id in the error's message.
 *
 * @param options.resource - May be left out where the server has one resource only.
 * @returns a verifier that throws the SDK's `InvalidTokenError` or `InsufficientScopeError`, or its `ServerError` when a
 * check failed to run.
 */
export function mcpTokenVerifier(server: ResourceServer, options: ProtectOptions = {}): OAuthTokenVerifier {
  // At the start, not at the first call: a resource that the server does not have is a mistake in the set-up.
  server.resourceMetadataUrl(options.resource);
  return {
    async verifyAccessToken(token) {
      const checked = await server.check(token, options);
      if (checked.ok) return authInfoOf(token, checked.value);
      throw sdkError(checked.refusal, checked.decisionId);
    },
  };
}

function sdkError(refusal: Refusal, decisionId: string): OAuthError {
  const { error, error_description: message } = errorAnswer(refusal, decisionId).body;
  switch (error) {
    // A 401 too: the SDK's gate has no words for a sign-in that is too old or too weak (RFC 9470 §3); mcpAuthorize has.
    case "insufficient_user_authentication":
    case "invalid_token":
      return new InvalidTokenError(message);
    case "insufficient_scope":
      return new InsufficientScopeError(message);
    default:
      return new ServerError(message);
  }
}
