import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { parseChallenges } from "@credence/protocol/metadata";
import { createMcpHandler, McpServer, requireBearerAuth, requireScopes } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import { type House, house, listen } from "./house.testing.ts";
import { mcpAuthorize, mcpBearerAuth, mcpTokenVerifier } from "./mcp.ts";

async function gate(home: House, authorization: string, scopes: readonly string[] = ["ledger.read"]) {
  const check = requireBearerAuth(mcpBearerAuth(home.server, { scopes }));
  return check(new Request(home.resource, { headers: { authorization } }));
}

/** The SDK's gate compares expiry with the system's clock. */
const today = () => ({ now: () => Math.floor(Date.now() / 1_000) });
const fresh = async (home: House): Promise<string> => {
  const now = Math.floor(Date.now() / 1_000);
  const { body } = await home.redeem({ assertion: await home.idJag({ iat: now, exp: now + 300 }) });
  return String(body.access_token);
};

describe("behind the MCP SDK's requireBearerAuth", () => {
  test("a good token becomes what tools see: account, customer, client, scopes, resource", async () => {
    await using home = await house(today);
    const token = await fresh(home);
    const auth = await gate(home, `Bearer ${token}`);
    expect(auth).toMatchObject({
      token,
      clientId: "ledger-assistant",
      scopes: ["ledger.read"],
      resource: new URL(home.resource),
      resourceMetadataUrl: `${home.url}/.well-known/oauth-protected-resource/mcp`,
      extra: { account: "acme/alice", customer: "acme", root: { iss: home.idp.issuer, sub: "alice" } },
    });
  });

  test.each<[string, (home: House) => Promise<string>]>([
    ["an ID-JAG", (home) => home.idJag()],
    [
      "an ID-JAG with the resource as audience, under our key",
      (home) => home.idJag({ aud: home.resource }, home.key.signer),
    ],
    ["an access token under another key", async (home) => (await fresh(home)).replace(/.{20}$/, "A".repeat(20))],
    ["garbage", async () => "abc"],
  ])("%s: 401, with the resource's metadata", async (_, token) => {
    await using home = await house(today);
    const answer = await gate(home, `Bearer ${await token(home)}`);
    expect(answer).toMatchObject({ status: 401 });
    const challenge = answer instanceof Response ? answer.headers.get("www-authenticate") : "";
    expect(challenge).toContain("/.well-known/oauth-protected-resource/mcp");
    const event = home.events.at(-1);
    expect(event).toMatchObject({ kind: "access", outcome: "refused", resource: home.resource });
    expect(challenge).toContain(`decision ${event?.decisionId}`);
  });

  test("a token that has expired by the server's clock: 401, whatever the SDK's clock says", async () => {
    const clock = { now: Math.floor(Date.now() / 1_000) };
    await using home = await house(() => ({ now: () => clock.now }));
    const token = await fresh(home);
    clock.now += 300;
    expect(await gate(home, `Bearer ${token}`)).toMatchObject({ status: 401 });
  });

  test("a scope that is missing: 403", async () => {
    await using home = await house(today);
    const answer = await gate(home, `Bearer ${await fresh(home)}`, ["ledger.read", "ledger.write"]);
    expect(answer).toMatchObject({ status: 403 });
    expect(home.events.at(-1)).toMatchObject({ reason: "scope-insufficient", detail: "ledger.write" });
  });

  test("a check that can not run: 500, and nobody gets in", async () => {
    const alive = { down: false };
    await using home = await house(() => ({
      ...today(),
      isAlive: () => {
        if (alive.down) throw new Error("connection lost");
        return true;
      },
    }));
    const token = await fresh(home);
    alive.down = true;
    expect(await gate(home, `Bearer ${token}`)).toMatchObject({ status: 500 });
  });

  test("a resource that the server does not have shows at the start", async () => {
    await using home = await house();
    expect(() => mcpTokenVerifier(home.server, { resource: "https://x.example" })).toThrow("Name one of");
  });
});

describe("behind mcpAuthorize, which takes bound tokens too", () => {
  /** An MCP server of the SDK whose tool says who calls, on loopback, and what a call of that tool answers. */
  async function mcpServer(home: House) {
    const authorize = mcpAuthorize(home.server, { scopes: ["ledger.read"] });
    const mcp = createMcpHandler(({ authInfo }) => {
      const app = new McpServer({ name: "ledger", version: "1.0.0" });
      const answer = () => ({ content: [{ type: "text" as const, text: String(authInfo?.extra?.account) }] });
      app.registerTool("whoami", {}, answer);
      app.registerTool("write", { scopeChallenge: requireScopes("ledger.read", "ledger.write") }, answer);
      return app;
    });
    const http = await listen(async (request) => {
      const auth = await authorize(request);
      return auth instanceof Response ? auth : mcp.fetch(request, { authInfo: auth });
    });
    const call = async (headers: Record<string, string>, name = "whoami") => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });
      const accept = { "content-type": "application/json", accept: "application/json, text/event-stream" };
      const answer = await fetch(`${http.url}/mcp`, { method: "POST", headers: { ...accept, ...headers }, body });
      const challenges = parseChallenges(answer.headers.get("www-authenticate"));
      return { status: answer.status, challenges, text: await answer.text() };
    };
    return { call, [Symbol.asyncDispose]: () => http[Symbol.asyncDispose]() };
  }

  const proof = (home: House, key: DpopKey, url: string, accessToken?: string) =>
    createDpopProof(key, { method: "POST", url, now: home.clock.now, accessToken });
  /** A token that is bound to the key. */
  async function bound(home: House, key: DpopKey): Promise<string> {
    const { body } = await home.redeem({}, { dpop: await proof(home, key, `${home.url}/token`) });
    return String(body.access_token);
  }

  test("a bound token with its proof calls a tool, and the tool learns the account", async () => {
    await using home = await house();
    await using mcp = await mcpServer(home);
    const key = await generateDpopKey();
    const token = await bound(home, key);
    const dpop = await proof(home, key, home.resource, token);
    const answer = await mcp.call({ authorization: `DPoP ${token}`, dpop });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain("acme/alice");
  });

  test.each<[string, (home: House, token: string, key: DpopKey) => Promise<Record<string, string>>]>([
    ["without a proof", async (_, token) => ({ authorization: `DPoP ${token}` })],
    ["as a bearer token", async (_, token) => ({ authorization: `Bearer ${token}` })],
    [
      "under another key",
      async (home, token) => {
        const dpop = await proof(home, await generateDpopKey(), home.resource, token);
        return { authorization: `DPoP ${token}`, dpop };
      },
    ],
    [
      "with a proof for another resource",
      async (home, token, key) => {
        return { authorization: `DPoP ${token}`, dpop: await proof(home, key, `${home.url}/other`, token) };
      },
    ],
  ])("a bound token %s: 401", async (_, headers) => {
    await using home = await house();
    await using mcp = await mcpServer(home);
    const key = await generateDpopKey();
    expect((await mcp.call(await headers(home, await bound(home, key), key))).status).toBe(401);
  });

  test("a bearer token still calls a tool, and what one tool needs beyond it is asked for: 403", async () => {
    await using home = await house();
    await using mcp = await mcpServer(home);
    const authorization = `Bearer ${(await home.redeem()).body.access_token}`;
    expect((await mcp.call({ authorization })).text).toContain("acme/alice");
    const { status, challenges } = await mcp.call({ authorization }, "write");
    expect(status).toBe(403);
    expect(challenges[0]?.parameters).toMatchObject({
      scope: "ledger.read ledger.write",
      resource_metadata: home.server.resourceMetadataUrl(),
    });
  });

  test("no token: 401 with the resource's metadata", async () => {
    await using home = await house();
    await using mcp = await mcpServer(home);
    const { status, challenges } = await mcp.call({});
    expect(status).toBe(401);
    expect(challenges[0]?.parameters.resource_metadata).toBe(home.server.resourceMetadataUrl());
  });
});
