/** Answers are held against the question: each case is a mistake that a peer has shipped. */
import { decodeJws, generateSigningKey, importSigner, jwksKeys } from "@credence/protocol/jws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { APP_CLIENT } from "./testing/app.testing.ts";
import { json, startServer } from "./testing/http.testing.ts";
import { failure, startWorld, type World } from "./testing/world.testing.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.close());

const secretsAtApp = (): number =>
  world.app.as.seen.filter(({ headers, body }) => headers.has("authorization") || body !== "").length;

describe("an ID-JAG is not used, and never reaches the app, when", () => {
  const wrong: readonly [string, string, (world: World) => void][] = [
    ["its iss is another issuer", "id-jag-issuer", ({ idp }) => (idp.claims = { iss: "https://other.example" })],
    ["its aud is another app", "id-jag-audience", ({ idp }) => (idp.claims = { aud: "https://other.example" })],
    ["its aud only begins like the app", "id-jag-audience", ({ idp, app }) => (idp.claims = { aud: `${app.issuer}/` })],
    [
      "its aud has several values",
      "id-jag-audience",
      ({ idp, app }) => (idp.claims = { aud: [app.issuer, "https://other.example"] }),
    ],
    [
      "its client_id is the client's id at the IdP",
      "id-jag-client",
      ({ idp }) => (idp.claims = { client_id: "assistant" }),
    ],
    ["its resource is another", "resource-differs", ({ idp }) => (idp.claims = { resource: "https://other.example/" })],
    [
      "its resource is one more",
      "resource-differs",
      ({ idp, app }) => (idp.claims = { resource: [app.resource, "https://other.example/"] }),
    ],
    [
      "it does not name a resource that is elsewhere than its authorization server",
      "resource-unconfirmed",
      ({ idp }) => (idp.claims = { resource: undefined }),
    ],
    [
      "the answer names another resource",
      "resource-differs",
      ({ idp }) => (idp.answer = { resource: "https://o.example/" }),
    ],
    ["its scope is wider than asked", "scope-wider", ({ idp }) => (idp.claims = { scope: "ledger.read ledger.write" })],
    [
      "the answer's scope is wider than asked",
      "scope-wider",
      ({ idp }) => (idp.answer = { scope: "ledger.read admin" }),
    ],
    [
      "its authorization details were not asked for",
      "details-wider",
      ({ idp }) => (idp.claims = { authorization_details: [{ type: "payment" }] }),
    ],
    [
      "the answer's authorization details were not asked for",
      "details-wider",
      ({ idp }) => (idp.answer = { authorization_details: [{ type: "payment" }] }),
    ],
    [
      "it is bound to a key that the agent does not have",
      "binding-differs",
      ({ idp }) => (idp.claims = { cnf: { jkt: "B".repeat(43) } }),
    ],
    ["it has expired", "id-jag-expired", ({ idp, clock }) => (idp.claims = { exp: clock.seconds - 61 })],
    [
      "the answer says it is an access token",
      "token-exchange-answer-issued-token-type",
      ({ idp }) => (idp.answer = { issued_token_type: "urn:ietf:params:oauth:token-type:access_token" }),
    ],
    [
      "the answer says it is a Bearer token",
      "token-exchange-answer-token-type",
      ({ idp }) => (idp.answer = { token_type: "Bearer" }),
    ],
    ["it is no JWT", "id-jag-malformed", ({ idp }) => (idp.answer = { access_token: "opaque" })],
  ];
  it.each(wrong)("%s", async (_name, reason, spoil) => {
    spoil(world);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason, leg: "exchange", party: world.idp.issuer });
    expect([world.idp.counts.exchange, world.app.counts.redeem, secretsAtApp()]).toEqual([1, 0, 0]);
  });

  it("it is for another client, and the error names both to compare", async () => {
    world.idp.claims = { client_id: "some-other" };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error.message).toContain("client some-other, and the agent is ledger-assistant there");
  });

  it("it is an ID token under another name", async () => {
    world.idp.answer = { access_token: await world.idp.idToken() };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason: "id-jag-typ", leg: "exchange" });
  });
});

describe("an access token is not used when", () => {
  const wrong: readonly [string, string, (world: World) => void][] = [
    ["its scope is wider than the ID-JAG's", "scope-wider", ({ app }) => (app.answer = { scope: "ledger.read admin" })],
    [
      "it is for another resource",
      "resource-differs",
      ({ app }) => (app.answer = { resource: "https://other.example/" }),
    ],
    [
      "its authorization details are not the ID-JAG's",
      "details-wider",
      ({ app }) => (app.answer = { authorization_details: [{ type: "payment" }] }),
    ],
    ["it is of an unknown type", "token-type", ({ app }) => (app.answer = { token_type: "DPoP" })],
    ["it is missing", "access-token-answer-access-token", ({ app }) => (app.answer = { access_token: "" })],
  ];
  it.each(wrong)("%s", async (_name, reason, spoil) => {
    spoil(world);
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason, leg: "redemption", party: world.app.issuer });
    expect(world.app.api.seen.every(({ headers }) => !headers.has("authorization"))).toBe(true);
  });

  it("it is the ID-JAG itself", async () => {
    world.app.refuse = () => {
      const form = new URLSearchParams(world.app.as.seen.at(-1)?.body);
      return json({ access_token: form.get("assertion"), token_type: "Bearer", expires_in: 60 });
    };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason: "id-jag-returned", leg: "redemption" });
    expect(world.app.api.seen.every(({ headers }) => !headers.has("authorization"))).toBe(true);
  });

  it("the app grants less, it is used, and says so", async () => {
    world.app.needs = () => "ledger.read";
    const session = await world.session();
    world.app.answer = { scope: "ledger.read" };
    const audience = world.app.issuer;
    const token = await session.token({ resource: world.app.resource, audience, scope: "ledger.read ledger.write" });
    expect(token.scope).toBe("ledger.read");
  });
});

describe("credentials stay with their issuer when", () => {
  it("the resource names a server that the agent has none for (confused deputy)", async () => {
    const evil = await startServer(() => json({ issuer: evil.origin, token_endpoint: `${evil.origin}/token` }));
    world.app.resourceMetadata = { authorization_servers: [evil.origin] };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "configuration", reason: "app-unknown", leg: "discovery" });
    expect([evil.seen.length, world.idp.counts.exchange]).toEqual([0, 0]);
    await evil.close();
  });

  it("the resource's server only looks like one that the agent knows", async () => {
    world.app.resourceMetadata = { authorization_servers: [`${world.app.issuer}/`] };
    expect(await failure((await world.session()).fetch(world.url))).toMatchObject({ reason: "app-unknown" });
  });

  it("the server's metadata names another issuer (mix-up)", async () => {
    world.app.asMetadata = { issuer: "https://other.example" };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason: "metadata-issuer", party: world.app.issuer });
    expect([world.idp.counts.exchange, secretsAtApp()]).toEqual([0, 0]);
  });

  it("the IdP's metadata names another issuer", async () => {
    world.idp.metadata = { issuer: "https://other.example" };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason: "metadata-issuer", party: world.idp.issuer });
    expect(world.idp.counts.exchange).toBe(0);
  });

  it("the token endpoint redirects", async () => {
    const evil = await startServer(() => json({}));
    world.app.refuse = () => new Response(null, { status: 307, headers: { location: evil.origin } });
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "fetch_refused", reason: "redirect", leg: "redemption" });
    expect([evil.seen.length, world.app.counts.redeem]).toEqual([0, 1]);
    await evil.close();
  });

  it("its own caller names a server that the agent has none for: not even metadata is asked of it", async () => {
    const evil = await startServer(() => json({ issuer: evil.origin, token_endpoint: `${evil.origin}/token` }));
    const session = await world.session();
    const error = await failure(session.token({ resource: world.app.resource, audience: evil.origin }));
    expect(error).toMatchObject({ code: "configuration", reason: "app-unknown" });
    expect([evil.seen.length, world.idp.counts.exchange]).toEqual([0, 0]);
    await evil.close();
  });

  it("it is a key: the assertion is for the issuer alone, and new for every request", async () => {
    const { privateJwk, publicJwk } = await generateSigningKey("EdDSA");
    world.app.credential = { method: "private_key_jwt", keys: jwksKeys({ keys: [publicJwk] }) };
    const signer = await importSigner(privateJwk);
    const client = { method: "private_key_jwt", clientId: APP_CLIENT.clientId, signer } as const;
    const session = await world.session({ apps: async () => client });
    const audience = world.app.issuer;
    await session.token({ resource: world.app.resource, audience, scope: "ledger.read" });
    await session.token({ resource: world.app.resource, audience, scope: "ledger.write" });
    const sent = world.app.as.seen.filter(({ method }) => method === "POST");
    const assertions = sent.map(({ body }) => decodeJws(new URLSearchParams(body).get("client_assertion") ?? ""));
    expect(assertions.map((jws) => jws?.payload.aud)).toEqual([audience, audience]);
    expect(new Set(assertions.map((jws) => jws?.payload.jti)).size).toBe(2);
  });

  it("a second app of the agent is served by a second server", async () => {
    const other = { method: "client_secret_basic", clientId: "other-id", clientSecret: "other secret" } as const;
    const apps = [
      { issuer: "https://other.example", client: other },
      { issuer: world.app.issuer, client: APP_CLIENT },
    ];
    world.app.resourceMetadata = { authorization_servers: ["https://unknown.example", world.app.issuer] };
    await (await world.session({ apps })).fetch(world.url);
    const sent = world.app.as.seen.map(({ headers, body }) => `${headers.get("authorization")} ${body}`).join();
    expect(sent).toContain(`Basic ${btoa("ledger-assistant:app+secret")}`);
    expect(sent).not.toContain(btoa("other-id:other+secret"));
  });
});

describe("discovery stops when", () => {
  it("the resource's metadata does not cover the URL that was called", async () => {
    world.app.resourceMetadata = { resource: `${world.app.api.origin}/other` };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "response_invalid", reason: "metadata-resource", leg: "discovery" });
    expect(world.idp.counts.exchange).toBe(0);
  });

  it("the resource's metadata speaks for another origin", async () => {
    world.app.resourceMetadata = { resource: "https://other.example/api" };
    expect(await failure((await world.session()).fetch(world.url))).toMatchObject({ reason: "metadata-resource" });
  });

  it.each([
    ["http://169.254.169.254/latest/meta-data", "address-private"],
    ["http://192.168.0.1/", "address-private"],
    ["http://ledger.example/metadata", "url-scheme"],
    ["file:///etc/passwd", "url-scheme"],
  ])("the challenge sends it to %s", async (metadataUrl, reason) => {
    world.app.challenge = { resource_metadata: metadataUrl };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "fetch_refused", reason, leg: "discovery" });
  });

  it("the token endpoint is at a private address", async () => {
    world.app.asMetadata = { token_endpoint: "http://10.1.2.3/token" };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "fetch_refused", reason: "address-private", leg: "redemption" });
  });

  it("the metadata is huge", async () => {
    world.app.resourceMetadata = { padding: "x".repeat(300_000) };
    const error = await failure((await world.session()).fetch(world.url));
    expect(error).toMatchObject({ code: "fetch_refused", reason: "too-large", leg: "discovery" });
  });

  it("the metadata does not come in time", async () => {
    const slow = await startServer(() => new Promise((resolve) => setTimeout(() => resolve(json({})), 2_000)));
    world.app.challenge = { resource_metadata: `${slow.origin}/metadata` };
    const error = await failure((await world.session({ timeout: 0.1 })).fetch(world.url));
    expect(error).toMatchObject({ code: "network", reason: "timeout", leg: "discovery" });
    await slow.close();
  });

  it.each([
    [
      "the app does not redeem ID-JAGs",
      (w: World) => (w.app.asMetadata = { authorization_grant_profiles_supported: [] }),
    ],
    ["the app lacks the grant", (w: World) => (w.app.asMetadata = { grant_types_supported: ["authorization_code"] })],
    [
      "the IdP does not issue ID-JAGs",
      (w: World) => (w.idp.metadata = { identity_chaining_requested_token_types_supported: [] }),
    ],
  ])("%s, before anything secret is sent", async (_name, spoil) => {
    spoil(world);
    expect(await failure((await world.session()).fetch(world.url))).toMatchObject({ code: "not_supported" });
    expect([world.idp.counts.exchange, secretsAtApp()]).toEqual([0, 0]);
  });

  it("the metadata is no JSON", async () => {
    const bad = await startServer(() => new Response("<html>"));
    world.app.challenge = { resource_metadata: bad.origin };
    expect(await failure((await world.session()).fetch(world.url))).toMatchObject({ code: "response_invalid" });
    await bad.close();
  });
});
