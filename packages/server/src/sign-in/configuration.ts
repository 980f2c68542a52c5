import { CLIENT_ASSERTION_LIMITS } from "@credence/protocol/client-auth";
import { JWS_ALGORITHMS, type JwsAlgorithm } from "@credence/protocol/jws";
import { type Configuration, errors, interactionPolicy, type KoaContextWithOIDC } from "oidc-provider";
import { ACR_VALUES, acrSatisfies, isAcr } from "../directory/acr.ts";
import { type NamingSecrets, subjectFor } from "../directory/subject.ts";
import type { App, Person } from "../directory/types.ts";
import { type AdapterPorts, createAdapter } from "./adapter.ts";
import { basePath, PATHS } from "./paths.ts";
import { ACR_CHECK, acrValues } from "./progress.ts";

/** Lifetimes in seconds. */
export interface Lifetimes {
  /** From signing in; not prolonged by use. */
  readonly session: number;
  /** To type email and password. */
  readonly interaction: number;
  readonly authorizationCode: number;
  readonly idToken: number;
  /** For userinfo alone. */
  readonly accessToken: number;
  /** Of each refresh token; with `grant` as the end of all. */
  readonly refreshToken: number;
  readonly grant: number;
}

/** What holds where the deployment says nothing. */
export const DEFAULT_LIFETIMES: Lifetimes = {
  session: 12 * 3600,
  interaction: 3600,
  authorizationCode: 60,
  idToken: 3600,
  accessToken: 600,
  refreshToken: 14 * 86_400,
  grant: 30 * 86_400,
};

/** What sets one deployment's oidc-provider apart from another's. */
export interface ConfigurationPorts {
  readonly issuer: string;
  readonly adapter: AdapterPorts;
  readonly people: {
    person(id: string): Promise<Person | undefined>;
    appByRelyingParty(clientId: string): Promise<App | undefined>;
  };
  readonly naming: NamingSecrets;
  readonly nonceSecret?: Buffer;
  /** Fetches agents' keys at a URL, within the guard. */
  readonly fetch: NonNullable<Configuration["fetch"]>;
  readonly jwks: NonNullable<Configuration["jwks"]>;
  /** What ID tokens can be signed with, the default first. */
  readonly algorithms: readonly JwsAlgorithm[];
  /** Signing keys of cookies, the newest first. */
  readonly cookieKeys: readonly string[];
  readonly lifetimes: Lifetimes;
  readonly now: () => number;
  readonly renderError: NonNullable<Configuration["renderError"]>;
  readonly signOut: {
    readonly confirm: (ctx: KoaContextWithOIDC, form: string) => Promise<void>;
    readonly done: (ctx: KoaContextWithOIDC) => Promise<void>;
  };
}

/** What clients may sign assertions and proofs with, as at the exchange. */
const ALGORITHMS: JwsAlgorithm[] = [...JWS_ALGORITHMS];

/** oidc-provider, narrowed to what the design says: code + PKCE S256, rotation, no consent screen, nothing dynamic. */
export function configure(ports: ConfigurationPorts): Configuration {
  const { lifetimes } = ports;
  return {
    adapter: createAdapter(ports.adapter),
    jwks: ports.jwks,
    clientDefaults: { id_token_signed_response_alg: ports.algorithms[0] },
    responseTypes: ["code"],
    scopes: ["openid", "offline_access", "email", "profile"],
    acrValues: [...ACR_VALUES],
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
    // As at the exchange: so far clients' clocks may be off.
    clockTolerance: CLIENT_ASSERTION_LIMITS.skew,
    enabledJWA: {
      idTokenSigningAlgValues: ports.algorithms,
      clientAuthSigningAlgValues: ALGORITHMS,
      dPoPSigningAlgValues: ALGORITHMS,
    },
    pkce: { required: () => true },
    clientBasedCORS: (_ctx, origin, client) =>
      client.clientAuthMethod === "none" &&
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    // A subject token must say when and how: these stand in every ID token, not only in those that were asked to have them.
    conformIdTokenClaims: false,
    claims: {
      openid: ["sub", "auth_time", "acr", "amr"],
      email: ["email", "email_verified"],
      profile: ["name"],
      acr: null,
      auth_time: null,
      iss: null,
      sid: null,
    },
    findAccount: (ctx, id) => findAccount(id, ctx?.oidc?.client?.clientId, ports),
    // Agents know a person by their id here; each app by the name that its ID-JAGs have (`subject_type` of its client).
    subjectTypes: ["public", "pairwise"],
    pairwiseIdentifier: (_ctx, id, { clientId }) => nameAtApp(id, clientId, ports),
    // The sector is the app, and it is the organization that says which redirects are the app's.
    sectorIdentifierUriValidate: () => false,
    fetch: ports.fetch,
    loadExistingGrant,
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, source) =>
      client.grantTypeAllowed("refresh_token") && source.scopes.has("offline_access"),
    interactions: { policy: interactions(), url: (_ctx, { uid }) => `${basePath(ports.issuer)}${PATHS.signIn}/${uid}` },
    features: {
      devInteractions: { enabled: false },
      // Every key, also one of our own memory: so all are signed with in one way, and none is handed out.
      externalSigningSupport: { enabled: true, ack: "experimental-01" },
      dPoP: {
        enabled: true,
        ...(ports.nonceSecret === undefined ? {} : { nonceSecret: ports.nonceSecret, requireNonce: () => true }),
      },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: ports.signOut.confirm,
        postLogoutSuccessSource: ports.signOut.done,
      },
      revocation: { enabled: true, allowedPolicy: allowRevocation },
      userinfo: { enabled: true },
    },
    routes: {
      authorization: PATHS.authorize,
      token: PATHS.token,
      userinfo: PATHS.userinfo,
      jwks: PATHS.jwks,
      end_session: PATHS.signOut,
      revocation: PATHS.revoke,
    },
    cookies: {
      keys: [...ports.cookieKeys],
      names: cookieNames(ports.issuer),
      long: { httpOnly: true, sameSite: "lax", signed: true },
      short: { httpOnly: true, sameSite: "lax", signed: true },
    },
    renderError: ports.renderError,
    ttl: {
      AccessToken: lifetimes.accessToken,
      AuthorizationCode: lifetimes.authorizationCode,
      Grant: lifetimes.grant,
      IdToken: lifetimes.idToken,
      Interaction: lifetimes.interaction,
      RefreshToken: lifetimes.refreshToken,
      Session: (_ctx, { loginTs }) => sessionTtl(loginTs, lifetimes.session, ports.now()),
    },
  };
}

/** A session ends a while after signing in, however often it is used meanwhile. */
function sessionTtl(signedInAt: number | undefined, lifetime: number, now: number): number {
  return signedInAt === undefined ? lifetime : Math.max(1, signedInAt + lifetime - now);
}

type NamingPorts = Pick<ConfigurationPorts, "people" | "naming">;

async function findAccount(id: string, clientId: string | undefined, { people, naming }: NamingPorts) {
  const person = await people.person(id);
  if (person === undefined || !person.enabled) return undefined;
  const app = clientId === undefined ? undefined : await people.appByRelyingParty(clientId);
  // An app that knows people by its own ids, and has none for this one, has no account for them.
  if (app !== undefined && subjectFor(person, app, naming) === undefined) return undefined;
  const { email, name } = person;
  // What an ID-JAG does not tell the app, its own sign-in does not either.
  const told = app?.claims === undefined || app.claims.includes("email");
  const address = told ? { email, email_verified: true } : {};
  return { accountId: id, claims: async () => ({ sub: id, name, ...address }) };
}

/**
 * What an app that signs people in knows somebody by: the name that its ID-JAGs have, too.
 * @throws InvalidGrant when there is none any more: `findAccount` has refused who never had one.
 * @see ID-JAG draft §5
 */
async function nameAtApp(id: string, clientId: string, { people, naming }: NamingPorts): Promise<string> {
  const [person, app] = [await people.person(id), await people.appByRelyingParty(clientId)];
  const name = person && app && subjectFor(person, app, naming);
  if (name === undefined) throw new errors.InvalidGrant("the app has no name for this person");
  return name;
}

/** The organization has decided which agents there are: signing in to one grants the scopes of sign-in at once. */
async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { client, account, session, provider } = ctx.oidc;
  if (client === undefined || account === undefined) return undefined;
  const grantId = session?.grantIdFor(client.clientId);
  const found = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const existing = found?.accountId === account.accountId ? found : undefined;
  const grant = existing ?? new provider.Grant({ clientId: client.clientId, accountId: account.accountId });
  grant.addOIDCScope([...ctx.oidc.requestParamOIDCScopes].join(" "));
  await grant.save();
  return grant;
}

/**
 * Sign in, and nothing else: `prompt=consent` is understood, and asks nothing (the organization decides, not a screen).
 */
function interactions() {
  const { Check, Prompt, base } = interactionPolicy;
  const policy = base();
  policy.remove("consent");
  policy
    .get("login")
    ?.checks.add(
      new Check("account_gone", "the person of this session is disabled or gone", "login_required", ({ oidc }) =>
        oidc.session?.accountId !== undefined && oidc.account === undefined
          ? Check.REQUEST_PROMPT
          : Check.NO_NEED_TO_PROMPT,
      ),
    );
  policy.get("login")?.checks.add(strongEnough());
  const consent = new Prompt({ name: "consent", requestable: true });
  consent.checks.clear();
  policy.add(consent);
  return policy;
}

/**
 * A client gives back its own tokens. With any of them goes all that came from the same authorization.
 * @throws InvalidGrant for another client's token: who tries is told, and nothing happens to it.
 * @see RFC 7009 §2.1
 */
async function allowRevocation(
  _ctx: KoaContextWithOIDC,
  client: { readonly clientId: string },
  token: { readonly clientId?: string | undefined },
): Promise<boolean> {
  if (token.clientId !== client.clientId) throw new errors.InvalidGrant("the token was issued to another client");
  return true;
}

/**
 * `acr_values` is a demand here, as RFC 9470 recommends: a sign-in that is as strong as one of them, or an error.
 * @see RFC 9470 §5
 */
function strongEnough() {
  const { Check } = interactionPolicy;
  return new Check(ACR_CHECK, "a stronger sign-in is asked for", "login_required", ({ oidc }) => {
    const wanted = acrValues(oidc.params?.acr_values);
    if (wanted === undefined) return Check.NO_NEED_TO_PROMPT;
    if (!wanted.some(isAcr)) throw new errors.UnmetAuthenticationRequirements("none of the acr_values is known here");
    // Who is not signed in at all is asked for everything anyway.
    if (oidc.session?.accountId === undefined) return Check.NO_NEED_TO_PROMPT;
    return acrSatisfies(oidc.session.acr, wanted) ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
  });
}

/**
 * Cookies know no ports: two servers on one host must not read each other's. And over TLS nobody but this host can write the
 * session's, no neighbouring subdomain either: else somebody could be at another's account without noticing.
 * @see RFC 6265bis §4.1.3.2 (`__Host-`)
 */
function cookieNames(issuer: string) {
  const { port, protocol } = new URL(issuer);
  const suffix = port === "" ? "" : `_${port}`;
  const thisHostAlone = protocol === "https:" ? "__Host-" : "";
  return {
    session: `${thisHostAlone}credence_session${suffix}`,
    // These two are for one path each, which that prefix does not allow. What else guards them: `same-browser.ts`.
    interaction: `credence_sign_in${suffix}`,
    resume: `credence_resume${suffix}`,
  };
}
