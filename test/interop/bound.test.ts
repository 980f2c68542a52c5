/** DPoP on both legs and at the resource, with nonces, between our servers and each client that can do it. */
import { type AgentOptions, type ClientIdentity, createAgent, generateDpopKey, type Session } from "@credence/client";
import { idJagOAuthClientProvider } from "@credence/client/mcp";
import { generateSigningKey, importSigner } from "@credence/protocol/jws";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CALLBACK, SECRETS } from "../house.testing.ts";
import { type BoundWorld, startBoundWorld } from "./bound.testing.ts";
import { LIST_ENTRIES, visit } from "./world.testing.ts";

const key = await generateDpopKey();
const [atIdp, atApp] = [await generateSigningKey("ES256"), await generateSigningKey("ES256")];
const SECRET = { clientId: "ledger-assistant", clientSecret: "secret-at-ledger" };

let world: BoundWorld;
beforeAll(async () => {
  world = await startBoundWorld({
    clients: [
      { ...SECRET, method: "client_secret_basic" },
      { clientId: "ledger-crawler", method: "private_key_jwt", jwks: { keys: [atApp.publicJwk] } },
      { clientId: "ledger-public", method: "none", dpopBound: true },
    ],
    change: (organization) => ({
      ...organization,
      agents: organization.agents.map((agent) => {
        const jwks = { keys: [{ ...atIdp.publicJwk }] };
        if (agent.id === "crawler") return { ...agent, auth: { method: "private_key_jwt", jwks } };
        return agent.id === "public" ? { ...agent, dpopBound: true } : agent;
      }),
      apps: organization.apps.map((app) => ({
        ...app,
        clients: { ...app.clients, crawler: "ledger-crawler", public: "ledger-public" },
      })),
      connections: organization.connections.flatMap((one) =>
        one.agent === "assistant"
          ? ["assistant", "crawler", "public"].map((agent) => ({ ...one, id: `${agent}-ledger`, agent }))
          : [one],
      ),
    }),
  });
});
afterAll(() => world[Symbol.asyncDispose]());

/** Signs Alice in to an agent of ours. */
async function signIn(
  idp: ClientIdentity,
  app: ClientIdentity,
  options: Partial<AgentOptions> = { dpop: { key, required: true } },
): Promise<Session> {
  const agent = createAgent({
    idp: { issuer: world.house.issuer, client: idp },
    apps: [{ issuer: world.ledger, client: app }],
    development: true,
    ...options,
  });
  return world.house.signIn(agent);
}

const bySecret = (): Promise<Session> =>
  signIn(
    { method: "client_secret_basic", clientId: "assistant", clientSecret: SECRETS.assistant ?? "" },
    { method: "client_secret_basic", ...SECRET },
  );

/** What the app saw at its token endpoint and at its resource: whether each was asked for with a nonce of ours. */
function lastProofs(): readonly (string | undefined)[] {
  return ["/token", "/mcp"].map((path) => {
    const sent = world.app.seen.findLast(({ url }) => new URL(url).pathname.startsWith(path))?.headers.get("dpop");
    return sent ? JSON.parse(Buffer.from(sent.split(".")[1] ?? "", "base64url").toString()).nonce : undefined;
  });
}

describe("credence/client with DPoP at every step", () => {
  const ways: readonly [string, () => Promise<Session>][] = [
    ["a secret on both legs", bySecret],
    [
      "private_key_jwt on both legs",
      async () =>
        signIn(
          { method: "private_key_jwt", clientId: "crawler", signer: await importSigner(atIdp.privateJwk) },
          { method: "private_key_jwt", clientId: "ledger-crawler", signer: await importSigner(atApp.privateJwk) },
        ),
    ],
    [
      "no authentication on either leg: a public agent",
      () => signIn({ method: "none", clientId: "public" }, { method: "none", clientId: "ledger-public" }),
    ],
  ];

  test.each(ways)("and %s reaches the resource", async (_, start) => {
    const session = await start();
    const token = await session.token({ resource: world.mcp });
    expect(token.tokenType).toBe("DPoP");
    const answer = await session.fetch(`${world.mcp}/entries`);
    expect(await answer.json()).toMatchObject({ entries: ["Train to Vienna"] });
    expect(lastProofs()[0]).toEqual(expect.any(String));
  });

  test.each(ways)("and %s renews the sign-in, whose refresh token a stranger can not use", async (_, start) => {
    const session = await start();
    const before = session.signIn();
    const { claims } = await session.idJag({ audience: world.ledger, resource: world.mcp, bind: true });
    expect(claims.cnf).toEqual({ jkt: key.jkt });
    const stolen = await fetch(`${world.house.issuer}/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: before.refreshToken ?? "",
        client_id: claims.client_id.replace("ledger-", ""),
      }),
    });
    expect(stolen.status).toBeGreaterThanOrEqual(400);
  });

  test("sends no proof twice, and one nonce for many calls at the same time costs no second token", async () => {
    const session = await bySecret();
    const before = world.app.seen.length;
    await Promise.all(Array.from({ length: 10 }, () => session.fetch(`${world.mcp}/entries`)));
    const redeemed = world.app.seen.slice(before).filter(({ url }) => url.endsWith("/token"));
    // The first is told the nonce, the second is answered.
    expect(redeemed.length).toBeLessThanOrEqual(2);
    const proofs = world.app.seen.slice(before).flatMap(({ headers }) => headers.get("dpop") ?? []);
    expect(proofs.length).toBeGreaterThan(10);
    expect(new Set(proofs).size).toBe(proofs.length);
  });

  test("an agent without a key hears from the app that it wants bound tokens", async () => {
    const method = "client_secret_basic";
    const idp = { method, clientId: "assistant", clientSecret: SECRETS.assistant ?? "" } as const;
    const session = await signIn(idp, { method, ...SECRET }, {});
    await expect(session.fetch(`${world.mcp}/entries`)).rejects.toMatchObject({ leg: "redemption" });
  });
});

describe("the MCP SDK with DPoP", () => {
  test("v2 calls a tool by idJagOAuthClientProvider, which proves for it", async () => {
    const client = new Client({ name: "assistant", version: "1.0.0" });
    const authProvider = idJagOAuthClientProvider(await bySecret());
    await client.connect(new StreamableHTTPClientTransport(new URL(world.mcp), { authProvider }));
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "Train to Vienna" }] });
    await client.close();
  });

  test("v2 calls a tool by session.fetch", async () => {
    const client = new Client({ name: "assistant", version: "1.0.0" });
    const { fetch } = await bySecret();
    await client.connect(new StreamableHTTPClientTransport(new URL(world.mcp), { fetch }));
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "Train to Vienna" }] });
    await client.close();
  });

  test("v1 calls a tool by session.fetch", async () => {
    const client = new ClientV1({ name: "assistant", version: "1.0.0" });
    const { fetch } = await bySecret();
    await client.connect(new TransportV1(new URL(world.mcp), { fetch }));
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "Train to Vienna" }] });
    await client.close();
  });
});

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const exchangeOf = (idToken: string): Record<string, string> => ({
  requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
  subject_token: idToken,
  subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
  audience: world.ledger,
  resource: world.mcp,
  scope: "ledger.read",
});

describe("openid-client with DPoP", () => {
  test("goes from a sign-in to a tool call, bound at each step", async () => {
    const development = { execute: [openid.allowInsecureRequests] };
    const secret = openid.ClientSecretBasic(SECRETS.assistant ?? "");
    const idp = await openid.discovery(new URL(world.house.issuer), "assistant", undefined, secret, development);
    const ledger = await openid.discovery(
      new URL(world.ledger),
      SECRET.clientId,
      undefined,
      openid.ClientSecretBasic(SECRET.clientSecret),
      { ...development, algorithm: "oauth2" },
    );
    const keyPair = await openid.randomDPoPKeyPair("ES256");
    const [atTheIdp, atTheLedger] = [openid.getDPoPHandle(idp, keyPair), openid.getDPoPHandle(ledger, keyPair)];
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(idp, {
      redirect_uri: CALLBACK,
      scope: "openid",
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
    });
    const tokens = await openid.authorizationCodeGrant(idp, await visit(url), { pkceCodeVerifier }, undefined, {
      DPoP: atTheIdp,
    });
    const idJag = await openid.genericGrantRequest(idp, EXCHANGE, exchangeOf(tokens.id_token ?? ""), {
      DPoP: atTheIdp,
    });
    const token = await openid.genericGrantRequest(
      ledger,
      BEARER,
      { assertion: idJag.access_token },
      { DPoP: atTheLedger },
    );
    expect(token).toMatchObject({ token_type: "dpop", scope: "ledger.read" });
    const answer = await openid.fetchProtectedResource(
      ledger,
      token.access_token,
      new URL(world.mcp),
      "POST",
      LIST_ENTRIES.body,
      new Headers(LIST_ENTRIES.headers),
      { DPoP: atTheLedger },
    );
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("Train to Vienna")]);
  });
});

describe("oauth4webapi with DPoP", () => {
  const development = { [oauth.allowInsecureRequests]: true };

  /** A request that is made again, once, when its server wants a nonce: the library says so and remembers it. */
  async function withNonce<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (oauth.isDPoPNonceError(error)) return run();
      throw error;
    }
  }

  async function discover(issuer: URL, algorithm: "oauth2" | "oidc"): Promise<oauth.AuthorizationServer> {
    const found = await oauth.discoveryRequest(issuer, { ...development, algorithm });
    return oauth.processDiscoveryResponse(issuer, found);
  }

  test("goes from a sign-in to a tool call, bound at each step", async () => {
    const idp = await discover(new URL(world.house.issuer), "oidc");
    const ledger = await discover(new URL(world.ledger), "oauth2");
    const assistant: oauth.Client = { client_id: "assistant" };
    const atLedger: oauth.Client = { client_id: SECRET.clientId };
    const keyPair = await oauth.generateKeyPair("ES256");
    const forIdp = { ...development, DPoP: oauth.DPoP(assistant, keyPair) };
    const forLedger = { ...development, DPoP: oauth.DPoP(atLedger, keyPair) };
    const verifier = oauth.generateRandomCodeVerifier();
    const url = new URL(idp.authorization_endpoint ?? "");
    url.search = new URLSearchParams({
      response_type: "code",
      client_id: assistant.client_id,
      redirect_uri: CALLBACK,
      scope: "openid",
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    }).toString();
    const callback = oauth.validateAuthResponse(idp, assistant, await visit(url), oauth.expectNoState);
    const secret = oauth.ClientSecretBasic(SECRETS.assistant ?? "");
    const tokens = await withNonce(async () => {
      const answer = await oauth.authorizationCodeGrantRequest(
        idp,
        assistant,
        secret,
        callback,
        CALLBACK,
        verifier,
        forIdp,
      );
      return oauth.processAuthorizationCodeResponse(idp, assistant, answer);
    });
    const recognizedTokenTypes: oauth.RecognizedTokenTypes = { n_a() {} };
    const idJag = await withNonce(async () => {
      const form = exchangeOf(tokens.id_token ?? "");
      const answer = await oauth.genericTokenEndpointRequest(idp, assistant, secret, EXCHANGE, form, forIdp);
      return oauth.processGenericTokenEndpointResponse(idp, assistant, answer, { recognizedTokenTypes });
    });
    const token = await withNonce(async () => {
      const form = { assertion: idJag.access_token };
      const proof = oauth.ClientSecretBasic(SECRET.clientSecret);
      const answer = await oauth.genericTokenEndpointRequest(ledger, atLedger, proof, BEARER, form, forLedger);
      return oauth.processGenericTokenEndpointResponse(ledger, atLedger, answer);
    });
    expect(token).toMatchObject({ token_type: "dpop", scope: "ledger.read" });
    const answer = await withNonce(() =>
      oauth.protectedResourceRequest(
        token.access_token,
        "POST",
        new URL(world.mcp),
        new Headers(LIST_ENTRIES.headers),
        LIST_ENTRIES.body,
        forLedger,
      ),
    );
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("Train to Vienna")]);
  });
});
