/** The MCP SDK v1's own client, against a real MCP server, by our provider for it and by session.fetch. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentError } from "./errors.ts";
import { idJagOAuthClientProvider } from "./mcp-v1.ts";
import type { Session } from "./session.ts";
import { giveCodeFlow } from "./testing/code-flow.testing.ts";
import { json } from "./testing/http.testing.ts";
import { startWorld, type World, walk } from "./testing/world.testing.ts";

let world: World;
let clients: Client[];
beforeEach(async () => {
  world = await startWorld();
  clients = [];
  world.app.serve = async (request) => {
    const server = new McpServer({ name: "ledger", version: "1.0.0" });
    server.registerTool("list_entries", { description: "Lists the entries" }, async () => ({
      content: [{ type: "text", text: "one entry" }],
    }));
    // Without a session of MCP's own, as each request comes to a server of its own.
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    return transport.handleRequest(request);
  };
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await world.close();
});

type Plug = (session: Session) => StreamableHTTPClientTransportOptions;
const provided: Plug = (session) => ({
  authProvider: idJagOAuthClientProvider(session, { now: () => world.clock.seconds }),
});
const plugs: readonly [string, Plug][] = [
  ["idJagOAuthClientProvider", provided],
  ["session.fetch", (session) => ({ fetch: session.fetch })],
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

describe.each(plugs)("an MCP client of the SDK v1 with %s", (name, plug) => {
  it("calls a tool, by one exchange and one redemption", async () => {
    const client = await connect(await world.session(), plug);
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([1, 1]);
    const exchange = world.idp.server.seen.find(({ body }) => body.includes("token-exchange"));
    expect(Object.fromEntries(new URLSearchParams(exchange?.body))).toMatchObject({
      audience: world.app.issuer,
      resource: world.app.resource,
      // This SDK keeps the challenge's scope to itself: the policy chooses.
      ...(name === "session.fetch" ? { scope: "ledger.read" } : {}),
    });
  });

  it("goes on after the access token has expired, by way of the IdP", async () => {
    const client = await connect(await world.session(), plug);
    world.clock.seconds += 301;
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    expect(world.idp.counts.exchange).toBeGreaterThan(1);
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
    await expect(connect(await world.session({ apps: [] }), plug)).rejects.toThrow();
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([0, 0]);
  });
});

describe("the provider for the SDK v1", () => {
  it("uses no token whose scope is wider than the ID-JAG's", async () => {
    world.app.answer = { scope: "ledger.read admin" };
    const error = await agentError(connect(await world.session(), provided));
    expect(error).toMatchObject({ code: "response_invalid", reason: "scope-wider" });
  });

  it("believes no metadata that names another issuer", async () => {
    world.app.asMetadata = { issuer: "https://other.example" };
    await expect(connect(await world.session(), provided)).rejects.toThrow("issuer");
    expect(world.idp.counts.exchange).toBe(0);
  });

  it("sends what is for one server to no other, though the SDK has found two at once", async () => {
    const provider = idJagOAuthClientProvider(await world.session());
    const metadata = { issuer: world.app.issuer, token_endpoint: `${world.app.issuer}/token` };
    const { resource, issuer } = world.app;
    const found = { authorizationServerUrl: issuer, resourceMetadata: { resource } };
    await provider.saveDiscoveryState?.({
      ...found,
      authorizationServerMetadata: { ...metadata, response_types_supported: [], authorization_endpoint: issuer },
    });
    const form = new URLSearchParams();
    const headers = new Headers();
    const send = (url: string) => provider.addClientAuthentication?.(headers, form, url);
    await expect(send("https://evil.example/token")).rejects.toMatchObject({ reason: "token-endpoint" });
    expect([[...headers], [...form]]).toEqual([[], []]);
    await send(metadata.token_endpoint);
    expect(headers.has("authorization") || form.has("client_secret")).toBe(true);
  });

  it("walks the app's own code flow where it has no ID-JAGs, by the registration that the SDK made", async () => {
    const flow = giveCodeFlow(world.app);
    const redirectUri = "http://127.0.0.1:3000/callback";
    const codeFlow = { redirectUri, authorize: walk, register: { clientName: "Assistant" } };
    const session = await world.session({ apps: [] });
    const client = await connect(session, (one) => ({ authProvider: idJagOAuthClientProvider(one, { codeFlow }) }));
    expect(await client.callTool({ name: "list_entries" })).toMatchObject({ content: [{ text: "one entry" }] });
    expect(flow.registered).toMatchObject([{ client_name: "Assistant", redirect_uris: [redirectUri] }]);
    expect(flow.authorized[0]?.get("resource")).toBe(world.app.resource);
    expect(world.idp.counts.exchange).toBe(0);
  });

  it("sends no browser to this machine itself, but in development", async () => {
    const flow = giveCodeFlow(world.app);
    const codeFlow = { redirectUri: "http://127.0.0.1:3000/callback", authorize: walk, register: { clientName: "A" } };
    const session = { ...(await world.session({ apps: [] })), development: false };
    const error = await agentError(
      connect(session, (one) => ({ authProvider: idJagOAuthClientProvider(one, { codeFlow }) })),
    );
    expect(error).toMatchObject({ code: "fetch_refused" });
    expect(flow.authorized).toEqual([]);
  });

  it("gives no bearer token to an agent that must be bound: this SDK can not prove a key", async () => {
    world.idp.metadata = { dpop_signing_alg_values_supported: ["ES256"] };
    world.app.asMetadata = { dpop_signing_alg_values_supported: ["ES256"] };
    const error = await agentError(connect(await world.session({ dpop: { required: true } }), provided));
    expect(error).toMatchObject({ code: "not_supported", reason: "dpop-not-supported" });
    expect(world.idp.counts.exchange).toBe(0);
  });
});
