import { isClientSecret } from "@credence/protocol/client-auth";
import type { AdapterPayload } from "oidc-provider";
import type { ClientDocuments } from "../directory/client-documents.ts";
import type { Agent, App, RelyingParty } from "../directory/types.ts";
import { PATHS, urlBelow } from "./paths.ts";

/** What a look-up of an OAuth client needs. */
export interface ClientPorts {
  readonly issuer: string;
  readonly store: {
    agent(id: string): Promise<Agent | undefined>;
    appByRelyingParty(clientId: string): Promise<App | undefined>;
  };
  readonly clientSecrets: ClientSecrets;
  /** What agents say of themselves. */
  readonly documents: Pick<ClientDocuments, "metadata">;
}

/**
 * Resolves the secrets of an agent or relying party that has any: the one that it has now, and while that takes over from
 * another, the one before. Rejects when none can be had.
 */
export type ClientSecrets = (client: Credential) => readonly string[] | Promise<readonly string[]>;

/** A client's id and how it proves itself, whether it is an agent or an app that signs people in. */
export type Credential = Pick<Agent, "id" | "auth">;

/** The page of one's own account, as a client of this IdP. No agent and no app can have this id. */
export const ACCOUNT_CLIENT_ID = "_account";

/** A host that nobody can have. @see RFC 6761 §6.4 */
const SECTOR_HOST = "apps.credence.invalid";

/** Longest client id in characters: a client id may be a URL. */
const CLIENT_ID_MAX = 2048;

/**
 * Reads an agent, or an app that signs people in, as an OAuth client; fresh at every look-up: what is disabled is unknown at
 * once.
 *
 * @returns client metadata; `undefined` for an unknown or disabled client. Rejects when an agent's document can not be had.
 * @see RFC 7591 §2
 */
export async function findClient(ports: ClientPorts, clientId: string): Promise<AdapterPayload | undefined> {
  if (clientId.length > CLIENT_ID_MAX) return undefined;
  if (clientId === ACCOUNT_CLIENT_ID) return accountMetadata(ports);
  const agent = await ports.store.agent(clientId);
  if (agent?.enabled) return agentMetadata(agent, ports);
  if (agent !== undefined) return undefined;
  const app = await ports.store.appByRelyingParty(clientId);
  return app?.enabled && app.sso ? relyingPartyMetadata(app, app.sso, ports) : undefined;
}

/** Where the page of one's own account waits for the end of a sign-in. */
export function accountRedirectUri(issuer: string): string {
  return urlBelow(issuer, `${PATHS.account}/signed-in`);
}

/**
 * The page of one's own account asks for a sign-in as agents do. It never redeems the code: nobody knows the verifier, and the
 * session is all that it wants.
 */
function accountMetadata({ issuer }: Pick<ClientPorts, "issuer">): AdapterPayload {
  const redirectUris = [accountRedirectUri(issuer)];
  return {
    ...commonMetadata({ id: ACCOUNT_CLIENT_ID, name: "Your account", redirectUris, postLogoutRedirectUris: [] }),
    token_endpoint_auth_method: "none",
  };
}

/**
 * Whether a secret is one of the client's: it may have two, while one takes over from the other.
 * @see RFC 6749 §2.3.1
 */
export async function isSecretOf(ports: ClientPorts, clientId: string, secret: string): Promise<boolean> {
  const agent = await ports.store.agent(clientId);
  const auth = agent === undefined ? (await ports.store.appByRelyingParty(clientId))?.sso?.auth : agent.auth;
  if (auth === undefined || !("secret" in auth)) return false;
  return isClientSecret(secret, await ports.clientSecrets({ id: clientId, auth }));
}

async function agentMetadata(agent: Agent, ports: ClientPorts): Promise<AdapterPayload> {
  if (agent.auth.method === "client_id_metadata_document") return documentMetadata(agent, ports);
  const { id, name, redirectUris, postLogoutRedirectUris, dpopBound, idTokenAlg } = agent;
  return {
    ...commonMetadata({ id, name, redirectUris, postLogoutRedirectUris, idTokenAlg }),
    ...(await credentialMetadata(agent, ports)),
    ...(dpopBound ? { dpop_bound_access_tokens: true } : {}),
  };
}

/** The organization lists the agent; what it is like, its own document says. */
async function documentMetadata(
  { id, name, dpopBound, idTokenAlg }: Agent,
  { documents }: ClientPorts,
): Promise<AdapterPayload> {
  const metadata = await documents.metadata(id);
  const { redirect_uris: redirectUris, post_logout_redirect_uris: postLogoutRedirectUris = [] } = metadata;
  return {
    // The organization's name for it: a document could call itself anything.
    ...commonMetadata({ id, name, redirectUris, postLogoutRedirectUris, idTokenAlg }),
    token_endpoint_auth_method: metadata.token_endpoint_auth_method,
    ...(metadata.jwks === undefined ? {} : { jwks: { keys: [...metadata.jwks.keys] } }),
    ...(metadata.jwks_uri === undefined ? {} : { jwks_uri: metadata.jwks_uri }),
    ...(dpopBound || metadata.dpop_bound_access_tokens ? { dpop_bound_access_tokens: true } : {}),
  };
}

async function relyingPartyMetadata(app: App, sso: RelyingParty, ports: ClientPorts): Promise<AdapterPayload> {
  const { clientId: id, auth, redirectUris, postLogoutRedirectUris, idTokenAlg } = sso;
  return {
    ...commonMetadata({ id, name: app.name, redirectUris, postLogoutRedirectUris, idTokenAlg }),
    ...(await credentialMetadata({ id, auth }, ports)),
    // The name that the app's ID-JAGs have. oidc-provider wants a URI for the sector; nobody fetches this one.
    subject_type: "pairwise",
    sector_identifier_uri: `https://${SECTOR_HOST}/${encodeURIComponent(app.id)}`,
  };
}

function commonMetadata(
  client: Pick<Agent, "id" | "name" | "redirectUris" | "postLogoutRedirectUris"> & {
    readonly idTokenAlg?: Agent["idTokenAlg"] | undefined;
  },
): AdapterPayload {
  const { id, name, redirectUris, postLogoutRedirectUris, idTokenAlg } = client;
  return {
    client_id: id,
    client_name: name,
    application_type: applicationType([...redirectUris, ...postLogoutRedirectUris]),
    redirect_uris: [...redirectUris],
    post_logout_redirect_uris: [...postLogoutRedirectUris],
    // Without a redirect URI an agent signs nobody in; it may still exchange.
    response_types: redirectUris.length > 0 ? ["code"] : [],
    grant_types: redirectUris.length > 0 ? ["authorization_code", "refresh_token"] : [],
    response_modes: ["query"],
    ...(idTokenAlg === undefined ? {} : { id_token_signed_response_alg: idTokenAlg }),
  };
}

async function credentialMetadata(client: Credential, ports: ClientPorts): Promise<AdapterPayload> {
  const { auth } = client;
  switch (auth.method) {
    case "client_secret_basic":
    case "client_secret_post":
      return { token_endpoint_auth_method: auth.method, client_secret: (await ports.clientSecrets(client))[0] };
    case "private_key_jwt":
      return {
        token_endpoint_auth_method: auth.method,
        ...("jwks" in auth ? { jwks: { keys: auth.jwks.keys } } : { jwks_uri: auth.jwksUri }),
      };
    case "none":
    case "client_id_metadata_document":
      return { token_endpoint_auth_method: "none" };
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
