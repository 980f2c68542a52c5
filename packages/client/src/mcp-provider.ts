/** What both generations of the MCP TypeScript SDK share: an OAuth client provider made of a session. */
import { addClientAuth, type ClientIdentity } from "@credence/protocol/client-auth";
import { buildJwtBearerRequest, JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import {
  type AuthorizationServerMetadata,
  parseAuthorizationServerMetadata,
  redeemsIdJags,
} from "@credence/protocol/metadata";
import { authorizeAtApp, type CodeFlow } from "./code-flow.ts";
import { type Prover, takesProofs } from "./dpop.ts";
import { AgentError, mismatch, placed } from "./errors.ts";
import { appClient, checkScope, checkTokenType } from "./exchange.ts";
import { identityOf } from "./registration.ts";
import type { Session } from "./session.ts";

/** Who the client says it is, in the metadata that the SDK wants. */
export interface ProviderOptions {
  /** `ID-JAG agent` by default. */
  readonly clientName?: string;
  /**
   * The app's own code flow, for servers that do not support ID-JAGs or do not know the agent; never after a denial. Without
   * it there is nothing interactive in the provider.
   */
  readonly codeFlow?: CodeFlow;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
}

/** Client information as the SDK stores it, with the issuer that it belongs to. */
interface Information {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly token_endpoint_auth_method?: string;
  readonly issuer?: string;
}

/** Tokens as the SDK hands them over. */
interface Tokens {
  access_token: string;
  token_type: string;
  expires_in?: number;
  scope?: string;
  refresh_token?: string;
}

/** What the SDK found out, as far as it is read here. */
interface Discovered {
  readonly authorizationServerUrl: string;
  readonly authorizationServerMetadata?: unknown;
  readonly resourceMetadata?: { readonly resource?: unknown } | undefined;
}

/** The members that both generations of the SDK call. */
export interface Provider {
  readonly redirectUrl: undefined;
  readonly clientMetadataUrl?: string;
  readonly clientMetadata: { client_name: string; redirect_uris: string[]; grant_types: string[] };
  clientInformation(context?: { readonly issuer?: string }): Promise<Information | undefined>;
  saveClientInformation?(information: Information): void;
  addClientAuthentication(headers: Headers, params: URLSearchParams, url: string | URL): Promise<void>;
  saveDiscoveryState(state: Discovered): void;
  prepareTokenRequest(scope?: string): Promise<URLSearchParams>;
  tokens(): Tokens | undefined;
  saveTokens(tokens: Tokens): void;
  invalidateCredentials(scope: string): void;
  redirectToAuthorization(): never;
  saveCodeVerifier(): void;
  codeVerifier(): never;
}

/** The server that the SDK has found. */
interface Server {
  readonly metadata: AuthorizationServerMetadata;
  readonly resource: string | undefined;
}

/**
 * Makes a provider: the SDK discovers and sends, this package exchanges, authenticates, proves and checks.
 *
 * @param proves - Whether this SDK sends DPoP proofs: what it can not prove is not bound.
 * @returns the provider, and the key that its tokens are bound to: `undefined` where they are not.
 */
export function createProvider(
  session: Session,
  options: ProviderOptions,
  proves: boolean,
): { readonly provider: Provider; boundTo(): Prover | undefined } {
  const { clientName = "ID-JAG agent", codeFlow, now = () => Date.now() / 1_000 } = options;
  const registered = new Map<string, Information>();
  let server: Server | undefined;
  let granted: string | undefined;
  let sent: string | undefined;
  let bound = false;
  let kept: { readonly tokens: Tokens; readonly until: number } | undefined;
  /** Of the code flow alone: an ID-JAG brings none that is worth keeping. */
  let refresh: { readonly token: string; readonly scope: string | undefined } | undefined;

  const binds = (metadata: AuthorizationServerMetadata): boolean => {
    if (proves && session.dpop !== undefined && takesProofs(metadata)) return true;
    return session.dpop?.required ? unsupported(metadata.issuer, "dpop-not-supported", "gets no DPoP proofs") : false;
  };
  const here = (): Server => server ?? unsupported("the MCP server", "metadata-missing", "publishes no metadata");
  const mayIntroduce = codeFlow?.register !== undefined || codeFlow?.clientMetadataUrl !== undefined;

  async function identity(issuer: string): Promise<ClientIdentity> {
    const own = registered.get(issuer);
    const given = own && identityOf({ ...own }, here().metadata);
    return given ?? appClient(session, issuer);
  }

  async function byIdJag(scope: string | undefined): Promise<URLSearchParams> {
    const { metadata, resource } = here();
    const { issuer: audience } = metadata;
    if (!redeemsIdJags(metadata)) unsupported(audience, "id-jag-not-redeemed", "does not redeem ID-JAGs");
    if (resource === undefined) unsupported(audience, "metadata-missing", "is named by no resource (RFC 9728)");
    const idJag = await session.idJag({ audience, resource, bind: binds(metadata), ...(scope ? { scope } : {}) });
    bound = idJag.claims.cnf?.jkt !== undefined;
    granted = idJag.scope;
    sent = idJag.idJag;
    return buildJwtBearerRequest({ assertion: idJag.idJag });
  }

  async function byCodeFlow(flow: CodeFlow, scope: string | undefined): Promise<URLSearchParams> {
    const { metadata, resource } = here();
    bound = binds(metadata);
    granted = scope;
    if (refresh && refresh.scope === scope) {
      const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: refresh.token });
      refresh = undefined;
      return form;
    }
    refresh = undefined;
    const { clientId } = await identity(metadata.issuer);
    const asked = { clientId, resource, ...(scope ? { scope } : {}), development: session.development };
    return authorizeAtApp(flow, metadata, asked);
  }

  const provider: Provider = {
    redirectUrl: undefined,
    ...(codeFlow?.clientMetadataUrl === undefined ? {} : { clientMetadataUrl: codeFlow.clientMetadataUrl }),
    clientMetadata: {
      client_name: codeFlow?.register?.clientName ?? clientName,
      redirect_uris: codeFlow ? [codeFlow.redirectUri] : [],
      grant_types: codeFlow ? ["authorization_code", "refresh_token"] : [JWT_BEARER_GRANT],
    },
    async clientInformation(context) {
      const issuer = context?.issuer ?? server?.metadata.issuer;
      if (issuer === undefined) return undefined;
      const known = registered.get(issuer);
      if (known) return known;
      const configured = await session.clientAt(issuer);
      if (configured === undefined && mayIntroduce) return undefined;
      // The issuer stands with it, so that the SDK sends it to no other server.
      return { client_id: (configured ?? (await appClient(session, issuer))).clientId, issuer };
    },
    ...(mayIntroduce
      ? {
          saveClientInformation(information: Information) {
            registered.set(information.issuer ?? here().metadata.issuer, information);
          },
        }
      : {}),
    async addClientAuthentication(headers, params, url) {
      const { issuer, token_endpoint: endpoint } = here().metadata;
      // The SDK may be on its way to two servers at once: what is for one never goes to the other.
      if (new URL(url).href !== new URL(endpoint).href) {
        const where = { leg: "redemption", party: issuer } as const;
        throw mismatch(where, "token-endpoint", "the token request is on its way to another server's endpoint");
      }
      const proof = await addClientAuth(params, await identity(issuer), issuer, now());
      for (const [name, value] of Object.entries(proof)) headers.set(name, value);
    },
    saveDiscoveryState({ authorizationServerUrl: url, authorizationServerMetadata: metadata, resourceMetadata }) {
      const resource = resourceMetadata?.resource;
      server = metadata === undefined ? undefined : { metadata: read(metadata, url), resource: textOf(resource) };
    },
    async prepareTokenRequest(scope) {
      const { metadata } = here();
      const { issuer } = metadata;
      return placed({ leg: "discovery", party: issuer }, async () => {
        const other = registered.has(issuer) || !redeemsIdJags(metadata);
        return codeFlow && other ? byCodeFlow(codeFlow, scope) : byIdJag(scope);
      });
    },
    // An expired token is not worth a call: without one the SDK asks again.
    tokens: () => (kept && kept.until > now() ? kept.tokens : undefined),
    saveTokens(tokens) {
      const where = { leg: "redemption", party: here().metadata.issuer } as const;
      checkScope(tokens.scope, granted, where);
      checkTokenType(tokens.token_type, where, bound);
      if (tokens.access_token === sent) throw mismatch(where, "id-jag-returned", "it gave the ID-JAG back");
      const { refresh_token: token, ...good } = tokens;
      refresh = token === undefined ? undefined : { token, scope: granted };
      kept = { tokens: good, until: now() + (tokens.expires_in ?? 300) * 0.8 };
    },
    invalidateCredentials(scope) {
      if (scope === "tokens" || scope === "all") kept = undefined;
      if (scope === "client" || scope === "all") throw credentialRefused(server?.metadata.issuer);
    },
    redirectToAuthorization() {
      throw interactive();
    },
    saveCodeVerifier() {},
    codeVerifier() {
      throw interactive();
    },
  };
  return { provider, boundTo: () => (bound ? session.dpop : undefined) };
}

/** RFC 8414 §3.3: not every generation of the SDK compares the issuer. */
function read(metadata: unknown, url: string): AuthorizationServerMetadata {
  try {
    return parseAuthorizationServerMetadata(metadata, url);
  } catch (cause) {
    // A URL object writes an issuer without a path with a slash at its end.
    if (!url.endsWith("/")) throw cause;
    return parseAuthorizationServerMetadata(metadata, url.slice(0, -1));
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function unsupported(party: string, reason: string, what: string): never {
  throw new AgentError(`${party} ${what}, so no token can be had for this agent. Ask its operator.`, {
    leg: "discovery",
    party,
    code: "not_supported",
    reason,
  });
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
