/**
 * Others' IdPs and authorization servers, in the shapes that their public texts give them: paths, issuers, and every member of
 * their answers. Each is a server on loopback that answers so; our client works, or says exactly why it does not.
 *
 * Read in November 2026:
 * - Okta as IdP, and Auth0 as an app's authorization server: auth0.com/docs/secure/call-apis-on-users-behalf/xaa/end-to-end-testing,
 *   auth0.com/docs/api/authentication/cross-app-access/get-token, developer.okta.com/docs/guides/xaa-validate-id-jag/main
 * - Keycloak as receiver: keycloak.org/securing-apps/identity-assertion-jwt-authorization-grant and .../jwt-authorization-grant;
 *   as IdP: github.com/keycloak/keycloak/pull/50288
 * - the playground of Okta: xaa.dev/docs/step2, xaa.dev/docs/token-structure, xaa.dev/docs/troubleshooting
 */
import { type IdJagClaims, signIdJag } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner, signJwt } from "@credence/protocol/jws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAgent } from "./agent.ts";
import type { AgentOptions } from "./options.ts";
import type { Session } from "./session.ts";
import { json, startServer, type TestServer } from "./testing/http.testing.ts";
import { failure } from "./testing/world.testing.ts";

/** An IdP: where its things are, and what its exchange answers. */
interface IdpProfile {
  /** What follows the origin in its issuer. */
  readonly path: string;
  readonly metadataAt: string;
  readonly tokenAt: string;
  readonly alg: "RS256" | "ES256";
  readonly metadata: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly answer: Record<string, unknown>;
}

const idps: Readonly<Record<string, IdpProfile>> = {
  // The org authorization server; `act` stands in every ID-JAG of an agent.
  Okta: {
    path: "",
    metadataAt: "/.well-known/openid-configuration",
    tokenAt: "/oauth2/v1/token",
    alg: "RS256",
    metadata: {
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
      dpop_signing_alg_values_supported: ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
    },
    claims: { act: { sub: "wlp4xp3jbJSnBzSCE0g7" }, email: "alice@acme.example", auth_time: 1_760_000_000 },
    answer: { token_type: "N_A", expires_in: 300, scope: "ledger.read" },
  },
  // A realm; the profile stands where receivers state it, and no list of token types.
  Keycloak: {
    path: "/realms/acme",
    metadataAt: "/realms/acme/.well-known/openid-configuration",
    tokenAt: "/realms/acme/protocol/openid-connect/token",
    alg: "RS256",
    metadata: {
      authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
      grant_types_supported: [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
      ],
      tls_client_certificate_bound_access_tokens: true,
    },
    claims: { typ: "Bearer" },
    answer: { token_type: "N_A", expires_in: 300, "not-before-policy": 0, scope: "ledger.read" },
  },
  // Credentials in the body alone; the address as `sub`.
  "the playground's IdP": {
    path: "",
    metadataAt: "/.well-known/openid-configuration",
    tokenAt: "/token",
    alg: "ES256",
    metadata: { token_endpoint_auth_methods_supported: ["client_secret_post"] },
    claims: { sub: "alice@acme.example", nbf: 1_760_000_000 },
    answer: { token_type: "N_A", expires_in: 300, scope: "ledger.read" },
  },
};

/** An app's authorization server. */
interface AppProfile extends Omit<IdpProfile, "alg" | "claims"> {}

const apps: Readonly<Record<string, AppProfile>> = {
  // The issuer ends in a slash, and the ID-JAG's audience with it. Tokens for a day, no resource in the answer.
  Auth0: {
    path: "/",
    metadataAt: "/.well-known/openid-configuration",
    tokenAt: "/oauth/token",
    metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"] },
    answer: { scope: "ledger.read", expires_in: 86_400, token_type: "Bearer" },
  },
  // A realm, found by OpenID Connect's document alone. Members of its own in the answer.
  Keycloak: {
    path: "/realms/ledger",
    metadataAt: "/realms/ledger/.well-known/openid-configuration",
    tokenAt: "/realms/ledger/protocol/openid-connect/token",
    metadata: {
      grant_types_supported: ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
      authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
    },
    answer: {
      expires_in: 300,
      refresh_expires_in: 0,
      token_type: "Bearer",
      "not-before-policy": 0,
      scope: "ledger.read",
    },
  },
  // A custom authorization server of Okta: a path in the issuer, RFC 8414's document inserted before it.
  "an Okta custom authorization server": {
    path: "/oauth2/aus1ledger",
    metadataAt: "/.well-known/oauth-authorization-server/oauth2/aus1ledger",
    tokenAt: "/oauth2/aus1ledger/v1/token",
    metadata: {},
    answer: { token_type: "Bearer", expires_in: 3_600, scope: "ledger.read" },
  },
};

interface Peers {
  readonly idp: TestServer;
  readonly app: TestServer;
  readonly issuers: { readonly idp: string; readonly app: string };
  readonly resource: string;
  /** In place of the answers. */
  refuse: { idp?: Response; app?: Response };
  answer: Record<string, unknown>;
  session(options?: Partial<AgentOptions>): Promise<Session>;
}

let running: TestServer[];
beforeEach(() => {
  running = [];
});
afterEach(() => Promise.all(running.map((server) => server.close())));

async function start(idpProfile: IdpProfile | undefined, appProfile: AppProfile | undefined): Promise<Peers> {
  if (!idpProfile || !appProfile) throw new Error("There is no such peer");
  const { privateJwk } = await generateSigningKey(idpProfile.alg);
  const signer = await importSigner(privateJwk);
  const [idp, app] = await Promise.all([1, 2].map(() => startServer(() => new Response(null, { status: 404 }))));
  if (!idp || !app) throw new Error("Nothing listens");
  running.push(idp, app);
  const issuers = { idp: `${idp.origin}${idpProfile.path}`, app: `${app.origin}${appProfile.path}` };
  const resource = `${app.origin}/api`;
  const challenge = `Bearer resource_metadata="${app.origin}/.well-known/oauth-protected-resource/api"`;
  const now = (): number => Math.floor(Date.now() / 1_000);
  const idToken = (): Promise<string> =>
    signJwt("JWT", { iss: issuers.idp, sub: "00u1", aud: "0oa1", iat: now(), exp: now() + 3_600 }, signer);

  idp.handler = async (request) => {
    const { pathname } = new URL(request.url);
    const token_endpoint = `${idp.origin}${idpProfile.tokenAt}`;
    if (pathname === idpProfile.metadataAt)
      return json({ issuer: issuers.idp, token_endpoint, ...idpProfile.metadata });
    if (pathname !== idpProfile.tokenAt) return json({ errorCode: "E0000022" }, 404);
    if (peers.refuse.idp) return peers.refuse.idp.clone();
    const form = new URLSearchParams(await request.text());
    const claims = {
      iss: issuers.idp,
      sub: "00u1",
      aud: form.get("audience"),
      client_id: "ledger-client",
      jti: crypto.randomUUID(),
      iat: now(),
      exp: now() + 300,
      resource: form.get("resource"),
      scope: form.get("scope"),
      ...idpProfile.claims,
    };
    const access_token = await signIdJag(claims as unknown as IdJagClaims, signer);
    return json({ issued_token_type: "urn:ietf:params:oauth:token-type:id-jag", access_token, ...idpProfile.answer });
  };
  app.handler = (request) => {
    const { pathname } = new URL(request.url);
    const token_endpoint = `${app.origin}${appProfile.tokenAt}`;
    if (pathname === appProfile.metadataAt)
      return json({ issuer: issuers.app, token_endpoint, ...appProfile.metadata });
    if (pathname === "/.well-known/oauth-protected-resource/api") {
      return json({ resource, authorization_servers: [issuers.app], scopes_supported: ["ledger.read"] });
    }
    if (pathname === appProfile.tokenAt) {
      return peers.refuse.app?.clone() ?? json({ access_token: "of the app", ...appProfile.answer, ...peers.answer });
    }
    if (pathname.startsWith("/api")) {
      const good = request.headers.get("authorization") === "Bearer of the app";
      return good
        ? json({ entries: [] })
        : new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
    }
    return new Response(null, { status: 404 });
  };
  const peers: Peers = {
    idp,
    app,
    issuers,
    resource,
    refuse: {},
    answer: {},
    async session(options = {}) {
      const agent = createAgent({
        idp: { issuer: issuers.idp, client: { method: "client_secret_post", clientId: "0oa1", clientSecret: "s" } },
        apps: [
          {
            issuer: issuers.app,
            client: { method: "client_secret_post", clientId: "ledger-client", clientSecret: "t" },
          },
        ],
        development: true,
        ...options,
      });
      return agent.session({ idToken: await idToken() });
    },
  };
  return peers;
}

const pairs = Object.keys(idps).flatMap((idp) => Object.keys(apps).map((app) => [idp, app] as const));

describe("from IdPs to apps of others", () => {
  it.each(pairs)("%s and %s are reached", async (idp, app) => {
    const peers = await start(idps[idp], apps[app]);
    const session = await peers.session();
    expect((await session.fetch(`${peers.resource}/entries`)).status).toBe(200);
    const asked = new URLSearchParams(peers.idp.seen.find(({ method }) => method === "POST")?.body);
    expect(Object.fromEntries(asked)).toMatchObject({ audience: peers.issuers.app, resource: peers.resource });
    const redeemed = new URLSearchParams(peers.app.seen.find(({ method }) => method === "POST")?.body);
    expect(redeemed.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
  });
});

describe("what others refuse", () => {
  it.each<[string, Response, object]>([
    [
      "Okta's denial is one, when the error says so",
      json({ error: "access_denied", error_description: "Policy evaluation failed for this request." }, 400),
      { code: "access_denied", retry: "never" },
    ],
    [
      "Okta's denial as invalid_grant is final when the sign-in can not be renewed",
      json({ error: "invalid_grant", error_description: "The subject token is not valid for this client." }, 400),
      { code: "invalid_grant", leg: "exchange" },
    ],
    [
      "the playground's missing connection is an unknown target",
      json({ error: "invalid_target", error_description: "No resource connection found for this client." }, 400),
      { code: "invalid_target", retry: "never" },
    ],
    [
      "Okta's own error body says at least its status",
      json({ errorCode: "E0000047", errorSummary: "API call exceeded rate limit", errorCauses: [] }, 429, {
        "retry-after": "30",
      }),
      { code: "slow_down", retryAfter: 30 },
    ],
    [
      "Keycloak's feature that is off is a grant that is not supported",
      json({ error: "unsupported_grant_type", error_description: "Unsupported grant_type" }, 400),
      { code: "unsupported_grant_type" },
    ],
    [
      "Keycloak's client without the switch is one that may not",
      json({ error: "unauthorized_client", error_description: "Client is not allowed to exchange" }, 400),
      { code: "unauthorized_client" },
    ],
  ])("by the IdP: %s", async (_, refusal, expected) => {
    const peers = await start(idps.Okta, apps.Auth0);
    peers.refuse = { idp: refusal };
    const error = await failure((await peers.session()).fetch(`${peers.resource}/entries`));
    expect(error).toMatchObject({ party: peers.issuers.idp, ...expected });
    expect(peers.app.seen.some(({ method }) => method === "POST")).toBe(false);
  });

  it.each<[string, Response, object]>([
    [
      "Auth0's client without the toggle",
      json({ error: "unauthorized_client", error_description: "Grant type not allowed for the client." }, 403),
      { code: "unauthorized_client", status: 403 },
    ],
    [
      "Auth0's limit",
      json({ error: "too_many_requests", error_description: "Global limit has been reached" }, 429),
      { code: "slow_down", retry: "wait" },
    ],
    [
      "Keycloak's used ID-JAG is worth one fresh one",
      json({ error: "invalid_grant", error_description: "Token reuse detected" }, 400),
      { code: "invalid_grant", retry: "new-id-jag" },
    ],
  ])("by the app: %s", async (_, refusal, expected) => {
    const peers = await start(idps.Okta, apps.Auth0);
    peers.refuse = { app: refusal };
    const error = await failure((await peers.session()).fetch(`${peers.resource}/entries`));
    expect(error).toMatchObject({ leg: "redemption", party: peers.issuers.app, ...expected });
  });

  it("Keycloak's default scopes, which nobody asked for, are more than the organization granted: it says so", async () => {
    const peers = await start(idps.Okta, apps.Keycloak);
    peers.answer = { scope: "ledger.read profile email" };
    const error = await failure((await peers.session()).fetch(`${peers.resource}/entries`));
    expect(error).toMatchObject({ reason: "scope-wider", leg: "redemption", party: peers.issuers.app });
  });

  it("Auth0's issuer without its slash is another issuer, and the error says which", async () => {
    const peers = await start(idps.Okta, apps.Auth0);
    const client = { method: "client_secret_post", clientId: "ledger-client", clientSecret: "t" } as const;
    const session = await peers.session({ apps: [{ issuer: peers.app.origin, client }] });
    const error = await failure(session.fetch(`${peers.resource}/entries`));
    expect(error).toMatchObject({ code: "configuration", reason: "app-unknown" });
    expect(error.message).toContain(`trusts ${peers.issuers.app}`);
  });

  it("Okta's metadata promises proofs; an ID-JAG that is not bound then is not used", async () => {
    const appWithProofs = { ...apps.Auth0, metadata: { dpop_signing_alg_values_supported: ["ES256"] } };
    const peers = await start(idps.Okta, appWithProofs as AppProfile);
    const error = await failure((await peers.session({ dpop: {} })).fetch(`${peers.resource}/entries`));
    expect(error).toMatchObject({ reason: "binding-differs", leg: "exchange", party: peers.issuers.idp });
  });
});
