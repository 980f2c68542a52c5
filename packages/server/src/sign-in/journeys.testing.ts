import * as oidc from "openid-client";
import { CALLBACK, PASSWORD, SECRET, type TestHouse } from "./house.testing.ts";
import { createUserAgent, type Page, type UserAgent } from "./user-agent.testing.ts";

/** How an agent signs people in, in a test. */
export interface AgentOptions {
  readonly id?: string;
  readonly auth?: oidc.ClientAuth;
  readonly redirectUri?: string;
  readonly scope?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** Discovers the house as openid-client does. */
export function discover(house: TestHouse, { id = "assistant", auth }: AgentOptions = {}): Promise<oidc.Configuration> {
  const how = auth ?? oidc.ClientSecretBasic(SECRET);
  return oidc.discovery(new URL(house.issuer), id, undefined, how, { execute: [oidc.allowInsecureRequests] });
}

/** An authorization that was asked for, and what proves that it was. */
export interface Asked {
  readonly config: oidc.Configuration;
  readonly url: URL;
  readonly verifier: string;
  readonly state: string;
}

/** Builds an authorization URL: code, PKCE, state. */
export async function ask(house: TestHouse, options: AgentOptions = {}): Promise<Asked> {
  const config = await discover(house, options);
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: options.redirectUri ?? CALLBACK,
    scope: options.scope ?? "openid email profile offline_access",
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    ...options.parameters,
  });
  return { config, url, verifier, state };
}

/** Follows an authorization URL and signs in on the page, if one is shown. */
export async function signInOnPage(browser: UserAgent, url: URL, email = "alice@acme.example"): Promise<Page> {
  const page = await browser.go(url.href);
  return page.left === undefined ? typeIn(browser, page, email) : page;
}

/** Types an email on the first step's page, and a password on the second's. */
export async function typeIn(browser: UserAgent, page: Page, email: string, password = PASSWORD): Promise<Page> {
  return browser.submit(await browser.submit(page, { email }), { password });
}

/** Redeems what came back. */
export function redeem({ config, verifier, state }: Asked, page: Page) {
  if (page.left === undefined) throw new Error(`no redirect to the agent: ${page.status} ${page.url} ${page.html}`);
  return oidc.authorizationCodeGrant(config, page.left, { pkceCodeVerifier: verifier, expectedState: state });
}

/** The whole of it: a person signs in to an agent. */
export async function signIn(
  house: TestHouse,
  options: AgentOptions & { readonly email?: string; readonly browser?: UserAgent } = {},
) {
  const browser = options.browser ?? createUserAgent();
  const asked = await ask(house, options);
  const tokens = await redeem(asked, await signInOnPage(browser, asked.url, options.email));
  const claims = tokens.claims();
  if (claims === undefined) throw new Error("no ID token");
  return { browser, asked, config: asked.config, tokens, claims };
}

/** Sends a form to the token endpoint, as the assistant. */
export async function postToken(
  house: TestHouse,
  form: Readonly<Record<string, string>> | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${house.issuer}/token`, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      authorization: basic("assistant", SECRET),
      ...headers,
    },
    body: typeof form === "string" ? form : new URLSearchParams(form).toString(),
  });
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null) throw new Error("no JSON object");
  return { status: response.status, body: { ...body }, headers: response.headers };
}

/** A Basic header, as RFC 6749 §2.3.1 says. */
export function basic(id: string, secret: string): string {
  return `Basic ${btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`)}`;
}
