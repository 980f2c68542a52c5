import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { parseChallenges } from "@credence/protocol/metadata";
import { createMcpHandler, McpServer, requireBearerAuth, requireScopes } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import { newCertificate } from "../../../test/certificates.testing.ts";
import { CLIENT, type House, house, listen } from "./house.testing.ts";
import { authInfoOf, mcpAuthorize, mcpBearerAuth, mcpTokenVerifier } from "./mcp.ts";
import { redeem } from "./testing.ts";

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

  test("the gate asks for the scopes that are named, and for none where none are", async () => {
    await using home = await house(today);
    expect(mcpBearerAuth(home.server, { scopes: ["ledger.read"] }).requiredScopes).toEqual(["ledger.read"]);
    expect(mcpBearerAuth(home.server).requiredScopes).toEqual([]);
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

  test("a token that is bound to a key: 401, with its proof too", async () => {
    await using home = await house(today);
    const key = await generateDpopKey();
    const now = Math.floor(Date.now() / 1_000);
    const assertion = await home.idJag({ iat: now, exp: now + 300 });
    const proof = await createDpopProof(key, { method: "POST", url: `${home.url}/token`, now });
    const { access_token: token } = (await home.redeem({ assertion }, { dpop: proof })).body;
    const check = requireBearerAuth(mcpBearerAuth(home.server));
    const dpop = await createDpopProof(key, { method: "GET", url: home.resource, now, accessToken: String(token) });
    for (const scheme of ["Bearer", "DPoP"]) {
      const headers = { authorization: `${scheme} ${token}`, dpop };
      expect(await check(new Request(home.resource, { headers }))).toMatchObject({ status: 401 });
    }
  });

  test("a sign-in that is not good enough for the call: 401, and nobody gets in", async () => {
    await using home = await house(today);
    const check = requireBearerAuth(mcpBearerAuth(home.server, { acrValues: ["phr"] }));
    const headers = { authorization: `Bearer ${await fresh(home)}` };
    expect(await check(new Request(home.resource, { headers }))).toMatchObject({ status: 401 });
    expect(home.events.at(-1)?.reason).toBe("acr-too-weak");
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

  test("a token that is bound to a certificate opens with it, and with no other", async () => {
    await using home = await house();
    const [known, other] = [
      newCertificate("the agent that redeems, with a long name"),
      newCertificate("another agent"),
    ];
    const { now } = home.clock;
    const redeemed = await redeem(home.server, CLIENT, await home.idJag(), { certificate: known.der, now });
    const authorize = mcpAuthorize(home.server);
    const request = () => new Request(home.resource, { headers: { authorization: `Bearer ${redeemed.accessToken}` } });
    expect(await authorize(request(), { certificate: known.der })).toMatchObject({ extra: { account: "acme/alice" } });
    for (const context of [{ certificate: other.der }, {}, undefined]) {
      expect(await authorize(request(), context)).toMatchObject({ status: 401 });
    }
  });

  test("what is let in carries the token itself, without its scheme", async () => {
    await using home = await house();
    const token = String((await home.redeem()).body.access_token);
    const headers = { authorization: `Bearer ${token}` };
    const auth = await mcpAuthorize(home.server)(new Request(home.resource, { headers }));
    expect(auth).toMatchObject({ token });
  });

  test("a sign-in that is not good enough for the call: 401 that says what to step up to", async () => {
    await using home = await house();
    const headers = { authorization: `Bearer ${(await home.redeem()).body.access_token}` };
    const answer = await mcpAuthorize(home.server, { acrValues: ["phr"] })(new Request(home.resource, { headers }));
    const challenge = answer instanceof Response ? answer.headers.get("www-authenticate") : "";
    expect(parseChallenges(challenge)[0]?.parameters).toMatchObject({
      error: "insufficient_user_authentication",
      acr_values: "phr",
    });
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

test("tools see the authorization details that were granted", () => {
  const root = { iss: "https://idp.example", jti: "j1", iat: 1, sub: "alice" };
  const bare = { iss: "https://ledger.example", aud: "https://ledger.example/mcp", sub: "a1", client_id: "agent" };
  const claims = { ...bare, jti: "t1", iat: 1, exp: 301, customer: "acme", root };
  const details = [{ type: "transfer", amount: 5 }];
  expect(authInfoOf("t", { ...claims, authorization_details: details }).extra.authorizationDetails).toEqual(details);
  expect(authInfoOf("t", claims).extra).not.toHaveProperty("authorizationDetails");
});
