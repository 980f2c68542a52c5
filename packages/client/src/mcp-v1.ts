/** Plugs a session into the MCP TypeScript SDK v1. Types only come from there: nothing of it is loaded by this module. */
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js";
import { createProvider, type ProviderOptions } from "./mcp-provider.ts";
import type { Session } from "./session.ts";

export type { ProviderOptions } from "./mcp-provider.ts";

/**
 * A full provider for one MCP server: the SDK discovers and sends, this package exchanges and authenticates. A denial is an
 * error, never a redirect; only with `codeFlow` is a person ever asked, and only where ID-JAGs are not supported.
 *
 * This generation of the SDK knows no DPoP, and does not hand on which scope a challenge names: the organization's default
 * scopes count. For bound tokens, and where scopes matter, give the transport `fetch: session.fetch` and no provider.
 *
 * @returns for `new StreamableHTTPClientTransport(url, { authProvider })`. Its methods throw AgentError.
 * @see MCP extension "enterprise-managed authorization"
 */
export function idJagOAuthClientProvider(session: Session, options: ProviderOptions = {}): OAuthClientProvider {
  return createProvider(session, options, false).provider;
}
