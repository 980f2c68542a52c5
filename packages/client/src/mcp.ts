/** Plugs a session into the MCP TypeScript SDK v2. Types only come from there: nothing of it is loaded by this module. */
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { buildJwtBearerRequest, JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import type {
  AssertionCallback,
  AuthProvider,
  OAuthClientProvider,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import { AgentError } from "./errors.ts";
import { appClient, checkScope, checkTokenType, type IdJagRequest } from "./exchange.ts";
import type { Session } from "./session.ts";

/**
 * The SDK's two-method provider for one MCP server: this package discovers, exchanges and redeems.
 * A 403 `insufficient_scope` is beyond the SDK's interface; give the transport `fetch: session.fetch` and no provider
 * where scopes differ from call to call.
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
      used = (await session.token(route)).accessToken;
      return used;
    },
    async onUnauthorized({ response, serverUrl }) {
      const token = await session.tokenForChallenge(serverUrl, response, used);
      route = token.route;
    },
  };
}

/** Who the client says it is, in the metadata that the SDK wants. */
export interface ProviderOptions {
  /** `ID-JAG agent` by default. */
  readonly clientName?: string;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
}

/**
 * A full provider for one MCP server: the SDK discovers and redeems, this package exchanges and authenticates.
 * There is nothing interactive in it: a denial is an error, never a redirect.
 *
 * @returns for `new StreamableHTTPClientTransport(url, { authProvider })`. Its methods throw AgentError.
 * @see MCP extension "enterprise-managed authorization"
 */
export function idJagOAuthClientProvider(session: Session, options: ProviderOptions = {}): OAuthClientProvider {
  const { clientName = "ID-JAG agent", now = () => Date.now() / 1_000 } = options;
  let issuer: string | undefined;
  let resource: string | undefined;
  let granted: string | undefined;
  let kept: { readonly tokens: StoredOAuthTokens; readonly until: number } | undefined;

  const here = (): { readonly issuer: string; readonly resource: string } => {
    if (issuer !== undefined && resource !== undefined) return { issuer, resource };
    throw new AgentError("The MCP server does not publish its resource metadata (RFC 9728), which ID-JAG needs.", {
      leg: "discovery",
      party: issuer ?? "the MCP server",
      code: "not_supported",
      reason: "metadata-missing",
    });
  };

  return {
    redirectUrl: undefined,
    clientMetadata: { client_name: clientName, redirect_uris: [], grant_types: [JWT_BEARER_GRANT] },
    async clientInformation(context) {
      const asked = context?.issuer ?? issuer;
      if (asked === undefined) return undefined;
      return information(await appClient(session, asked), asked);
    },
    async addClientAuthentication(headers, params) {
      const server = here().issuer;
      const proof = await addClientAuth(params, await appClient(session, server), server, now());
      for (const [name, value] of Object.entries(proof)) headers.set(name, value);
    },
    saveAuthorizationServerUrl(url) {
      issuer = url;
    },
    authorizationServerUrl: () => issuer,
    saveResourceUrl(url) {
      resource = url;
    },
    resourceUrl: () => resource,
    async prepareTokenRequest(scope) {
      const { issuer: audience, resource: asked } = here();
      const idJag = await session.idJag({ audience, resource: asked, ...(scope ? { scope } : {}) });
      granted = idJag.scope;
      return buildJwtBearerRequest({ assertion: idJag.idJag });
    },
    // An expired token is not worth a call: without one the SDK asks again.
    tokens: () => (kept && kept.until > now() ? kept.tokens : undefined),
    saveTokens(tokens) {
      checkScope(tokens.scope, granted, { leg: "redemption", party: here().issuer });
      checkTokenType(tokens.token_type, { leg: "redemption", party: here().issuer });
      const { refresh_token: _unused, ...good } = tokens;
      kept = { tokens: good, until: now() + (tokens.expires_in ?? 300) * 0.8 };
    },
    invalidateCredentials(scope) {
      if (scope === "tokens" || scope === "all") kept = undefined;
      if (scope === "client" || scope === "all") throw credentialRefused(issuer);
    },
    redirectToAuthorization() {
      throw interactive();
    },
    saveCodeVerifier() {},
    codeVerifier() {
      throw interactive();
    },
  };
}

/** The issuer stands with it, so that the SDK sends it to no other server. */
function information(client: ClientIdentity, issuer: string): { client_id: string; issuer: string } {
  return { client_id: client.clientId, issuer };
}

function credentialRefused(issuer: string | undefined): AgentError {
  return new AgentError("The app's authorization server does not take the agent's credential. Check it in apps.", {
    leg: "redemption",
    party: issuer ?? "the MCP server",
    code: "invalid_client",
  });
}

function interactive(): AgentError {
  return new AgentError("An app is never asked for consent here: the organization decides at its IdP.", {
    leg: "redemption",
    party: "the agent itself",
    code: "not_supported",
    reason: "interactive-flow",
  });
}

/**
 * The `assertion` callback of the SDK's own `CrossAppAccessProvider`.
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
