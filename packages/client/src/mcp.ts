/** Plugs a session into the MCP TypeScript SDK v2. Types only come from there: nothing of it is loaded by this module. */
import type { AssertionCallback, AuthProvider, DpopSession, OAuthClientProvider } from "@modelcontextprotocol/client";
import type { Prover } from "./dpop.ts";
import { AgentError } from "./errors.ts";
import type { IdJagRequest } from "./exchange.ts";
import { createProvider, type ProviderOptions } from "./mcp-provider.ts";
import type { Session } from "./session.ts";

export type { ProviderOptions } from "./mcp-provider.ts";

/**
 * The SDK's two-method provider for one MCP server: this package discovers, exchanges and redeems.
 * A 403 `insufficient_scope` and DPoP are beyond the SDK's interface; give the transport `fetch: session.fetch` and no provider
 * where scopes differ from call to call, or where tokens are bound.
 *
 * @returns for `new StreamableHTTPClientTransport(url, { authProvider })`. Its methods throw AgentError.
 * @see MCP extension "enterprise-managed authorization"
 */
export function mcpAuthProvider(session: Session): AuthProvider {
  let route: IdJagRequest | undefined;
  let used: string | undefined;
  return {
    async token() {
      // Before the first challenge nothing is known of the server, so nothing is sent to it.
      if (route === undefined) return undefined;
      const { accessToken, tokenType, issuer } = await session.token(route);
      if (tokenType === "DPoP") throw bearerAlone(issuer);
      used = accessToken;
      return used;
    },
    async onUnauthorized({ response, serverUrl }) {
      const token = await session.tokenForChallenge(serverUrl, response, used);
      route = token.route;
    },
  };
}

function bearerAlone(party: string): AgentError {
  return new AgentError(
    "This provider of the SDK sends bearer tokens alone, and the agent's are bound to its key. Give the transport session.fetch, or idJagOAuthClientProvider.",
    { leg: "call", party, code: "not_supported", reason: "dpop-not-supported" },
  );
}

/**
 * A full provider for one MCP server: the SDK discovers and sends, this package exchanges, authenticates and proves. A denial
 * is an error, never a redirect; only with `codeFlow` is a person ever asked, and only where ID-JAGs are not supported.
 *
 * @returns for `new StreamableHTTPClientTransport(url, { authProvider })`. Its methods throw AgentError.
 * @see MCP extension "enterprise-managed authorization", RFC 9449 §5, §7.1
 */
export function idJagOAuthClientProvider(session: Session, options: ProviderOptions = {}): OAuthClientProvider {
  const { provider, boundTo } = createProvider(session, options, true);
  if (session.dpop === undefined) return provider;
  return {
    ...provider,
    dpop() {
      const prover = boundTo();
      return prover && dpopSession(prover);
    },
  };
}

/** The SDK's class is nominal by its private members alone; of a provider's session it calls these two methods. */
function dpopSession(prover: Prover): DpopSession {
  const session: Pick<DpopSession, "buildProof" | "observeNonce"> = {
    async buildProof({ htm, htu, accessToken }) {
      const place = accessToken === undefined ? "token" : "resource";
      return (await prover.headers(place, htm, String(htu), accessToken)).dpop;
    },
    observeNonce(response, url) {
      // It does not say which of the two it asked; a nonce that was not meant for one is answered with a better one.
      for (const place of ["token", "resource"] as const) prover.note(place, String(url), response.headers);
    },
  };
  return session as unknown as DpopSession;
}

/**
 * The `assertion` callback of the SDK's own `CrossAppAccessProvider`, which proves no key: an agent whose `dpop` is required gets no
 * token by it.
 *
 * @returns a function that gives an ID-JAG for the server and resource that the SDK discovered. It throws AgentError.
 * @see MCP extension "enterprise-managed authorization"
 */
export function idJagAssertion(session: Session): AssertionCallback {
  return async ({ authorizationServerUrl, resourceUrl, scope }) => {
    const request = { audience: authorizationServerUrl, resource: resourceUrl, ...(scope ? { scope } : {}) };
    return (await session.idJag(request)).idJag;
  };
}
