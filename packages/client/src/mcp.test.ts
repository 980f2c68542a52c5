/** The MCP SDK's own client, against a real MCP server, through each of the three plugs and through session.fetch. */
import { generateDpopKey } from "@credence/protocol/dpop";
import {
  Client,
  CrossAppAccessProvider,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/client";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AgentError } from "./errors.ts";
import { idJagAssertion, idJagOAuthClientProvider, mcpAuthProvider } from "./mcp.ts";
import type { Session } from "./session.ts";
import { APP_CLIENT } from "./testing/app.testing.ts";
import { giveCodeFlow } from "./testing/code-flow.testing.ts";
import { json } from "./testing/http.testing.ts";
import { startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
let clients: Client[];
beforeEach(async () => {
  world = await startWorld();
  clients = [];
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "ledger", version: "1.0.0" });
    server.registerTool("list_entries", { description: "Lists the entries" }, async () => ({
      content: [{ type: "text", text: "one entry" }],
    }));
    return server;
  });
  world.app.serve = (request) => handler.fetch(request);
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await world.close();
});

type Plug = (session: Session) => StreamableHTTPClientTransportOptions;
const plugs: readonly [string, Plug][] = [
  ["mcpAuthProvider", (session) => ({ authProvider: mcpAuthProvider(session) })],
  [
    "idJagOAuthClientProvider",
    (session) => ({ authProvider: idJagOAuthClientProvider(session, { now: () => world.clock.seconds }) }),
  ],
  ["session.fetch", (session) => ({ fetch: session.fetch })],
  [
    "CrossAppAccessProvider with idJagAssertion",
    (session) => ({
      authProvider: new CrossAppAccessProvider({
        assertion: idJagAssertion(session),
        clientId: APP_CLIENT.clientId,
        clientSecret: APP_CLIENT.clientSecret,
        expectedIssuer: world.app.issuer,
      }),
    }),
  ],
];

async function connect(session: Session, plug: Plug): Promise<Client> {
  const client = new Client({ name: "assistant", version: "1.0.0" });
  clients.push(client);
  await client.connect(new StreamableHTTPClientTransport(new URL(world.app.resource), plug(session)));
  return client;
}

/** Our error, however deep the SDK has put it. */
async function agentError(promise: Promise<unknown>): Promise<AgentError> {
  const outcome = await promise.then(
    () => "nothing failed",
    (cause: unknown) => cause,
  );
  for (let inner: unknown = outcome; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof AgentError) return inner;
  }
  throw new Error("It did not fail with an AgentError", { cause: outcome });
}

describe.each(plugs)("an MCP client with %s", (name, plug) => {
  it("calls a tool, by one exchange and one redemption", async () => {
    const client = await connect(await world.session(), plug);
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([1, 1]);
    // Before the server has said what it wants, nothing is sent to it.
    expect(world.app.api.seen[0]?.headers.get("authorization")).toBeNull();
    const exchange = world.idp.server.seen.find(({ body }) => body.includes("token-exchange"));
    expect(Object.fromEntries(new URLSearchParams(exchange?.body))).toMatchObject({
      audience: world.app.issuer,
      resource: world.app.resource,
      scope: "ledger.read",
    });
  });

  it("goes on after the access token has expired, by way of the IdP", async () => {
    const client = await connect(await world.session(), plug);
    world.clock.seconds += 301;
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    // Where the SDK asks itself, its stream and its call each do, at the same time.
    const ours = name === "mcpAuthProvider" || name === "session.fetch";
    expect(world.idp.counts.exchange - 1).toBeGreaterThan(0);
    expect(world.idp.counts.exchange - 1).toBeLessThanOrEqual(ours ? 1 : 2);
  });

  it("is told of a denial as it is: once asked, nothing opened, nothing retried", async () => {
    world.idp.refuse = () => json({ error: "access_denied", decision_id: "d-1" }, 400);
    const error = await agentError(connect(await world.session(), plug));
    expect(error).toMatchObject({ code: "access_denied", leg: "exchange", decisionId: "d-1" });
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([1, 0]);
    expect(world.app.as.seen.some(({ url }) => url.includes("/authorize"))).toBe(false);
  });

  it("gives up after one fresh ID-JAG that the app does not take", async () => {
    world.app.refuse = () => json({ error: "invalid_grant" }, 400);
    await expect(connect(await world.session(), plug)).rejects.toThrow();
    expect(world.app.counts.redeem).toBe(2);
  });

  it("sends no credential to a server that the agent has none for", async () => {
    const session = await world.session({ apps: [] });
    await expect(connect(session, plug)).rejects.toThrow();
    // The SDK's own provider brings its own credential, bound to its expected issuer.
    expect(world.idp.counts.exchange).toBe(0);
    expect(world.app.counts.redeem).toBe(0);
  });

  it("ends when the person has signed out", async () => {
    const session = await world.session();
    const client = await connect(session, plug);
    await session.signOut();
    world.clock.seconds += 301;
    expect(await agentError(client.callTool({ name: "list_entries" }))).toMatchObject({ code: "sign_in_required" });
  });
});

it("the two-method provider hands the SDK no bound token, which it would send as a bearer token", async () => {
  const proofs = { dpop_signing_alg_values_supported: ["ES256"] };
  world.idp.metadata = proofs;
  world.app.asMetadata = proofs;
  world.app.answer = { token_type: "DPoP" };
  const key = await generateDpopKey();
  world.idp.claims = { cnf: { jkt: key.jkt } };
  const session = await world.session({ dpop: { key } });
  const error = await agentError(connect(session, () => ({ authProvider: mcpAuthProvider(session) })));
  expect(error).toMatchObject({ code: "not_supported", reason: "dpop-not-supported" });
  expect(world.app.api.seen.every(({ headers }) => !headers.has("authorization"))).toBe(true);
});

describe("the full provider", () => {
  it("uses no token whose scope is wider than the ID-JAG's", async () => {
    world.app.answer = { scope: "ledger.read admin" };
    const plug: Plug = (session) => ({ authProvider: idJagOAuthClientProvider(session) });
    const error = await agentError(connect(await world.session(), plug));
    expect(error).toMatchObject({ code: "response_invalid", reason: "scope-wider" });
    expect(world.app.api.seen.every(({ headers }) => !headers.has("authorization"))).toBe(true);
  });

  it("uses no ID-JAG as an access token", async () => {
    world.app.refuse = () => {
      const form = new URLSearchParams(world.app.as.seen.at(-1)?.body);
      return json({ access_token: form.get("assertion"), token_type: "Bearer", expires_in: 60 });
    };
    const plug: Plug = (session) => ({ authProvider: idJagOAuthClientProvider(session) });
    const error = await agentError(connect(await world.session(), plug));
    expect(error).toMatchObject({ code: "response_invalid", reason: "id-jag-returned" });
    expect(world.app.api.seen.every(({ headers }) => !headers.has("authorization"))).toBe(true);
  });

  it("makes no call with a token that has expired", async () => {
    const plug: Plug = (session) => ({
      authProvider: idJagOAuthClientProvider(session, { now: () => world.clock.seconds }),
    });
    const client = await connect(await world.session(), plug);
    world.clock.seconds += 301;
    const before = world.app.api.seen.length;
    await client.callTool({ name: "list_entries" });
    // The SDK's stream (a GET) may still be on its way from before.
    const calls = world.app.api.seen.slice(before).filter(({ method }) => method === "POST");
    const sent = calls.map(({ headers }) => headers.get("authorization"));
    expect(sent).not.toContain("Bearer access-1");
  });

  it("asks for more scope once when a tool needs it", async () => {
    const plug: Plug = (session) => ({ authProvider: idJagOAuthClientProvider(session) });
    const client = await connect(await world.session(), plug);
    world.app.needs = () => "ledger.write";
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    const scopes = world.idp.server.seen.map(({ body }) => new URLSearchParams(body).get("scope"));
    expect(scopes).toContain("ledger.read ledger.write");
  });

  it("does not try a credential twice that the app refuses", async () => {
    world.app.refuse = () => json({ error: "invalid_client" }, 401);
    const plug: Plug = (session) => ({ authProvider: idJagOAuthClientProvider(session) });
    const error = await agentError(connect(await world.session(), plug));
    expect(error).toMatchObject({ code: "invalid_client", leg: "redemption" });
    expect(world.app.counts.redeem).toBe(1);
  });

  it("that has a code flow goes by the IdP all the same, and not around its no", async () => {
    const authorize = vi.fn(walk);
    const codeFlow = { redirectUri: "http://127.0.0.1:3000/callback", authorize, register: { clientName: "A" } };
    const plug: Plug = (session) => ({ authProvider: idJagOAuthClientProvider(session, { codeFlow }) });
    const client = await connect(await world.session(), plug);
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    expect(world.idp.counts.exchange).toBe(1);
    world.idp.refuse = () => json({ error: "access_denied" }, 400);
    const error = await agentError(connect(await world.session(), plug));
    expect(error).toMatchObject({ code: "access_denied", leg: "exchange" });
    expect(authorize).not.toHaveBeenCalled();
  });

  it("renews what the code flow gave by its refresh token", async () => {
    const flow = giveCodeFlow(world.app);
    const codeFlow = { redirectUri: "http://127.0.0.1:3000/callback", authorize: walk };
    const options = { codeFlow, now: () => world.clock.seconds };
    const plug: Plug = (session) => ({ authProvider: idJagOAuthClientProvider(session, options) });
    const client = await connect(await world.session(), plug);
    world.clock.seconds += 301;
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    expect(flow.authorized).toHaveLength(1);
    expect(flow.tokens.map(({ form }) => form.get("grant_type"))).toContain("refresh_token");
  });

  it("has no way to a consent screen", async () => {
    const provider = idJagOAuthClientProvider(await world.session());
    expect(provider.redirectUrl).toBeUndefined();
    expect(() => provider.redirectToAuthorization(new URL("https://app.example/authorize"))).toThrow(AgentError);
    expect(() => provider.codeVerifier()).toThrow(AgentError);
  });
});
