import { CredenceError } from "@credence/protocol";
import { addClientAuth } from "@credence/protocol/client-auth";
import { checkUrl } from "@credence/protocol/fetch";
import { decodeJws } from "@credence/protocol/jws";
import { type AuthorizationServerMetadata, tokenEndpointOf } from "@credence/protocol/metadata";
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  type ClientAuth,
  Configuration,
  calculatePKCECodeChallenge,
  clockSkew,
  customFetch,
  ResponseBodyError,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  refreshTokenGrant,
  type ServerMetadata,
  type TokenEndpointResponse,
  tokenRevocation,
} from "openid-client";
import { takesProofs } from "./dpop.ts";
import { AgentError, errorOfAnswer, errorOfBody, placed, placeError, type Where } from "./errors.ts";
import type { AgentContext } from "./options.ts";

/** What a sign-in gave: enough to act for the person until it is over. Secret. */
export interface SignIn {
  readonly idToken: string;
  /** The IdP's, to renew the ID token with. */
  readonly refreshToken?: string;
  /** Seconds since the epoch at which the ID token expires; its own `exp` by default. */
  readonly expiresAt?: number;
}

/** A sign-in whose ID token was read. */
export interface HeldSignIn extends SignIn {
  readonly expiresAt: number;
  /** Seconds since the epoch at which the ID token was issued. */
  readonly issuedAt: number;
}

/** What an authorization request asks for. */
export interface SignInOptions {
  /** Where the IdP sends the person back to, registered there; without a query. */
  readonly redirectUri: string;
  /** `openid offline_access` by default. */
  readonly scope?: string | undefined;
  /** Seconds that the person's authentication may be old at the most: the `maxAge` of an error, for a step-up. */
  readonly maxAge?: number | undefined;
  /** Ways to authenticate, divided by spaces: the `acrValues` of an error, for a step-up. */
  readonly acrValues?: string | undefined;
  /** Who is expected to sign in. */
  readonly loginHint?: string | undefined;
  /** OpenID Connect's `prompt`. */
  readonly prompt?: string | undefined;
}

/** What the answer of a sign-in is checked with. Plain data, bound to one browser: keep it in that browser's session. */
export interface SignInChecks {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly maxAge?: number;
}

/**
 * Begins a sign-in: authorization code with PKCE S256, state and nonce.
 * @see OpenID Connect Core §3.1.2.1, RFC 7636 §4.3
 */
export async function beginSignIn(
  context: AgentContext,
  options: SignInOptions,
): Promise<{ readonly url: string; readonly checks: SignInChecks }> {
  return withIdp(context, async (configuration) => {
    const checks: SignInChecks = {
      redirectUri: options.redirectUri,
      state: randomState(),
      nonce: randomNonce(),
      codeVerifier: randomPKCECodeVerifier(),
      ...(options.maxAge === undefined ? {} : { maxAge: options.maxAge }),
    };
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: options.redirectUri,
      scope: options.scope ?? "openid offline_access",
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await calculatePKCECodeChallenge(checks.codeVerifier),
      code_challenge_method: "S256",
      ...(options.maxAge === undefined ? {} : { max_age: String(options.maxAge) }),
      ...(options.acrValues === undefined ? {} : { acr_values: options.acrValues }),
      ...(options.loginHint === undefined ? {} : { login_hint: options.loginHint }),
      ...(options.prompt === undefined ? {} : { prompt: options.prompt }),
    });
    return { url: browserUrl(context, url), checks };
  });
}

/**
 * Ends a sign-in: checks state and `iss` of the answer, trades the code, checks the ID token and its nonce.
 *
 * @param callbackUrl - The URL that the person came back to; only its query is read.
 * @see OpenID Connect Core §3.1.3, RFC 9207 §2.4
 */
export async function completeSignIn(
  context: AgentContext,
  callbackUrl: string | URL,
  checks: SignInChecks,
): Promise<HeldSignIn> {
  return withIdp(context, async (configuration) => {
    const current = new URL(checks.redirectUri);
    current.search = new URL(callbackUrl, checks.redirectUri).search;
    const answer = await authorizationCodeGrant(configuration, current, {
      expectedState: checks.state,
      expectedNonce: checks.nonce,
      pkceCodeVerifier: checks.codeVerifier,
      idTokenExpected: true,
      ...(checks.maxAge === undefined ? {} : { maxAge: checks.maxAge }),
    });
    return readSignIn(context, toSignIn(answer));
  });
}

/**
 * Renews a sign-in with its refresh token.
 *
 * @returns the new one, with the rotated refresh token if there was a rotation.
 * @throws AgentError `sign_in_required` when the IdP no longer renews it.
 * @see OpenID Connect Core §12
 */
export async function renewSignIn(context: AgentContext, current: SignIn, refreshToken: string): Promise<HeldSignIn> {
  return withIdp(context, async (configuration, where) => {
    const answer = await refreshTokenGrant(configuration, refreshToken).catch((cause: unknown) => {
      const error = translate(cause, where);
      throw error.code === "invalid_grant"
        ? signInRequired(where, "The IdP no longer renews this sign-in", error)
        : error;
    });
    if (!answer.id_token) throw signInRequired(where, "The IdP renewed the sign-in without a new ID token");
    const renewed = readSignIn(context, { refreshToken, ...toSignIn(answer) });
    // OpenID Connect Core §12.2: a renewed ID token is about the same person.
    if (subjectOf(renewed.idToken) !== subjectOf(current.idToken)) {
      throw new AgentError("The renewal of the sign-in gave the ID token of somebody else. It is not used.", {
        ...where,
        code: "response_invalid",
        reason: "subject-differs",
      });
    }
    return renewed;
  });
}

/**
 * Ends a sign-in at the IdP as far as an agent can: revokes the refresh token, and tells where the person signs out.
 *
 * @returns `url`: open it in the person's browser to end the session there; `undefined` when the IdP offers none.
 * @see OpenID Connect RP-Initiated Logout §2, RFC 7009 §2.1
 */
export async function endSignIn(
  context: AgentContext,
  signIn: SignIn,
  postLogoutRedirectUri: string | undefined,
): Promise<{ readonly url: string | undefined }> {
  return withIdp(context, async (configuration) => {
    const metadata = configuration.serverMetadata();
    if (signIn.refreshToken && metadata.revocation_endpoint) {
      await tokenRevocation(configuration, signIn.refreshToken, { token_type_hint: "refresh_token" });
    }
    if (!metadata.end_session_endpoint) return { url: undefined };
    const url = buildEndSessionUrl(configuration, {
      id_token_hint: signIn.idToken,
      ...(postLogoutRedirectUri === undefined ? {} : { post_logout_redirect_uri: postLogoutRedirectUri }),
    });
    return { url: browserUrl(context, url) };
  });
}

/** A URL that a person's browser is sent to: metadata could name `javascript:` or `file:`. */
function browserUrl(context: AgentContext, url: URL): string {
  return checkUrl(url.href, context.development).href;
}

/**
 * Reads a sign-in that somebody hands over.
 *
 * @throws AgentError `configuration` when the ID token is not one of this IdP for this client: it would be sent there.
 */
export function readSignIn(context: AgentContext, signIn: SignIn): HeldSignIn {
  const payload = decodeJws(signIn.idToken)?.payload;
  const { iss, aud, exp, iat } = payload ?? {};
  const where = place(context);
  if (iss !== context.idp.issuer) throw unusable(where, "is not one of this IdP");
  if (![aud].flat().includes(context.idp.client.clientId)) throw unusable(where, "is not for this client");
  const expiresAt = signIn.expiresAt ?? exp;
  if (typeof expiresAt !== "number") throw unusable(where, "has no expiry");
  return { ...signIn, expiresAt, issuedAt: typeof iat === "number" ? iat : expiresAt };
}

/** The error of a session that nobody is signed in to any more. */
export function signInRequired(where: Where, why: string, cause?: AgentError): AgentError {
  return new AgentError(`${why} (${where.party}). The person must sign in again.`, {
    ...where,
    code: "sign_in_required",
    ...(cause?.decisionId === undefined ? {} : { decisionId: cause.decisionId }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function unusable(where: Where, why: string): AgentError {
  return new AgentError(`The ID token ${why}.`, { ...where, code: "configuration", reason: "id-token-foreign" });
}

/** Whom an ID token is about. */
export function subjectOf(idToken: string): unknown {
  return decodeJws(idToken)?.payload.sub;
}

function toSignIn(answer: TokenEndpointResponse): SignIn {
  return {
    idToken: answer.id_token ?? "",
    ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
  };
}

function place(context: AgentContext): Where {
  return { leg: "sign-in", party: context.idp.issuer };
}

/** Runs a step of openid-client against the IdP, by our own discovery, authentication and guarded fetch. */
async function withIdp<T>(
  context: AgentContext,
  run: (configuration: Configuration, where: Where) => Promise<T>,
): Promise<T> {
  const where = place(context);
  return placed(where, async () => {
    const metadata = await context.discovery.identityProvider(context.idp.issuer);
    try {
      // openid-client clones the document; its type wants mutable lists, ours are not.
      return await run(configure(context, metadata as unknown as ServerMetadata, where), where);
    } catch (cause) {
      throw translate(cause, where);
    }
  });
}

function configure(context: AgentContext, metadata: ServerMetadata, where: Where): Configuration {
  const { client } = context.idp;
  // A public client's refresh token is bound to its key (RFC 9449 §5); a confidential one's is bound to its credential.
  const read = metadata as AuthorizationServerMetadata;
  const prover = takesProofs(read) ? context.prover : undefined;
  const authenticate: ClientAuth = async (as, _client, body, headers) => {
    const added = await addClientAuth(body, client, as.issuer, context.now());
    for (const [name, value] of Object.entries(added)) headers.set(name, value);
  };
  const skew = Math.round(context.now() - Date.now() / 1_000);
  const mutual = context.certificateThumbprint !== undefined;
  const settings = { [clockSkew]: skew, use_mtls_endpoint_aliases: mutual };
  const configuration = new Configuration(metadata, client.clientId, settings, authenticate);
  const tokenEndpoint = tokenEndpointOf(read, mutual);
  // The guard decides what http may be used for: in development this machine itself, otherwise nothing.
  if (context.development) allowInsecureRequests(configuration);
  configuration[customFetch] = async (url, init) => {
    const { body, ...rest } = init;
    const form: { body?: URLSearchParams } = body instanceof URLSearchParams ? { body } : {};
    let sent: string | undefined;
    const send = async () => {
      const dpop = url === tokenEndpoint ? await prover?.headers("token", "POST", url) : undefined;
      sent = dpop?.dpop;
      return context.guarded(url, { ...rest, ...form, headers: { ...rest.headers, ...dpop } });
    };
    let answer = await send();
    // Refused before the code or refresh token was looked at: the same request, with the nonce.
    const wanted = answer.status === 400 && answer.text.includes('"use_dpop_nonce"');
    if (prover?.note("token", url, answer.headers, sent) && wanted) {
      // An assertion counts once, and the server has looked at that.
      if (client.method === "private_key_jwt" && form.body) {
        await addClientAuth(form.body, client, metadata.issuer, context.now());
      }
      answer = await send();
    }
    // Worth another try, and maybe with the time to wait in a header: openid-client reads neither that nor a body of 503.
    if (answer.status === 503 || answer.status === 429) throw errorOfAnswer(answer, where);
    const empty = answer.status === 204 || answer.status === 304;
    const headers = new Headers(answer.headers);
    // Which error it is stands in the body (RFC 6749 §5.2); with this header openid-client would not read that.
    headers.delete("www-authenticate");
    return new Response(empty ? null : answer.text, { status: answer.status, headers });
  };
  return configuration;
}

/** What openid-client throws, as one of our errors. */
function translate(cause: unknown, where: Where): AgentError {
  for (let inner: unknown = cause; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof CredenceError) return placeError(inner, where);
    if (inner instanceof ResponseBodyError) return errorOfBody(inner.cause, inner.status, where);
    if (inner instanceof AuthorizationResponseError) return errorOfBody(Object.fromEntries(inner.cause), 400, where);
  }
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "unexpected";
  const said = cause instanceof Error ? cause.message : "something unexpected happened";
  const what =
    code === "OAUTH_JWT_TIMESTAMP_CHECK_FAILED"
      ? `${said}; its clock or this machine's is wrong, or it took too long`
      : said;
  return new AgentError(`The sign-in with ${where.party} failed: ${what}. Begin the sign-in again.`, {
    ...where,
    code: "response_invalid",
    reason: code.toLowerCase().replaceAll("_", "-"),
    cause,
  });
}
