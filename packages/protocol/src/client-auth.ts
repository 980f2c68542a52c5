import { decodeBase64Text, formDecode, formEncode, randomId } from "./encoding.ts";
import type { Form } from "./form.ts";
import {
  checkSignature,
  type DecodedJws,
  decodeJws,
  JWS_ALGORITHMS,
  type JwsAlgorithm,
  type JwsHeader,
  type KeySource,
  type Signer,
  signJwt,
  singleAudience,
  typIs,
} from "./jws.ts";
import { ok, type Result, refuse } from "./result.ts";

/** Type of a `private_key_jwt` assertion. @see RFC 7523 §2.2 */
export const CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** Methods of client authentication that we know. `none` may sign people in, and nothing else. */
export type ClientAuthMethod = "client_secret_basic" | "client_secret_post" | "private_key_jwt" | "none";

/** What a request carries as client authentication, read but not checked. */
export type PresentedClient =
  | {
      readonly method: "client_secret_basic";
      /** Form-decoded as RFC 6749 §2.3.1 says, then, where that differs, raw: peers forget to encode. */
      readonly candidates: readonly { readonly clientId: string; readonly secret: string }[];
    }
  | { readonly method: "client_secret_post"; readonly clientId: string; readonly secret: string }
  | { readonly method: "private_key_jwt"; readonly clientId: string; readonly assertion: DecodedJws }
  | { readonly method: "none"; readonly clientId: string };

/**
 * Reads the client authentication of a request.
 *
 * @param authorization - The `Authorization` header, if any.
 * @returns what was presented; refused: `client-auth-missing`, `client-auth-several`, `client-auth-malformed`,
 * `client-assertion-malformed`.
 * @see RFC 6749 §2.3
 */
export function readClientAuth(authorization: string | null | undefined, form: Form): Result<PresentedClient> {
  const secret = form.get("client_secret");
  const assertion = form.get("client_assertion") ?? form.get("client_assertion_type");
  const ways = [authorization, secret, assertion].filter((way) => way !== undefined && way !== null && way !== "");
  if (ways.length > 1) return refuse("client-auth-several");
  if (authorization) return readBasic(authorization, form.get("client_id"));
  if (assertion !== undefined) return readAssertion(form);
  const clientId = form.get("client_id");
  if (clientId === undefined) return refuse("client-auth-missing");
  return secret === undefined
    ? ok({ method: "none", clientId })
    : ok({ method: "client_secret_post", clientId, secret });
}

function readBasic(authorization: string, bodyClientId: string | undefined): Result<PresentedClient> {
  const candidates = parseBasic(authorization);
  if (candidates === undefined) return refuse("client-auth-malformed", "Basic");
  const named = bodyClientId === undefined ? candidates : candidates.filter((one) => one.clientId === bodyClientId);
  return named.length === 0
    ? refuse("client-auth-several", "client_id")
    : ok({ method: "client_secret_basic", candidates: named });
}

/**
 * Reads a Basic header into the pairs that it can mean: form-decoded, then raw.
 *
 * @param authorization - The `Authorization` header.
 * @returns one to three pairs, the first as RFC 6749 §2.3.1 says; `undefined` when it is not Basic.
 * @see RFC 6749 §2.3.1, RFC 7617 §2
 */
export function parseBasic(authorization: string): readonly { clientId: string; secret: string }[] | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  const text = encoded === undefined ? undefined : decodeBase64Text(encoded);
  if (text === undefined) return undefined;
  const [first, last] = [text.indexOf(":"), text.lastIndexOf(":")];
  const raw = (part: string): string => part;
  if (first === last && !/[%+]/.test(text)) {
    const only = splitAt(text, first, raw);
    return only && [only];
  }
  // An encoded id has no colon, so the first divides; a raw id may be a URL, and then the last does.
  const pairs = [splitAt(text, first, formDecode), splitAt(text, first, raw), splitAt(text, last, raw)];
  const good = pairs.filter((pair) => pair !== undefined);
  const distinct = good.filter((pair, i) => !good.slice(0, i).some((other) => same(other, pair)));
  return distinct.length > 0 ? distinct : undefined;
}

function same(a: { clientId: string; secret: string }, b: { clientId: string; secret: string }): boolean {
  return a.clientId === b.clientId && a.secret === b.secret;
}

function splitAt(
  text: string,
  colon: number,
  decode: (part: string) => string | undefined,
): { clientId: string; secret: string } | undefined {
  if (colon < 1) return undefined;
  const clientId = decode(text.slice(0, colon));
  const secret = decode(text.slice(colon + 1));
  return clientId && secret !== undefined ? { clientId, secret } : undefined;
}

function readAssertion(form: Form): Result<PresentedClient> {
  const token = form.get("client_assertion");
  if (form.get("client_assertion_type") !== CLIENT_ASSERTION_TYPE)
    return refuse("client-assertion-malformed", "client_assertion_type");
  const assertion = token === undefined ? undefined : decodeJws(token);
  const sub = assertion?.payload.sub;
  if (assertion === undefined || typeof sub !== "string" || sub === "")
    return refuse("client-assertion-malformed", "sub");
  const clientId = form.get("client_id") ?? sub;
  return ok({ method: "private_key_jwt", clientId, assertion });
}

/** How a client is registered to prove itself. */
export type ClientCredential =
  /** Several secrets while one takes over from another: each counts. */
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly secret: string | readonly string[] }
  | { readonly method: "private_key_jwt"; readonly keys: KeySource; readonly algorithms?: readonly JwsAlgorithm[] }
  | { readonly method: "none" };

/** What a check of client authentication needs from its surroundings. */
export interface ClientAuthContext<Client extends { readonly clientId: string }> {
  /** Finds the client and its credential; `undefined` for an unknown or disabled one. */
  find(clientId: string): Promise<{ readonly client: Client; readonly credential: ClientCredential } | undefined>;
  /**
   * Whether this public client may go on without authentication, because the request proves a key instead; nobody may by
   * default.
   */
  allowsPublic?(client: Client): boolean;
  /** Our issuer: the only audience of a client assertion. */
  readonly issuer: string;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Marks an assertion's `jti` as used: one atomic statement. `expiresAt` in seconds since the epoch. */
  markUsed(key: string, expiresAt: number): Promise<"first" | "again">;
}

/** Seconds by which clocks may differ, and that a client assertion may live. @see RFC 7523 §3 */
export const CLIENT_ASSERTION_LIMITS = { skew: 30, maxLifetime: 600 } as const;

/**
 * Whether a JWT may be a client assertion by its `typ`: that of RFC 7523's revision, or none in particular. What says that it
 * is something else is nothing to authenticate by, though the client has signed it: others may have been given it.
 *
 * @see RFC 8725 §3.11, draft-ietf-oauth-rfc7523bis
 */
export function isClientAssertionTyp(header: JwsHeader): boolean {
  return header.typ === undefined || typIs(header, "jwt") || typIs(header, "client-authentication+jwt");
}

/**
 * What a client assertion's mark of use is kept under, and until when. Whoever checks assertions beside us (another grant's
 * own client authentication) marks them with this: else one assertion is good once for each.
 *
 * @param exp - The assertion's expiry, seconds since the epoch.
 * @returns the arguments of `markUsed`; the mark outlasts the skew.
 * @see RFC 7523 §3
 */
export function clientAssertionMark(
  clientId: string,
  jti: string,
  exp: number,
): readonly [key: string, expiresAt: number] {
  return [`${clientId} ${jti}`, exp + CLIENT_ASSERTION_LIMITS.skew];
}

/**
 * Authenticates the client of a request.
 *
 * @returns the client; refused with a `client-…` reason. Rejects when `find` or `markUsed` does.
 * @see RFC 6749 §2.3, RFC 7523 §3
 */
export async function authenticateClient<Client extends { readonly clientId: string }>(
  presented: PresentedClient,
  context: ClientAuthContext<Client>,
): Promise<Result<Client>> {
  switch (presented.method) {
    case "client_secret_basic":
      return authenticateBasic(presented.candidates, context);
    case "client_secret_post":
      return checkSecret("client_secret_post", presented.clientId, presented.secret, context);
    case "private_key_jwt":
      return checkAssertion(presented.clientId, presented.assertion, context);
    case "none": {
      const found = await context.find(presented.clientId);
      if (found === undefined) return refuse("client-unknown");
      if (found.credential.method !== "none") return refuse("client-auth-missing");
      return context.allowsPublic?.(found.client) ? ok(found.client) : refuse("client-public");
    }
  }
}

async function authenticateBasic<Client extends { readonly clientId: string }>(
  candidates: readonly { readonly clientId: string; readonly secret: string }[],
  context: ClientAuthContext<Client>,
): Promise<Result<Client>> {
  let outcome: Result<Client> = refuse("client-auth-malformed");
  for (const { clientId, secret } of candidates) {
    const result = await checkSecret("client_secret_basic", clientId, secret, context);
    if (result.ok) return result;
    // The reason that says most: an unknown raw reading must not hide a wrong secret.
    if (outcome.ok || outcome.refusal.reason !== "client-secret-wrong") outcome = result;
  }
  return outcome;
}

async function checkSecret<Client extends { readonly clientId: string }>(
  method: "client_secret_basic" | "client_secret_post",
  clientId: string,
  secret: string,
  context: ClientAuthContext<Client>,
): Promise<Result<Client>> {
  const found = await context.find(clientId);
  if (found === undefined) return refuse("client-unknown");
  const { credential } = found;
  if (credential.method !== method) return refuse("client-auth-method-wrong", credential.method);
  return isClientSecret(secret, credential.secret) ? ok(found.client) : refuse("client-secret-wrong");
}

async function checkAssertion<Client extends { readonly clientId: string }>(
  clientId: string,
  assertion: DecodedJws,
  context: ClientAuthContext<Client>,
): Promise<Result<Client>> {
  const { iss, sub, aud, exp, nbf, iat, jti } = assertion.payload;
  if (!isClientAssertionTyp(assertion.header)) return refuse("client-assertion-malformed", "typ");
  if (iss !== clientId || sub !== clientId) return refuse("client-assertion-issuer");
  if (typeof exp !== "number" || typeof jti !== "string" || jti === "" || jti.length > 512) {
    return refuse("client-assertion-malformed", "exp or jti");
  }
  const found = await context.find(clientId);
  if (found === undefined) return refuse("client-unknown");
  const { credential } = found;
  if (credential.method !== "private_key_jwt") return refuse("client-auth-method-wrong", credential.method);
  const fault = await checkSignature(assertion, credential.algorithms ?? JWS_ALGORITHMS, credential.keys);
  if (fault) return refuse(fault === "crit" ? "client-assertion-malformed" : `client-assertion-${fault}`);
  // A key may verify another audience's assertion too: only our issuer, alone, is ours (no token endpoint, no prefix).
  const audience = singleAudience(aud);
  if (audience !== context.issuer) return refuse("client-assertion-audience");
  const { now } = context;
  const { skew, maxLifetime } = CLIENT_ASSERTION_LIMITS;
  const fromAhead = [iat, nbf].some((time) => typeof time === "number" && time > now + skew);
  if (fromAhead) return refuse("client-assertion-expired", "iat or nbf: the client's clock is ahead");
  if (exp <= now - skew) return refuse("client-assertion-expired", "exp: too old, or the client's clock is behind");
  if (exp > now + maxLifetime) {
    return refuse("client-assertion-expired", "exp: it lives too long, or the client's clock is ahead");
  }
  const used = await context.markUsed(...clientAssertionMark(clientId, jti, exp));
  return used === "first" ? ok(found.client) : refuse("client-assertion-replayed");
}

/**
 * Whether a secret is one of those that a client has, compared in a time that tells nothing of where they differ. An empty
 * one is none: nobody proves anything with it.
 *
 * @param registered - The client's secret, or several while one takes over from another.
 */
export function isClientSecret(presented: string, registered: string | readonly string[]): boolean {
  let fits = false;
  for (const one of [registered].flat()) fits = (one !== "" && equalSecrets(presented, one)) || fits;
  return fits;
}

/** Looks at each character of the presented secret, whatever those before it were: how long it takes is up to its length alone. */
function equalSecrets(presented: string, registered: string): boolean {
  let difference = presented.length ^ registered.length;
  for (let at = 0; at < presented.length; at += 1) {
    difference |= presented.charCodeAt(at) ^ registered.charCodeAt(at % registered.length);
  }
  return difference === 0;
}

/** A client's own credential at one authorization server, to authenticate with. */
export type ClientIdentity =
  | {
      readonly method: "client_secret_basic" | "client_secret_post";
      readonly clientId: string;
      readonly clientSecret: string;
    }
  | { readonly method: "private_key_jwt"; readonly clientId: string; readonly signer: Signer }
  | { readonly method: "none"; readonly clientId: string };

/**
 * Adds a client's authentication to a token request.
 *
 * @param form - The request's parameters; the ones of the method are added to it.
 * @param issuer - The authorization server's issuer: audience of an assertion.
 * @param now - Seconds since the epoch.
 * @returns the headers to send beside the form.
 * @see RFC 6749 §2.3, RFC 7523 §2.2
 */
export async function addClientAuth(
  form: URLSearchParams,
  identity: ClientIdentity,
  issuer: string,
  now: number,
): Promise<Record<string, string>> {
  switch (identity.method) {
    case "client_secret_basic": {
      const pair = `${formEncode(identity.clientId)}:${formEncode(identity.clientSecret)}`;
      return { authorization: `Basic ${btoa(pair)}` };
    }
    case "client_secret_post":
      form.set("client_id", identity.clientId);
      form.set("client_secret", identity.clientSecret);
      return {};
    case "private_key_jwt": {
      const { clientId, signer } = identity;
      const claims = { iss: clientId, sub: clientId, aud: issuer, jti: randomId(), iat: now, exp: now + 60 };
      form.set("client_id", clientId);
      form.set("client_assertion_type", CLIENT_ASSERTION_TYPE);
      form.set("client_assertion", await signJwt("client-authentication+jwt", claims, signer));
      return {};
    }
    case "none":
      form.set("client_id", identity.clientId);
      return {};
  }
}
