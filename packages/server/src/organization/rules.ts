/** What the words of an organization file may look like. Every rule says nothing but true or false; the schema speaks. */

/** Ids of people, apps and connections, and names of groups: also fine in a URL path and on a command line. */
export const ID = /^[A-Za-z0-9][A-Za-z0-9._~@+-]{0,127}$/;

/** An agent's id is its client id, which may be a URL. @see RFC 6749 Appendix A.1 */
export const CLIENT_ID = /^[A-Za-z0-9][!#-[\]-~]{0,511}$/;

/**
 * Whether a name is one that every JavaScript object has (`constructor`, `toString`, …). oidc-provider looks agents up in
 * plain objects, where such an agent would find the language's own functions, shared by all people.
 */
export function isObjectMember(name: string): boolean {
  return name in {};
}

/** @see RFC 6749 §3.3 */
export const SCOPE = /^[!#-[\]-~]{1,255}$/;

/** One `@`, a domain with a dot, and nothing that an address needs quotes for. */
export const EMAIL = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$/;

export const PEOPLE = /^(everyone|(person|group):[A-Za-z0-9][A-Za-z0-9._~@+-]{0,127})$/;

export const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * Whether a URL's host is this machine, by address or by its reserved name. Narrower than the protocol's rule of this name,
 * on purpose: that one also finds what must not be fetched, and gives leave by a development switch alone; this one gives
 * leave without a switch (plain http, redirects, secrets in a demo's file), and a name below `localhost` is this machine
 * only where the resolver says so. @see RFC 6761 §6.3, RFC 8252 §8.3
 */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/** An issuer: absolute, https (or http on loopback), no query, fragment or credentials. @see RFC 8414 §2 */
export function isIssuer(value: string): boolean {
  const url = parse(value);
  return url !== undefined && isWeb(url) && url.search === "" && !/[?#]/.test(value);
}

/** A resource: an absolute URI without a fragment; http only on loopback. @see RFC 8707 §2 */
export function isResource(value: string): boolean {
  const url = parse(value);
  if (url === undefined || value.includes("#")) return false;
  return /^https?:$/.test(url.protocol) ? isWeb(url) : !isDangerous(url);
}

/** Another name of an issuer: a URN. @see RFC 8141 §2 */
export const URN = /^urn:[A-Za-z0-9][A-Za-z0-9-]{0,30}[A-Za-z0-9]:[!#-[\]-~]{1,500}$/;

/**
 * A redirect URI: absolute, without a fragment; https, http on loopback, or a private scheme in reverse domain notation.
 * @see RFC 8252 §7, RFC 6749 §3.1.2
 */
export function isRedirectUri(value: string): boolean {
  const url = parse(value);
  if (url === undefined || value.includes("#")) return false;
  return /^https?:$/.test(url.protocol) ? isWeb(url) : url.protocol.includes(".") && !isDangerous(url);
}

function parse(value: string): URL | undefined {
  // What a URL parser mends silently (spaces, control characters, backslashes) would be compared letter by letter later.
  if (!/^[!-[\]-~]{1,2048}$/.test(value)) return undefined;
  return URL.parse(value) ?? undefined;
}

function isWeb(url: URL): boolean {
  const named = url.username === "" && url.password === "" && url.hostname !== "";
  return named && (url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname)));
}

function isDangerous(url: URL): boolean {
  return ["javascript:", "data:", "vbscript:", "file:", "blob:", "about:"].includes(url.protocol);
}
