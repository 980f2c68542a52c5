import { asObject, asStrings } from "./encoding.ts";
import { CredenceError } from "./errors.ts";
import { isLoopbackHost } from "./fetch.ts";
import { ID_JAG_GRANT_PROFILE } from "./id-jag.ts";
import { type JwkSet, type PublicJwk, parseJwks } from "./jws.ts";
import { JWT_BEARER_GRANT } from "./jwt-bearer.ts";
import { TOKEN_EXCHANGE_GRANT } from "./token-exchange.ts";

/** What a client says of itself, as far as we read it. @see RFC 7591 §2, ID-JAG draft §8 */
export interface ClientMetadata {
  /** In a client ID metadata document: the URL of the document itself. */
  readonly client_id: string;
  readonly client_name?: string;
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris?: readonly string[];
  readonly grant_types?: readonly string[];
  readonly token_endpoint_auth_method: "private_key_jwt" | "none";
  readonly jwks?: JwkSet;
  readonly jwks_uri?: string;
  readonly authorization_grant_profiles_supported?: readonly string[];
  readonly dpop_bound_access_tokens?: boolean;
}

/** Characters of a client id that is a URL, at the most. */
const MAX_CLIENT_ID = 2_048;

/**
 * Whether a client id can be the URL of its own metadata: https with a path, no fragment, no credentials, no dot segments.
 *
 * @param allowLoopback - Development only: allows `http:` on this machine itself.
 * @see draft-ietf-oauth-client-id-metadata-document §3
 */
export function isClientIdUrl(clientId: string, allowLoopback: boolean = false): boolean {
  if (clientId.length > MAX_CLIENT_ID || !URL.canParse(clientId)) return false;
  const url = new URL(clientId);
  const secure =
    url.protocol === "https:" || (allowLoopback && url.protocol === "http:" && isLoopbackHost(url.hostname));
  // The parser has resolved dot segments: a URL that had some is no longer written as it came.
  const asWritten = url.href === clientId;
  return secure && asWritten && url.pathname !== "/" && !clientId.includes("#") && !url.username && !url.password;
}

/**
 * Parses a client ID metadata document.
 *
 * @param value - Parsed JSON.
 * @param clientId - The URL that it was fetched from: its `client_id`, letter by letter.
 * @throws CredenceError `response_invalid`, with a `reason` that names the member.
 * @see draft-ietf-oauth-client-id-metadata-document §4, ID-JAG draft §8
 */
export function parseClientMetadata(value: unknown, clientId: string): ClientMetadata {
  const document = asObject(value);
  if (document === undefined) throw wrong("document", "is not a JSON object");
  if (document.client_id !== clientId) throw wrong("client_id", "is not the URL of the document");
  // A document is public: what stands in it is no secret.
  for (const name of ["client_secret", "client_secret_expires_at"]) {
    if (document[name] !== undefined) throw wrong(name, "must not stand in a public document");
  }
  const method = document.token_endpoint_auth_method ?? "none";
  if (method !== "private_key_jwt" && method !== "none") {
    throw wrong("token_endpoint_auth_method", "is neither private_key_jwt nor none");
  }
  for (const name of LISTS) {
    if (document[name] !== undefined && !asStrings(document[name])) throw wrong(name, "is not a list of strings");
  }
  for (const name of ["redirect_uris", "post_logout_redirect_uris"]) {
    if (!(asStrings(document[name]) ?? []).every(isRedirectUri))
      throw wrong(name, "has one that nobody may be sent to");
  }
  const { client_name: name, jwks_uri: jwksUri, dpop_bound_access_tokens: dpopBound } = document;
  if (name !== undefined && (typeof name !== "string" || name.length > 200))
    throw wrong("client_name", "is not a name");
  if (dpopBound !== undefined && typeof dpopBound !== "boolean")
    throw wrong("dpop_bound_access_tokens", "is no boolean");
  if (jwksUri !== undefined && !(typeof jwksUri === "string" && URL.canParse(jwksUri))) {
    throw wrong("jwks_uri", "is not a URL");
  }
  const jwks = document.jwks === undefined ? undefined : publicKeys(document.jwks);
  if (jwks !== undefined && jwksUri !== undefined) throw wrong("jwks", "stands beside jwks_uri");
  if (method === "private_key_jwt" && jwks === undefined && jwksUri === undefined) throw wrong("jwks", "is missing");
  checkGrantProfile(asStrings(document.authorization_grant_profiles_supported), asStrings(document.grant_types));
  const lists = LISTS.flatMap((list) => {
    const strings = asStrings(document[list]);
    return strings === undefined ? [] : [[list, strings] as const];
  });
  return {
    redirect_uris: [],
    ...Object.fromEntries(lists),
    client_id: clientId,
    token_endpoint_auth_method: method,
    ...(name === undefined ? {} : { client_name: name }),
    ...(jwks === undefined ? {} : { jwks }),
    ...(jwksUri === undefined ? {} : { jwks_uri: jwksUri }),
    ...(dpopBound === undefined ? {} : { dpop_bound_access_tokens: dpopBound }),
  };
}

/**
 * Whether a client may have people sent there: by https, to this machine itself, or to an application by a scheme that is a
 * domain turned round. No fragment, and nothing that a browser would run or read.
 * @see RFC 6749 §3.1.2, RFC 8252 §7
 */
function isRedirectUri(uri: string): boolean {
  if (uri.length > MAX_CLIENT_ID || uri.includes("#") || !URL.canParse(uri)) return false;
  const { protocol, hostname, username, password } = new URL(uri);
  if (username || password) return false;
  if (protocol === "http:") return isLoopbackHost(hostname);
  return protocol === "https:" || protocol.includes(".");
}

const LISTS = [
  "redirect_uris",
  "post_logout_redirect_uris",
  "grant_types",
  "authorization_grant_profiles_supported",
] as const;

/**
 * Whether a client that says so much of itself may exchange and redeem: one that says nothing of grants may.
 * @see ID-JAG draft §8
 */
export function usesIdJag({
  grant_types: grants,
  authorization_grant_profiles_supported: profiles,
}: Pick<ClientMetadata, "grant_types" | "authorization_grant_profiles_supported">): boolean {
  if (profiles !== undefined && !profiles.includes(ID_JAG_GRANT_PROFILE)) return false;
  return grants === undefined || grants.includes(TOKEN_EXCHANGE_GRANT);
}

/** ID-JAG draft §8: whoever names the profile names both grants. */
function checkGrantProfile(profiles: readonly string[] | undefined, grants: readonly string[] | undefined): void {
  if (!profiles?.includes(ID_JAG_GRANT_PROFILE)) return;
  if (grants?.includes(TOKEN_EXCHANGE_GRANT) && grants.includes(JWT_BEARER_GRANT)) return;
  throw wrong("grant_types", "does not list token-exchange and jwt-bearer, as the ID-JAG profile demands");
}

function publicKeys(value: unknown): JwkSet {
  const keys = asObject(value)?.keys;
  const secret = (jwk: unknown) => ["d", "p", "q", "k"].some((member) => asObject(jwk)?.[member] !== undefined);
  if (Array.isArray(keys) && keys.some(secret)) throw wrong("jwks", "has a private or symmetric key");
  const jwks = parseJwks(value);
  if (jwks === undefined || jwks.keys.length === 0) throw wrong("jwks", "has no public key");
  return jwks;
}

/** What a client's metadata document is made of. */
export interface ClientMetadataParameters {
  /** The URL at which the document will stand. */
  readonly clientId: string;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris?: readonly string[];
  /** Public keys of `private_key_jwt`: themselves, or where they are; without either the client is public. */
  readonly keys?: { readonly jwks: readonly PublicJwk[] } | { readonly jwksUri: string };
  /** Whether every token of this client is to be bound to a DPoP key. @see RFC 9449 §5.2 */
  readonly dpopBound?: boolean;
}

/**
 * Builds the metadata document of an agent that uses ID-JAGs: to be served as JSON at its client id.
 *
 * @returns the document; private members of keys are left out.
 * @throws CredenceError `configuration` when the client id can not be the URL of a document.
 * @see draft-ietf-oauth-client-id-metadata-document §4, ID-JAG draft §8
 */
export function buildClientMetadata(parameters: ClientMetadataParameters): ClientMetadata {
  const { clientId, name, redirectUris, postLogoutRedirectUris, keys, dpopBound } = parameters;
  if (!isClientIdUrl(clientId, true)) {
    throw new CredenceError("The client id is not an https URL with a path, as a metadata document's must be", {
      code: "configuration",
    });
  }
  return {
    client_id: clientId,
    client_name: name,
    redirect_uris: redirectUris,
    ...(postLogoutRedirectUris === undefined ? {} : { post_logout_redirect_uris: postLogoutRedirectUris }),
    grant_types: ["authorization_code", "refresh_token", TOKEN_EXCHANGE_GRANT, JWT_BEARER_GRANT],
    authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE],
    token_endpoint_auth_method: keys === undefined ? "none" : "private_key_jwt",
    ...(keys === undefined ? {} : "jwks" in keys ? { jwks: publicOnly(keys.jwks) } : { jwks_uri: keys.jwksUri }),
    ...(dpopBound === undefined ? {} : { dpop_bound_access_tokens: dpopBound }),
  };
}

function publicOnly(keys: readonly PublicJwk[]): JwkSet {
  return parseJwks({ keys }) ?? { keys: [] };
}

function wrong(member: string, how: string): CredenceError {
  return new CredenceError(`The client metadata's ${member} ${how}`, {
    code: "response_invalid",
    reason: `client-metadata-${member.replaceAll("_", "-")}`,
  });
}
