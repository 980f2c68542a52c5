import type { AdapterPayload } from "oidc-provider";
import type { Agent } from "../directory/types.ts";

/** What a look-up of an OAuth client needs. */
export interface ClientPorts {
  readonly store: { agent(id: string): Promise<Agent | undefined> };
  /** Resolves the secret of an agent that has one. */
  readonly clientSecret: (agent: Agent) => string | Promise<string>;
}

/** Longest client id in characters: a client id may be a URL. */
const CLIENT_ID_MAX = 2048;

/**
 * Reads an agent as an OAuth client, fresh at every look-up: a disabled agent is unknown at once.
 *
 * @returns client metadata; `undefined` for an unknown or disabled agent.
 * @see RFC 7591 §2
 */
export async function findClient(ports: ClientPorts, clientId: string): Promise<AdapterPayload | undefined> {
  if (clientId.length > CLIENT_ID_MAX) return undefined;
  const agent = await ports.store.agent(clientId);
  if (agent === undefined || !agent.enabled) return undefined;
  return { ...commonMetadata(agent), ...(await credentialMetadata(agent, ports)) };
}

function commonMetadata(agent: Agent): AdapterPayload {
  return {
    client_id: agent.id,
    client_name: agent.name,
    application_type: applicationType([...agent.redirectUris, ...agent.postLogoutRedirectUris]),
    redirect_uris: [...agent.redirectUris],
    post_logout_redirect_uris: [...agent.postLogoutRedirectUris],
    // Without a redirect URI an agent signs nobody in; it may still exchange.
    response_types: agent.redirectUris.length > 0 ? ["code"] : [],
    grant_types: agent.redirectUris.length > 0 ? ["authorization_code", "refresh_token"] : [],
    response_modes: ["query"],
    token_endpoint_auth_method: agent.auth.method,
  };
}

async function credentialMetadata(agent: Agent, ports: ClientPorts): Promise<AdapterPayload> {
  switch (agent.auth.method) {
    case "client_secret_basic":
    case "client_secret_post":
      return { client_secret: await ports.clientSecret(agent) };
    case "private_key_jwt":
      return { jwks: { keys: agent.auth.jwks.keys } };
    case "none":
      return {};
  }
}

/** Native when it redirects to this computer or to a scheme of its own. @see RFC 8252 §7 */
function applicationType(uris: readonly string[]): "native" | "web" {
  const parsed = uris.map((uri) => URL.parse(uri));
  const own = parsed.some((url) => url !== null && (isLoopbackIp(url) || !/^https?:$/.test(url.protocol)));
  const foreign = parsed.some((url) => url === null || (url.protocol === "http:" && !isLoopback(url)));
  return own && !foreign ? "native" : "web";
}

/**
 * Whether a redirect goes to a loopback address, given as an address: there any port is good. Two addresses and no name, on
 * purpose: a code must not go to whatever a name resolves to. @see RFC 8252 §7.3, §8.3
 */
export function isLoopbackIp(url: URL): boolean {
  return url.protocol === "http:" && (url.hostname === "127.0.0.1" || url.hostname === "[::1]");
}

/**
 * Whether a redirect goes to this computer, by address or by name. Narrower than `isLoopbackHost` of the protocol, on
 * purpose: these three are the hosts that oidc-provider takes for a native app's. @see RFC 8252 §7.3
 */
export function isLoopback(url: URL): boolean {
  return isLoopbackIp(url) || (url.protocol === "http:" && url.hostname === "localhost");
}
