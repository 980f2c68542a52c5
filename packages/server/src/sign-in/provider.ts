import { isObject } from "@credence/protocol";
import type { MarkProof } from "@credence/protocol/dpop";
import type { GuardedFetch } from "@credence/protocol/fetch";
import { errors, type KoaContextWithOIDC, Provider } from "oidc-provider";
import type { NamingSecrets } from "../directory/subject.ts";
import type { SigningKeys } from "../keys/signing-keys.ts";
import type { Store } from "../store/store.ts";
import type { ArtifactPorts, Sealing } from "./artifacts.ts";
import { type ClientProven, limitClients } from "./client-limit.ts";
import { type ClientPorts, isSecretOf } from "./clients.ts";
import { type ConfigurationPorts, configure, type Lifetimes } from "./configuration.ts";
import { noteDevice } from "./devices.ts";
import { endSession } from "./endings.ts";
import type { RecordSignIn } from "./events.ts";
import type { FactorPorts } from "./factors/factors.ts";
import { newReference, type Report } from "./fault.ts";
import { completeMetadata } from "./metadata.ts";
import type { OpenSignIns } from "./open-sign-ins.ts";
import { checkAssertionClaims, override } from "./overrides.ts";
import { errorPage, errorWords } from "./pages/error-page.ts";
import { type House, type Page, type RenderedPage, render } from "./pages/page.ts";
import { alreadySignedOutPage, confirmSignOutPage, signedOutPage, switchPersonPage } from "./pages/sign-out-pages.ts";
import { basePath, PATHS, urlBelow } from "./paths.ts";
import { providerKeys } from "./provider-keys.ts";
import { tookLastStep } from "./same-browser.ts";
import { sourceOf } from "./source.ts";

/** The part of the store that sign-in works with. */
export type SignInStore = ArtifactPorts["store"] &
  FactorPorts["store"] &
  Pick<Store, "person" | "personByEmail" | "agent" | "appByRelyingParty" | "beginAttempt" | "attemptSucceeded">;

/** What the sign-in half needs from the house. */
export interface ProviderOptions {
  /** Our issuer, letter by letter as it goes into tokens. */
  readonly issuer: string;
  readonly store: SignInStore;
  readonly sealing: Sealing;
  /** Keys for ID tokens, as they are now; the first signer's algorithm is the default. */
  readonly signing: () => SigningKeys;
  /** Seconds for which others may keep our JWKS. */
  readonly jwksAge: number;
  /** Signing keys of cookies, the newest first. */
  readonly cookieKeys: readonly string[];
  /** Seconds since the epoch. */
  readonly now: () => number;
  readonly lifetimes: Lifetimes;
  readonly clientSecrets: ClientPorts["clientSecrets"];
  readonly documents: ClientPorts["documents"];
  readonly naming: NamingSecrets;
  /** 32 bytes: with it, every DPoP proof must carry a nonce. @see RFC 9449 §8 */
  readonly nonceSecret?: Buffer;
  /** Fetches agents' keys at a URL: bounded in size and time, no redirects, no private addresses. */
  readonly fetch: GuardedFetch;
  /** Marks a client assertion as used, for exchange and sign-in alike. `expiresAt` in seconds since the epoch. */
  readonly markAssertionUsed: (key: string, expiresAt: number) => Promise<"first" | "again">;
  /** Marks a DPoP proof as used, for exchange and sign-in alike. */
  readonly markProofUsed: MarkProof;
  /** A client has proven who it is: counts its call. @returns whole seconds that it has to wait, or 0. */
  readonly proven: ClientProven;
  readonly openSignIns: OpenSignIns;
  readonly record: RecordSignIn;
  readonly report: Report;
  /** What pages say of the house. */
  readonly house: () => Promise<House>;
}

/**
 * Makes the OpenID provider: authorize, code + PKCE, refresh with rotation, userinfo, sign-out, metadata, keys.
 *
 * @param keys - Those that it signs with and publishes, for as long as it lives.
 * @throws TypeError when the issuer or keys can not be used.
 * @see OpenID Connect Core 1.0; RFC 9700; RFC 9207
 */
export function createProvider(options: ProviderOptions, keys: SigningKeys): Provider {
  const { issuer, store, sealing, now, lifetimes } = options;
  const ports: ArtifactPorts = { store, sealing, now };
  const show = shower(options.house);
  const provider = new Provider(issuer, {
    ...configure({
      ...options,
      jwks: { keys: providerKeys(keys) },
      algorithms: keys.signers.map(({ alg }) => alg),
      adapter: { ...options, ...ports, store, grantLifetime: lifetimes.grant },
      people: store,
      fetch: asFetch(options.fetch),
      renderError: errorRenderer(options.report, show),
      signOut: {
        confirm: (ctx) => show(ctx, (ours) => confirmSignOutPage(ours, signOutForm(ctx))),
        done: (ctx) => show(ctx, signedOutPage),
      },
    }),
    assertJwtClientAuthClaimsAndHeader: checkAssertionClaims,
  });
  override(provider, {
    markAssertionUsed: options.markAssertionUsed,
    markProofUsed: options.markProofUsed,
    tokenEndpoint: urlBelow(issuer, PATHS.token),
    now,
    isSecretOf: (clientId, secret) => isSecretOf(options, clientId, secret),
    endSession: (uid) => endSession(ports, uid, lifetimes.session),
  });
  limitClients(provider, options.proven);
  // Behind TLS that others end: the router vouches for the scheme, and strips what clients say of it.
  provider.proxy = issuer.startsWith("https:");
  reportFaults(provider, options.report);
  recordRefusedGrants(provider, options);
  surround(provider, options, show);
  return provider;
}

/**
 * The guard's answer, as oidc-provider wants it, without the headers: keys are fetched again after oidc-provider's own
 * minute, however long their server would have them kept.
 */
function asFetch(fetch: GuardedFetch): ConfigurationPorts["fetch"] {
  return async (url, init) => {
    const { status, text } = await fetch(String(url), init);
    return new Response(text, { status });
  };
}

/** Answers with one of our pages. */
type Show = (ctx: Pick<KoaContextWithOIDC, "body" | "set">, page: (house: House) => Page) => Promise<void>;

function shower(house: ProviderOptions["house"]): Show {
  return async (ctx, page) => {
    const ours = await house();
    send(ctx, await render(ours, page(ours)));
  };
}

function errorRenderer(report: Report, show: Show): ConfigurationPorts["renderError"] {
  return async (ctx, out, error) => {
    const code = error instanceof errors.SessionNotFound ? "session_expired" : out.error;
    const reference = newReference();
    report({ reference, code, error });
    await show(ctx, (ours) => errorPage(ours, { ...errorWords(code, ctx.status), code, reference }));
  };
}

function reportFaults(provider: Provider, report: Report): void {
  const fault = (error: unknown): void => report({ reference: newReference(), code: "server_error", error });
  provider.on("server_error", (_ctx, error) => fault(error));
  // What fails outside of oidc-provider's own handlers; else Koa prints it.
  Reflect.apply(provider.on, provider, ["error", fault]);
}

function recordRefusedGrants(provider: Provider, { record, report, now }: ProviderOptions): void {
  const note = (ctx: KoaContextWithOIDC, error: errors.OIDCProviderError): void => {
    const agentId = provenAgent(ctx, error);
    const detail = expiredAssertion(error) ?? error.error_detail ?? error.error;
    const event = { type: "grant-refused", detail, source: sourceOf(ctx.req), at: now() } as const;
    const recorded = record(agentId === undefined ? event : { ...event, agentId });
    // The answer is a refusal whatever becomes of its record.
    recorded.catch((cause: unknown) => report({ reference: newReference(), code: "record_failed", error: cause }));
  };
  provider.on("grant.error", note);
  provider.on("revocation.error", note);
}

/** oidc-provider says of an assertion that has expired that its client is not authenticated, and no more. */
function expiredAssertion({ cause }: errors.OIDCProviderError): string | undefined {
  const expired = cause instanceof Error && cause.message === "jwt expired";
  return expired ? "the assertion has expired, or the client's clock is behind" : undefined;
}

/** What is ours before and after oidc-provider's own handlers. */
function surround(provider: Provider, options: ProviderOptions, show: Show): void {
  provider.use(async (ctx, next) => {
    if (ctx.path === PATHS.authorize) {
      assumeScope(ctx);
      grantOfflineAccess(ctx);
      // Where oidc-provider finds the path that it is mounted at, by comparing the two.
      Object.assign(ctx.req, { originalUrl: `${basePath(options.issuer)}${ctx.url}` });
    }
    if (ctx.path.startsWith(`${PATHS.authorize}/`) && !(await tookLastStep(provider, ctx.cookies, options.now()))) {
      ctx.status = 400;
      const reference = newReference();
      const code = "session_expired";
      options.report({
        reference,
        code,
        error: new errors.SessionNotFound("the last step was in another browser, or too long ago"),
      });
      return show(ctx, (ours) => errorPage(ours, { ...errorWords(code, ctx.status), code, reference }));
    }
    await next();
    // Typed as Koa's own; oidc-provider has put its context into it meanwhile, where a route matched.
    if (isObject(ctx.oidc)) await afterwards(ctx as unknown as KoaContextWithOIDC, options, show);
  });
}

/**
 * Who asks for no scope signs somebody in: the default that RFC 6749 §3.3 wants defined. An empty value counts as none
 * (§3.1).
 */
function assumeScope(ctx: Pick<KoaContextWithOIDC, "query">): void {
  if (!ctx.query.scope) ctx.query = { ...ctx.query, scope: "openid" };
}

/**
 * `offline_access` counts only with `prompt=consent`, "or other processing conditions" (OpenID Connect Core §11): here
 * the organization has consented by registering the agent.
 */
function grantOfflineAccess(ctx: Pick<KoaContextWithOIDC, "query">): void {
  const { scope, prompt } = ctx.query;
  if (typeof scope !== "string" || !scope.split(" ").includes("offline_access")) return;
  if (prompt === undefined) ctx.query = { ...ctx.query, prompt: "consent" };
  else if (typeof prompt === "string" && prompt !== "none" && !prompt.split(" ").includes("consent")) {
    ctx.query = { ...ctx.query, prompt: `${prompt} consent` };
  }
}

/**
 * The agent behind a refused grant, if it proved itself: by its own authentication, or by a code or refresh token that we
 * gave and that was used already. oidc-provider names the client before it has authenticated it, and a stranger who claims
 * to be one must not write into the record in its name, as often as they like.
 */
function provenAgent(ctx: KoaContextWithOIDC, error: errors.OIDCProviderError): string | undefined {
  const { Client: client } = ctx.oidc.entities;
  if (client === undefined) return undefined;
  // Attestation is not offered here; a request that tries it is refused before any secret is looked at.
  const tried = Object.keys(ctx.headers).some((name) => name.startsWith("oauth-client-attestation"));
  const authenticated = client.clientAuthMethod !== "none" && error.error !== "invalid_client" && !tried;
  return authenticated || USED_ALREADY.test(error.error_detail ?? "") ? client.clientId : undefined;
}

/** What oidc-provider and our adapter say of a code or refresh token that comes again; its grant ends with it. */
const USED_ALREADY = /already (?:used|consumed)$/;

async function afterwards(ctx: KoaContextWithOIDC, options: ProviderOptions, show: Show): Promise<void> {
  const { route } = ctx.oidc;
  if (route === "authorization" || route === "resume") await noteUse(ctx, options);
  if (ctx.status === 503) ctx.set("retry-after", RETRY_AFTER);
  if (route === "jwks") ctx.set("cache-control", `public, max-age=${options.jwksAge}`);
  if (route === "discovery" && isObject(ctx.body)) ctx.body = completeMetadata(ctx.body);
  if (route === "end_session_confirm") await recordSignOut(ctx, options);
  if (route === "revocation") await recordRevocation(ctx, options);
  // oidc-provider's own pages that submit themselves by a script: ours need none.
  if (typeof ctx.body !== "string" || !SELF_SUBMITTING.test(ctx.body)) return;
  if (route === "end_session") await show(ctx, (house) => alreadySignedOutPage(house, signOutForm(ctx)));
  if (route === "resume") await show(ctx, (house) => switchPersonPage(house, signOutForm(ctx)));
}

/** Seconds until it is worth trying again, as at the exchange. */
const RETRY_AFTER = "5";

/** Who looks at their account sees from where each of their sessions was used. */
async function noteUse(ctx: KoaContextWithOIDC, options: ProviderOptions): Promise<void> {
  const { session } = ctx.oidc;
  if (session?.accountId === undefined || session.exp === undefined) return;
  const userAgent = ctx.headers["user-agent"] ?? "";
  try {
    await noteDevice(options, session, { userAgent, source: sourceOf(ctx.req) });
  } catch (error) {
    // The sign-in is done; that a list will lack a line must not undo it.
    options.report({ reference: newReference(), code: "store_failed", error });
  }
}

const SELF_SUBMITTING = /forms\[0\]\.submit\(\)[\s\S]*name="xsrf"/;

async function recordSignOut(ctx: KoaContextWithOIDC, { record, report, now }: ProviderOptions): Promise<void> {
  const { session, client } = ctx.oidc;
  if (session?.accountId === undefined || Reflect.get(session, "destroyed") !== true) return;
  const source = sourceOf(ctx.req);
  const agent = client === undefined ? {} : { agentId: client.clientId };
  try {
    await record({ type: "signed-out", personId: session.accountId, ...agent, source, at: now() });
  } catch (error) {
    // The session has ended; a record that fails must not tell the person otherwise.
    report({ reference: newReference(), code: "record_failed", error });
  }
}

/** What a client has given back. A token that nobody knows is answered alike, and is nothing to record. @see RFC 7009 §2.2 */
async function recordRevocation(ctx: KoaContextWithOIDC, { record, report, now }: ProviderOptions): Promise<void> {
  const { client, entities } = ctx.oidc;
  const token = entities.RefreshToken ?? entities.AccessToken;
  if (ctx.status !== 200 || client === undefined || token === undefined) return;
  const event = { personId: token.accountId, agentId: client.clientId, source: sourceOf(ctx.req), at: now() } as const;
  try {
    await record({ type: "token-revoked", ...event });
  } catch (error) {
    // The token is worth nothing any more; a record that fails must not tell the client otherwise.
    report({ reference: newReference(), code: "record_failed", error });
  }
}

function signOutForm(ctx: KoaContextWithOIDC) {
  const { session, client, provider } = ctx.oidc;
  const { state } = session ?? {};
  const secret = isObject(state) && typeof state.secret === "string" ? state.secret : "";
  const returnTo =
    isObject(state) && typeof state.postLogoutRedirectUri === "string" ? state.postLogoutRedirectUri : undefined;
  return {
    action: `${basePath(provider.issuer)}${PATHS.signOut}/confirm`,
    values: { xsrf: secret, logout: "yes" },
    agent: client?.clientName,
    returnTo,
  };
}

function send(ctx: Pick<KoaContextWithOIDC, "body" | "set">, page: RenderedPage): void {
  ctx.body = page.html;
  ctx.set({ ...page.headers });
}
