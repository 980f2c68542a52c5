import { CredenceError, isObject, parseResource, parseScope } from "@credence/protocol";
import { isLoopbackHost } from "@credence/protocol/fetch";
import { type JwkSet, type PrivateJwk, type PublicJwk, parseJwks, type Signer } from "@credence/protocol/jws";
import type { GrantOptions, ResourceServerOptions } from "./options.ts";
import { oddLimit, trustKey } from "./redeem/customers.ts";
import type { Account } from "./redeem/subject.ts";

/**
 * Checks the options once, at the start: what is wrong there would otherwise show at the first customer's request.
 *
 * @throws CredenceError `configuration`, whose message says what is wrong.
 */
export function checkOptions<A extends Account>(options: ResourceServerOptions<A>): void {
  checkGrantOptions(options);
  if (!isLookUp(options.clients)) throw wrong("clients is neither a list nor a look-up");
  if (options.signingKey === undefined)
    throw wrong("signingKey is missing; `generateSigningKey` makes one, to keep where you keep secrets");
  checkClients(options);
  checkAccessToken(options);
}

/**
 * Checks those of the options that say what is granted, and to whom.
 *
 * @throws CredenceError `configuration`, whose message says what is wrong.
 */
export function checkGrantOptions<A extends Account>(options: GrantOptions<A>): void {
  checkIssuer(options.issuer, options.development ?? false);
  checkResources(options);
  if (!isLookUp(options.customers)) throw wrong("customers is neither a list nor a look-up");
  checkCustomers(options);
  if (typeof options.resolveSubject !== "function") throw wrong("resolveSubject is not a function");
  // Nothing is issued that is not on record: without it, every redemption would fail.
  if (typeof options.record !== "function") throw wrong("record is not a function");
}

/** As JavaScript may give it: a list or a function. */
function isLookUp(given: unknown): boolean {
  return Array.isArray(given) || typeof given === "function";
}

function checkIssuer(issuer: string, development: boolean): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (!url) throw wrong(`issuer is not a URL: ${issuer}`);
  // RFC 8414 §2
  if (url.search || url.hash || issuer.includes("#")) throw wrong("issuer has a query or a fragment");
  if (url.protocol === "https:" || (url.protocol === "http:" && development && isLoopbackHost(url.hostname))) return;
  throw wrong("issuer is not https; on a loopback address, `development: true` allows http");
}

function checkResources<A extends Account>({ resources }: GrantOptions<A>): void {
  const entries = Object.entries(resources ?? {});
  if (entries.length === 0) throw wrong("resources is empty");
  const places = new Map<string, string>();
  for (const [resource, { scopes, defaultScopes = [] }] of entries) {
    if (!parseResource(resource).ok) throw wrong(`a resource is not an absolute URI without fragment: ${resource}`);
    // Requests are told apart by path alone, so one of two documents at one path would never be seen.
    const { pathname, search } = new URL(resource);
    const place = pathname + search;
    const other = places.get(place);
    if (other !== undefined) throw wrong(`${other} and ${resource} have one path: make a server for each`);
    places.set(place, resource);
    // The indices of a list would pass for names of scopes.
    if (!isObject(scopes)) throw wrong(`scopes of ${resource} is not an object from each scope to its description`);
    const names = Object.keys(scopes);
    const odd = names.find((name) => name.includes(" ") || !parseScope(name).ok);
    if (odd !== undefined) throw wrong(`not a scope token: ${odd}`);
    const unknown = defaultScopes.find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw wrong(`defaultScopes of ${resource} names a scope that it does not have: ${unknown}`);
  }
}

function checkCustomers<A extends Account>({ customers, issuer: own, provision }: GrantOptions<A>): void {
  if (typeof customers === "function") return;
  const seen = new Set<string>();
  const without = customers.find(({ issuers }) => !Array.isArray(issuers));
  if (without !== undefined) throw wrong(`a customer has no list of issuers: ${without.id}`);
  for (const trusted of customers.flatMap((customer) => customer.issuers)) {
    const { issuer, tenant, jit } = trusted;
    const odd = oddLimit(trusted);
    if (odd !== undefined) throw wrong(`${odd} of ${issuer} is not a number of seconds`);
    if (!URL.canParse(issuer)) throw wrong(`an issuer is not a URL: ${issuer}`);
    if (jit === true && provision === undefined)
      throw wrong(`${issuer} has jit, and there is no provision that could make an account`);
    // An IdP must not honour its own ID-JAG, and our own keys must vouch for nobody.
    if (issuer === own) throw wrong("this server's own issuer is among the trusted ones");
    // (iss, tenant) alone selects the customer: it must select one.
    if (seen.has(trustKey(issuer, tenant))) throw wrong(`two customers have the same issuer and tenant: ${issuer}`);
    seen.add(trustKey(issuer, tenant));
  }
}

const METHODS: readonly string[] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

function checkClients<A extends Account>({ clients, resources }: ResourceServerOptions<A>): void {
  if (typeof clients === "function") return;
  const ids = new Set<string>();
  for (const client of clients) {
    if (!client.clientId) throw wrong("a client has no clientId");
    if (!METHODS.includes(client.method))
      throw wrong(`the method of ${client.clientId} is not one of ${METHODS.join(", ")}: ${client.method}`);
    if (client.method === "private_key_jwt" && !parseJwks(client.jwks))
      throw wrong(`a client of private_key_jwt has no jwks, or one without a usable key: ${client.clientId}`);
    if (ids.has(client.clientId)) throw wrong(`two clients have the same clientId: ${client.clientId}`);
    ids.add(client.clientId);
    const introspected = typeof client.introspects === "object" ? client.introspects : [];
    const foreign = introspected.find((resource) => !Object.hasOwn(resources, resource));
    if (foreign !== undefined) throw wrong(`introspects of ${client.clientId} names an unknown resource: ${foreign}`);
    const bySecret = client.method === "client_secret_basic" || client.method === "client_secret_post";
    if (bySecret && !client.clientSecret)
      throw wrong(`a client has no clientSecret, or an empty one: ${client.clientId}`);
  }
}

function checkAccessToken<A extends Account>({ accessToken, signingKey, publicKeys }: ResourceServerOptions<A>): void {
  const { issue, check, lifetime = 300 } = accessToken ?? {};
  const { format = "jwt" }: { readonly format?: string } = accessToken ?? {};
  if (format !== "jwt" && format !== "opaque") throw wrong(`accessToken.format is neither jwt nor opaque: ${format}`);
  if (format === "opaque" && issue !== undefined) throw wrong("accessToken.format and .issue exclude each other");
  if ((issue === undefined) !== (check === undefined)) throw wrong("accessToken.issue and .check go together");
  checkLifetime(lifetime);
  const { kid } = signingKey;
  if (typeof kid !== "string" || kid === "")
    throw wrong("signingKey has no kid: of `generateSigningKey` it is the privateJwk");
  if (!isSigner(signingKey) && typeof signingKey.d !== "string")
    throw wrong("signingKey has no private part: of `generateSigningKey` it is the privateJwk");
  if (!ownKeys(signingKey, publicKeys).keys.some((key) => key.kid === kid)) {
    throw wrong("the public key of signingKey is not among publicKeys");
  }
}

/**
 * Checks how long access tokens live.
 *
 * @param lifetime - In seconds.
 * @throws CredenceError `configuration`.
 */
export function checkLifetime(lifetime: number): void {
  if (!Number.isInteger(lifetime) || lifetime < 1) throw wrong("accessToken.lifetime is not a number of whole seconds");
}

/** Whether the key is a signer over a key that is kept elsewhere. */
export function isSigner(key: PrivateJwk | Signer): key is Signer {
  return typeof key.sign === "function";
}

/** Our public keys, without any private member. */
export function ownKeys(signingKey: PrivateJwk | Signer, publicKeys: readonly PublicJwk[] = []): JwkSet {
  const own = isSigner(signingKey) ? [] : [signingKey];
  const others = publicKeys.filter((key) => !own.some(({ kid }) => kid === key.kid));
  return parseJwks({ keys: [...own, ...others] }) ?? { keys: [] };
}

function wrong(message: string): CredenceError {
  return new CredenceError(`The options of the resource server: ${message}`, { code: "configuration" });
}
