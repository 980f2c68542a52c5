import { asObject, asStrings } from "./encoding.ts";
import { CredenceError } from "./errors.ts";
import { ID_JAG_GRANT_PROFILE, ID_JAG_TOKEN_TYPE } from "./id-jag.ts";
import { JWT_BEARER_GRANT } from "./jwt-bearer.ts";
import { TOKEN_EXCHANGE_GRANT } from "./token-exchange.ts";

export { buildChallenge, type Challenge, parseChallenges } from "./challenge.ts";
export {
  buildClientMetadata,
  type ClientMetadata,
  type ClientMetadataParameters,
  isClientIdUrl,
  parseClientMetadata,
  usesIdJag,
} from "./client-metadata.ts";

/** Metadata of an authorization server, as far as we read it. @see RFC 8414 §2 */
export interface AuthorizationServerMetadata {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly authorization_endpoint?: string;
  readonly jwks_uri?: string;
  readonly grant_types_supported?: readonly string[];
  readonly token_endpoint_auth_methods_supported?: readonly string[];
  readonly scopes_supported?: readonly string[];
  readonly authorization_grant_profiles_supported?: readonly string[];
  readonly identity_chaining_requested_token_types_supported?: readonly string[];
  readonly dpop_signing_alg_values_supported?: readonly string[];
  /** Where clients that show a certificate go instead. @see RFC 8705 §5 */
  readonly mtls_endpoint_aliases?: { readonly token_endpoint?: string };
}

/** Metadata of a protected resource, as far as we read it. @see RFC 9728 §2 */
export interface ProtectedResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported?: readonly string[];
}

/**
 * The URLs at which a server's metadata may stand, in the order to try them.
 *
 * @param issuer - Issuer identifier: an absolute URL.
 * @see RFC 8414 §3.1, OpenID Connect Discovery §4
 */
export function authorizationServerMetadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === "/" ? "" : pathname.replace(/\/$/, "");
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    ...(path === "" ? [] : [`${origin}/.well-known/openid-configuration${path}`]),
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

/**
 * The URLs at which a resource's metadata may stand, in the order to try them: path-inserted, then at the root.
 * @see RFC 9728 §3.1
 */
export function protectedResourceMetadataUrls(resource: string): readonly string[] {
  const { origin, pathname, search } = new URL(resource);
  const path = pathname === "/" ? "" : pathname;
  const root = `${origin}/.well-known/oauth-protected-resource`;
  return path + search === "" ? [root] : [`${root}${path}${search}`, root];
}

/**
 * Parses an authorization server's metadata.
 *
 * @param value - Parsed JSON.
 * @param issuer - The identifier that it was looked up for: compared letter by letter (RFC 8414 §3.3).
 * @throws CredenceError `response_invalid`, with a `reason` that names the member.
 */
export function parseAuthorizationServerMetadata(value: unknown, issuer: string): AuthorizationServerMetadata {
  const metadata = asObject(value);
  if (metadata === undefined) throw wrong("authorization server", "document", "is not a JSON object");
  if (metadata.issuer !== issuer) {
    const named = isShown(metadata.issuer) ? metadata.issuer : "none that can be shown";
    throw wrong("authorization server", "issuer", `is not ${issuer}, letter by letter: it names ${named}`);
  }
  if (!isUrl(metadata.token_endpoint)) throw wrong("authorization server", "token_endpoint", "is not a URL");
  for (const name of ["authorization_endpoint", "jwks_uri"]) {
    if (metadata[name] !== undefined && !isUrl(metadata[name]))
      throw wrong("authorization server", name, "is not a URL");
  }
  const { mtls_endpoint_aliases: named } = metadata;
  const aliases = named === undefined ? {} : asObject(named);
  if (aliases === undefined || (aliases.token_endpoint !== undefined && !isUrl(aliases.token_endpoint)))
    throw wrong("authorization server", "mtls_endpoint_aliases", "does not name URLs");
  for (const name of [
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "scopes_supported",
    "authorization_grant_profiles_supported",
    "identity_chaining_requested_token_types_supported",
    "dpop_signing_alg_values_supported",
  ]) {
    if (metadata[name] !== undefined && !asStrings(metadata[name])) {
      throw wrong("authorization server", name, "is not a list of strings");
    }
  }
  // Each member that the type names was checked above.
  return metadata as unknown as AuthorizationServerMetadata;
}

/** Authorization servers that a resource may name. */
const MAX_SERVERS = 20;

/**
 * Parses a protected resource's metadata.
 *
 * @param value - Parsed JSON.
 * @param url - The URL that a call was made to: the metadata's `resource` must cover it.
 * @throws CredenceError `response_invalid`, with a `reason` that names the member.
 * @see RFC 9728 §3.3
 */
export function parseProtectedResourceMetadata(value: unknown, url: string): ProtectedResourceMetadata {
  const metadata = asObject(value);
  const resource = metadata?.resource;
  if (!isUrl(resource)) throw wrong("protected resource", "resource", "is not a URL");
  if (!covers(resource, url)) throw wrong("protected resource", "resource", "does not cover the URL that was called");
  const servers = asStrings(metadata?.authorization_servers);
  if (!servers?.length || !servers.every(isUrl))
    throw wrong("protected resource", "authorization_servers", "names none");
  // Each of them may cost the agent a look-up.
  if (servers.length > MAX_SERVERS) throw wrong("protected resource", "authorization_servers", "names too many");
  const scopes = metadata?.scopes_supported;
  if (scopes !== undefined && !asStrings(scopes))
    throw wrong("protected resource", "scopes_supported", "is not a list");
  return {
    resource,
    authorization_servers: servers,
    ...(scopes === undefined ? {} : { scopes_supported: asStrings(scopes) ?? [] }),
  };
}

/**
 * Whether a resource identifier covers a URL: same origin, and the URL's path is the resource's or below it.
 */
export function covers(resource: string, url: string): boolean {
  const outer = new URL(resource);
  const inner = new URL(url);
  if (outer.origin !== inner.origin) return false;
  const prefix = outer.pathname.endsWith("/") ? outer.pathname : `${outer.pathname}/`;
  const below =
    inner.pathname === outer.pathname || `${inner.pathname}/` === prefix || inner.pathname.startsWith(prefix);
  return below && (outer.search === "" || outer.search === inner.search);
}

/**
 * Whether a resource authorization server may be asked to redeem an ID-JAG.
 *
 * @returns `false` when its metadata denies it; a list that is left out denies nothing.
 * @see ID-JAG draft §7.2
 */
export function redeemsIdJags(metadata: AuthorizationServerMetadata): boolean {
  return (
    !denies(metadata.authorization_grant_profiles_supported, ID_JAG_GRANT_PROFILE) &&
    !denies(metadata.grant_types_supported, JWT_BEARER_GRANT)
  );
}

/**
 * Whether an IdP may be asked to issue an ID-JAG.
 *
 * @returns `false` when its metadata denies it; a list that is left out denies nothing.
 * @see ID-JAG draft §7.1
 */
export function issuesIdJags(metadata: AuthorizationServerMetadata): boolean {
  return (
    !denies(metadata.identity_chaining_requested_token_types_supported, ID_JAG_TOKEN_TYPE) &&
    !denies(metadata.grant_types_supported, TOKEN_EXCHANGE_GRANT)
  );
}

/**
 * The token endpoint for one client.
 *
 * @param mutual - Whether the client shows a certificate: then the server's alias for such clients goes before.
 * @see RFC 8705 §5
 */
export function tokenEndpointOf(metadata: AuthorizationServerMetadata, mutual: boolean): string {
  return (mutual ? metadata.mtls_endpoint_aliases?.token_endpoint : undefined) ?? metadata.token_endpoint;
}

/** Peers leave either list out; one that is there and lacks the entry says no. */
function denies(list: readonly string[] | undefined, entry: string): boolean {
  return list !== undefined && !list.includes(entry);
}

/** Printable, and no longer than one: a parser of URLs passes over line breaks, which must not come into a message or log. */
function isUrl(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,2048}$/.test(value) && URL.canParse(value);
}

/** Whether a message may show what somebody else wrote: an address, short and printable. */
function isShown(value: unknown): value is string {
  return isUrl(value) && /^[\x21-\x7e]{1,200}$/.test(value);
}

function wrong(what: string, member: string, how: string): CredenceError {
  return new CredenceError(`The ${what} metadata's ${member} ${how}`, {
    code: "response_invalid",
    reason: `metadata-${member.replaceAll("_", "-")}`,
  });
}
