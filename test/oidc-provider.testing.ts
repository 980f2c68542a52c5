/** An oidc-provider as somebody runs it already, on loopback: accounts, a sign-in page, and nothing of ours. */
import { generateKeyPairSync } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Account, type Configuration, interactionPolicy, Provider } from "oidc-provider";
import { openUserAgent, type Typist, type UserAgent } from "../examples/demo/src/user-agent.ts";

export const PEOPLE: Readonly<Record<string, Typist>> = {
  alice: { email: "alice@acme.example", password: "correct horse battery staple" },
  bob: { email: "bob@acme.example", password: "another long password" },
};
export const REDIRECT = "http://127.0.0.1/callback";

/** A private key, as JWK. */
export type ProviderKey = Readonly<Record<"kty" | "kid" | "alg" | "use" | "crv" | "x" | "y" | "d", string>>;

/** Makes a private key for `jwks`, as a provider's operator does. */
export async function newJwk(kid: string): Promise<ProviderKey> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { crv = "", x = "", y = "", d = "" } = privateKey.export({ format: "jwk" });
  return { kty: "EC", crv, x, y, d, kid, alg: "ES256", use: "sig" };
}

export interface RunningProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly provider: Provider;
  readonly http: Server;
}

/**
 * Starts a provider on a free port.
 *
 * @param configure - Its configuration, once the issuer is known.
 * @param extend - What is done to it before it serves.
 * @param before - Answers a request in place of the provider when it returns `true`.
 */
export async function startProvider(
  configure: (issuer: string) => Configuration,
  extend: (provider: Provider, issuer: string) => void = () => {},
  before: (issuer: string) => (...request: Parameters<RequestListener>) => Promise<boolean> = () => async () => false,
): Promise<RunningProvider> {
  let serve: RequestListener = (_req, res) => void res.writeHead(503).end();
  const http = createServer((req, res) => serve(req, res));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  };
  const provider = await make(issuer, configure, extend).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const callback = provider.callback();
  const first = before(issuer);
  serve = (req, res) => {
    first(req, res).then(
      (answered) => (answered ? undefined : callback(req, res)),
      () => void res.writeHead(500).end(),
    );
  };
  return {
    issuer,
    provider,
    http,
    [Symbol.asyncDispose]: close,
  };
}

async function make(
  issuer: string,
  configure: (issuer: string) => Configuration,
  extend: (provider: Provider, issuer: string) => void,
): Promise<Provider> {
  const provider = new Provider(issuer, configure(issuer));
  addSignInPage(provider);
  extend(provider, issuer);
  return provider;
}

/** People who are gone since the test said so. */
export const gone = new Set<string>();

export async function findAccount(_ctx: unknown, id: string): Promise<Account | undefined> {
  const person = PEOPLE[id];
  if (person === undefined || gone.has(id)) return undefined;
  return { accountId: id, claims: async () => ({ sub: id, email: person.email }) };
}

/** What such a provider has in common: its accounts, its page, one key, no consent screen. */
export function signsPeopleIn(key: ProviderKey): Configuration {
  const policy = interactionPolicy.base();
  policy.get("consent")?.checks.clear();
  return {
    jwks: { keys: [key] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    scopes: ["openid", "offline_access", "email"],
    responseTypes: ["code"],
    cookies: { keys: ["a cookie key of this test"] },
    features: { devInteractions: { enabled: false } },
    interactions: { policy, url: (_ctx, { uid }) => `/sign-in/${uid}` },
    findAccount,
    async loadExistingGrant(ctx) {
      const { client, account, provider } = ctx.oidc;
      if (client === undefined || account === undefined) return undefined;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: account.accountId });
      grant.addOIDCScope([...ctx.oidc.requestParamOIDCScopes].join(" "));
      await grant.save();
      return grant;
    },
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  };
}

/** A page with a form, and what its sending does. */
export function addSignInPage(provider: Provider): void {
  provider.use(async (ctx, next) => {
    // OpenID Connect Core §11: offline access wants consent, which an organization gives once, for all.
    const offline = ctx.path === "/auth" && String(ctx.query.scope).includes("offline_access");
    if (offline) ctx.query = { ...ctx.query, prompt: "consent" };
    if (!ctx.path.startsWith("/sign-in/")) return next();
    if (ctx.method !== "POST") {
      ctx.type = "html";
      ctx.body = `<form method="post" action="${ctx.path}"><input type="email" name="email"><input type="password" name="password"><button>Sign in</button></form>`;
      return;
    }
    const form = new URLSearchParams(await textOf(ctx.req));
    const [id] = Object.entries(PEOPLE).find(([, one]) => one.email === form.get("email")) ?? [];
    if (id === undefined || PEOPLE[id]?.password !== form.get("password")) return ctx.throw(403);
    const login = { accountId: id, acr: "urn:example:password", amr: ["pwd"] };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, { login, consent: {} }));
  });
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Takes part in a sign-in as a browser, up to the client's redirect URI. */
export async function visit(url: string, who: Typist, browser: UserAgent = openUserAgent(who)): Promise<URL> {
  const end = await browser.browse(url, REDIRECT);
  if ("html" in end) throw new Error(`the sign-in ended at ${end.url} with ${end.status}: ${end.html.slice(0, 500)}`);
  return new URL(end.url);
}
