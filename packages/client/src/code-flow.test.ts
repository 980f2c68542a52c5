/** Apps that know no ID-JAGs: the app's own code flow by the fallback, and that it is never a way around a denial. */

import { generateDpopKey } from "@credence/protocol/dpop";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CodeFlow } from "./code-flow.ts";
import { giveCodeFlow, type TestCodeFlow } from "./testing/code-flow.testing.ts";
import { json } from "./testing/http.testing.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
let flow: TestCodeFlow;
beforeEach(async () => {
  world = await startWorld();
  flow = giveCodeFlow(world.app);
});
afterEach(() => world.close());

const redirectUri = "http://127.0.0.1:3000/callback";
const fallback: CodeFlow = { redirectUri, authorize: walk };
const register = { clientName: "Assistant" };

describe("an app without ID-JAGs", () => {
  it("is reached by its own code flow, bound to its resource, with the agent's credential there", async () => {
    const session = await world.session({ fallback });
    expect((await session.fetch(world.url)).status).toBe(200);
    expect(Object.fromEntries(flow.authorized[0] ?? [])).toMatchObject({
      client_id: "ledger-assistant",
      redirect_uri: redirectUri,
      resource: world.app.resource,
      scope: "ledger.read",
      code_challenge_method: "S256",
    });
    expect(flow.tokens[0]?.form.get("resource")).toBe(world.app.resource);
    expect(flow.tokens[0]?.authorization).toMatch(/^Basic /);
    expect(world.idp.counts.exchange).toBe(0);
    expect(world.events.map(({ type }) => type)).toEqual(["challenge", "discovered", "code-flow", "access-token"]);
  });

  it("is not reached without a fallback: not supported, by whom", async () => {
    const error = await failure((await world.session()).fetch(world.url));
    const reason = "id-jag-not-redeemed";
    expect(error).toMatchObject({ code: "not_supported", reason, leg: "discovery", party: world.app.issuer });
    expect(flow.authorized).toEqual([]);
  });

  it("is asked for what the person wants once, then by its refresh token, until that is over", async () => {
    const session = await world.session({ fallback });
    for (let hour = 0; hour < 3; hour++) {
      await session.token({ resource: world.app.resource });
      world.clock.seconds += 300;
    }
    expect(flow.authorized).toHaveLength(1);
    expect(flow.tokens.map(({ form }) => form.get("grant_type"))).toEqual([
      "authorization_code",
      "refresh_token",
      "refresh_token",
    ]);
    flow.refreshTokens.clear();
    await session.token({ resource: world.app.resource });
    expect(flow.authorized).toHaveLength(2);
  });

  it("is asked for offline access only where it has some", async () => {
    world.app.asMetadata = { ...world.app.asMetadata, scopes_supported: ["ledger.read", "offline_access"] };
    await (await world.session({ fallback })).fetch(world.url);
    expect(flow.authorized[0]?.get("scope")).toBe("ledger.read offline_access");
  });

  it("is reached by whatever a function does, which sees why and what for", async () => {
    const own = vi.fn(async () => undefined);
    const error = await failure((await world.session({ fallback: own })).fetch(world.url));
    expect(error).toMatchObject({ code: "not_supported" });
    const request = { audience: world.app.issuer, resource: world.app.resource, scope: "ledger.read" };
    expect(own.mock.calls).toEqual([[error, request]]);
  });

  it("sees no refresh token of a session that was signed out", async () => {
    const session = await world.session({ fallback });
    await session.fetch(world.url);
    await session.signOut();
    expect(await failure(session.fetch(world.url))).toMatchObject({ code: "sign_in_required" });
    expect(flow.tokens).toHaveLength(1);
  });
});

describe("an IdP without ID-JAGs", () => {
  it("leaves the app's own code flow", async () => {
    world.idp.metadata = { grant_types_supported: ["authorization_code"] };
    world.app.asMetadata = {};
    const session = await world.session({ fallback });
    expect((await session.fetch(world.url)).status).toBe(200);
    expect([flow.authorized.length, world.idp.counts.exchange]).toEqual([1, 0]);
  });
});

describe("the code flow is no way around", () => {
  beforeEach(() => {
    world.app.asMetadata = {};
  });

  it.each([
    "access_denied",
    "invalid_grant",
    "invalid_target",
    "invalid_scope",
    "invalid_client",
    "unauthorized_client",
    "insufficient_user_authentication",
  ])("%s of the IdP", async (error) => {
    world.idp.refuse = () => json({ error }, 400);
    expect(await failure((await world.session({ fallback })).fetch(world.url))).toMatchObject({ leg: "exchange" });
    expect(flow.authorized).toEqual([]);
  });

  it.each(["access_denied", "invalid_grant", "unauthorized_client", "unsupported_grant_type"])(
    "%s of the app",
    async (error) => {
      const { handler } = world.app.as;
      world.app.as.handler = (request) => (request.url.endsWith("/token") ? json({ error }, 400) : handler(request));
      expect(await failure((await world.session({ fallback })).fetch(world.url))).toMatchObject({ leg: "redemption" });
      expect(flow.authorized).toEqual([]);
    },
  );

  it("an IdP or app that does not answer", async () => {
    world.idp.refuse = () => json({}, 503);
    const error = await failure((await world.session({ fallback })).fetch(world.url));
    expect(error).toMatchObject({ code: "temporarily_unavailable" });
    expect(flow.authorized).toEqual([]);
  });
});

describe("an agent that the app does not know", () => {
  const stranger = { apps: [] };

  it("is not introduced unasked", async () => {
    const error = await failure((await world.session({ ...stranger, fallback })).fetch(world.url));
    expect(error).toMatchObject({ code: "configuration", reason: "app-unknown" });
    expect(world.app.as.seen).toEqual([]);
  });

  it("registers once for all sessions, as what it is", async () => {
    const agent = world.agent({ ...stranger, fallback: { ...fallback, register } });
    for (const _ of [1, 2]) {
      const session = agent.session({ idToken: await world.idp.idToken() });
      expect((await session.fetch(world.url)).status).toBe(200);
    }
    expect(flow.registered).toEqual([
      {
        client_name: "Assistant",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
        application_type: "native",
      },
    ]);
    const [first, second] = flow.authorized.map((one) => one.get("client_id"));
    expect([first, second]).toEqual([expect.stringMatching(/^registered-/), first]);
    expect(flow.tokens[0]?.authorization).toMatch(/^Basic /);
  });

  it("shows its metadata document where that is taken, and registers nowhere then", async () => {
    world.app.asMetadata = { ...world.app.asMetadata, client_id_metadata_document_supported: true };
    const clientMetadataUrl = "https://agent.example/client.json";
    const session = await world.session({ ...stranger, fallback: { ...fallback, clientMetadataUrl, register } });
    expect((await session.fetch(world.url)).status).toBe(200);
    expect([flow.authorized[0]?.get("client_id"), flow.registered]).toEqual([clientMetadataUrl, []]);
  });

  it("that has a document alone registers nowhere, also where that is not taken", async () => {
    const clientMetadataUrl = "https://agent.example/client.json";
    const session = await world.session({ ...stranger, fallback: { ...fallback, clientMetadataUrl } });
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "configuration", reason: "app-unknown", leg: "code-flow" });
    expect([flow.registered, flow.authorized]).toEqual([[], []]);
  });

  it.each<[string, Record<string, unknown>, object]>([
    [
      "is not registered",
      { registration_endpoint: undefined },
      { code: "not_supported", reason: "registration-missing" },
    ],
    [
      "has no PKCE",
      { code_challenge_methods_supported: ["plain"] },
      { code: "not_supported", reason: "code-flow-missing" },
    ],
    ["does not say that it has PKCE", { code_challenge_methods_supported: undefined }, { reason: "code-flow-missing" }],
    ["has no authorization endpoint", { authorization_endpoint: undefined }, { reason: "code-flow-missing" }],
    ["names a script", { authorization_endpoint: "javascript:alert(1)" }, { code: "fetch_refused" }],
  ])("at a server where it %s gets a reason", async (_, changes, expected) => {
    world.app.asMetadata = { ...world.app.asMetadata, ...changes };
    const session = await world.session({ ...stranger, fallback: { ...fallback, register } });
    expect(await failure(session.fetch(world.url))).toMatchObject({ leg: "code-flow", ...expected });
    expect(flow.authorized).toEqual([]);
  });

  it.each<[string, Record<string, unknown>]>([
    ["no client id", { client_id: undefined }],
    ["a method that needs more", { token_endpoint_auth_method: "private_key_jwt" }],
    ["a secret's method and no secret", { client_secret: undefined }],
  ])("whose registration is answered with %s goes no further", async (_, answer) => {
    flow.registration = answer;
    const session = await world.session({ ...stranger, fallback: { ...fallback, register } });
    expect(await failure(session.fetch(world.url))).toMatchObject({ reason: "registration-answer", leg: "code-flow" });
    expect(flow.authorized).toEqual([]);
  });
});

describe("an answer of the code flow", () => {
  it.each<[string, TestCodeFlow["back"], object]>([
    ["to another request", { state: "another" }, { reason: "state-differs" }],
    ["without state", { state: undefined }, { reason: "state-differs" }],
    ["of another server", { iss: "https://evil.example" }, { reason: "issuer-differs" }],
    ["without its issuer, which was promised", { iss: undefined }, { reason: "issuer-differs" }],
    ["without a code", { code: undefined }, { reason: "code-missing" }],
    ["that says no", { error: "access_denied", code: undefined }, { code: "access_denied", retry: "never" }],
  ])("%s is no code", async (_, back, expected) => {
    flow.back = back;
    const error = await failure((await world.session({ fallback })).fetch(world.url));
    expect(error).toMatchObject({ leg: "code-flow", party: world.app.issuer, ...expected });
    expect(flow.tokens).toEqual([]);
  });

  it.each<[string, TestCodeFlow["answer"], string]>([
    ["grants more scope", { scope: "ledger.read admin" }, "scope-wider"],
    ["is for another resource", { resource: "https://other.example/" }, "resource-differs"],
    ["is of another type", { token_type: "MAC" }, "token-type"],
  ])("that %s is not used", async (_, answer, reason) => {
    flow.answer = answer;
    const error = await failure((await world.session({ fallback })).fetch(world.url));
    expect(error).toMatchObject({ leg: "code-flow", code: "response_invalid", reason });
    expect(world.app.api.seen.every(({ headers }) => !headers.has("authorization"))).toBe(true);
  });
});

describe("an agent with a DPoP key, where ID-JAGs are not supported,", () => {
  it("proves it in the code flow, and uses no bearer token then", async () => {
    world.app.asMetadata = { ...world.app.asMetadata, dpop_signing_alg_values_supported: ["ES256"] };
    const session = await world.session({ fallback, dpop: { key: await generateDpopKey() } });
    expect(await failure(session.fetch(world.url))).toMatchObject({ leg: "code-flow", reason: "token-type" });
    expect(world.app.as.seen.findLast(({ url }) => url.endsWith("/token"))?.headers.has("dpop")).toBe(true);
  });

  it("that must be bound gets nothing where no proofs are taken", async () => {
    const session = await world.session({ fallback, dpop: { required: true } });
    const error = await failure(session.fetch(world.url));
    expect(error).toMatchObject({ code: "not_supported", reason: "dpop-not-supported", party: world.app.issuer });
    expect(flow.authorized).toEqual([]);
  });
});
