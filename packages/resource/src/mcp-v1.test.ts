import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ServerError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import express, { type RequestHandler } from "express";
import { describe, expect, test } from "vitest";
import { newCertificate, type TestCertificate } from "../../../test/certificates.testing.ts";
import { type AppHouse, appHouse, type MakeApp } from "./adapters.testing.ts";
import { authorizationServer } from "./express.ts";
import { mcpAuthorize, mcpBearerAuth, mcpTokenVerifier } from "./mcp-v1.ts";
import type { ResourceServer } from "./server.ts";

type Gate = (server: ResourceServer, scopes: readonly string[]) => RequestHandler;

/** An MCP server of the SDK at `/api`, whose one tool says who calls; and another behind a gate that wants more. */
function makeApp(gate: Gate): MakeApp {
  return (server) => {
    const app = express();
    app.use(authorizationServer(server), express.json());
    app.all("/api", gate(server, ["ledger.read"]), async (req, res) => {
      const mcp = new McpServer({ name: "ledger", version: "1.0.0" });
      mcp.registerTool("whoami", {}, ({ authInfo }) => ({
        content: [{ type: "text", text: JSON.stringify({ ...authInfo?.extra, client: authInfo?.clientId }) }],
      }));
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
      res.on("close", () => void mcp.close());
      await mcp.connect(transport);
      await transport.handleRequest(req, res, req.body);
    });
    app.all("/api/write", gate(server, ["ledger.read", "ledger.write"]), (_req, res) => void res.end());
    return app;
  };
}

const sdkGate: Gate = (server, scopes) => requireBearerAuth(mcpBearerAuth(server, { scopes }));
const ownGate: Gate = (server, scopes) => mcpAuthorize(server, { scopes });

/** Calls the tool by the SDK's own client. */
async function whoami(
  { url }: AppHouse,
  headers: (method: string) => Promise<Record<string, string>>,
): Promise<unknown> {
  const client = new Client({ name: "agent", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/api`), {
    fetch: async (input, init) => {
      const all = new Headers(init?.headers);
      for (const [name, value] of Object.entries(await headers(init?.method ?? "GET"))) all.set(name, value);
      return fetch(input, { ...init, headers: all });
    },
  });
  await client.connect(transport);
  const { content } = await client.callTool({ name: "whoami" });
  await client.close();
  const [{ text }] = content as [{ text: string }]; // The tool above gives exactly one.
  return JSON.parse(text);
}

const challengeOf = (headers: Headers): string => headers.get("www-authenticate") ?? "";

describe.each<[string, Gate]>([
  ["the MCP SDK v1's requireBearerAuth", sdkGate],
  ["mcpAuthorize, before the MCP SDK v1", ownGate],
])("behind %s", (_, gate) => {
  test("a tool of the SDK's server learns the account, its customer, the client and the ID-JAG behind it", async () => {
    await using home = await appHouse(makeApp(gate));
    const authorization = `Bearer ${await home.token()}`;
    expect(await whoami(home, async () => ({ authorization }))).toMatchObject({
      account: "acme/alice",
      customer: "acme",
      client: "ledger-assistant",
      root: { iss: "https://idp.example", sub: "alice" },
    });
  });

  test("no token, and one that does not count: 401 with the resource's metadata", async () => {
    await using home = await appHouse(makeApp(gate));
    for (const headers of [{}, { authorization: "Bearer abc" }, { authorization: "Basic YTpi" }]) {
      const answer = await home.send("/api", { method: "POST", headers });
      expect(answer.status).toBe(401);
      expect(challengeOf(answer.headers)).toContain(`${home.url}/.well-known/oauth-protected-resource/api`);
    }
    const expired = await home.token();
    home.clock.now += 300;
    const answer = await home.send("/api", { method: "POST", headers: { authorization: `Bearer ${expired}` } });
    expect(answer.status).toBe(401);
    expect(home.events.at(-1)?.reason).toBe("access-token-expired");
    expect(challengeOf(answer.headers) + answer.text).toContain(`decision ${home.events.at(-1)?.decisionId}`);
  });

  test("a scope that is missing: 403 that names all that the call needs", async () => {
    await using home = await appHouse(makeApp(gate));
    const answer = await home.send("/api/write", { headers: { authorization: `Bearer ${await home.token()}` } });
    expect(answer.status).toBe(403);
    expect(challengeOf(answer.headers)).toContain('scope="ledger.read ledger.write"');
    expect(challengeOf(answer.headers)).toContain('error="insufficient_scope"');
  });

  test("a check that can not run: 5xx, and nobody gets in", async () => {
    await using home = await appHouse(makeApp(gate));
    const token = await home.token("ledger.read ledger.write");
    home.alive.down = true;
    const answer = await home.send("/api/write", { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBeGreaterThanOrEqual(500);
  });

  test("a resource that the server does not have shows at the start", async () => {
    await using home = await appHouse(makeApp(gate));
    for (const make of [mcpBearerAuth, mcpAuthorize]) {
      expect(() => make(home.server, { resource: "https://x.example" })).toThrow("Name one of");
    }
  });
});

test("mcpAuthorize takes a token that is bound to a DPoP key with its proof, and with nothing else", async () => {
  await using home = await appHouse(makeApp(ownGate));
  const key = await generateDpopKey();
  const prove = (method: string, path: string, accessToken?: string) =>
    createDpopProof(key, { method, url: home.url + path, now: home.clock.now, accessToken });
  const token = await home.token("ledger.read", { headers: { dpop: await prove("POST", "/token") } });
  const proven = async (method: string) => ({
    authorization: `DPoP ${token}`,
    dpop: await prove(method, "/api", token),
  });
  expect(await whoami(home, proven)).toMatchObject({ account: "acme/alice" });
  for (const authorization of [`DPoP ${token}`, `Bearer ${token}`]) {
    expect((await home.send("/api", { method: "POST", headers: { authorization } })).status).toBe(401);
  }
});

test("the SDK's own gate takes any good token where no scopes are named", async () => {
  await using home = await appHouse(makeApp((server) => requireBearerAuth(mcpBearerAuth(server))));
  const authorization = `Bearer ${await home.token()}`;
  expect((await home.send("/api/write", { headers: { authorization } })).status).toBe(200);
});

test("what the gate lets in carries the token itself, and what fails gets no claims", async () => {
  await using home = await appHouse(makeApp(ownGate));
  const token = await home.token("ledger.read ledger.write");
  const fault = new Error("the server is broken");
  const seen: unknown[] = [];
  const answer =
    (gate: ReturnType<typeof mcpAuthorize>): MakeApp =>
    () =>
    (req, res) =>
      void gate(req, res, (error) => {
        seen.push([error, "auth" in req && req.auth]);
        res.end();
      });
  const headers = { authorization: `Bearer ${token}` };
  await using good = await appHouse(answer(mcpAuthorize(home.server)));
  await good.send("/", { headers });
  await using broken = await appHouse(answer(mcpAuthorize({ ...home.server, authorize: () => Promise.reject(fault) })));
  await broken.send("/", { headers });
  expect(seen).toEqual([
    [undefined, expect.objectContaining({ token, scopes: ["ledger.read", "ledger.write"] })],
    [fault, false],
  ]);
});

test("the SDK's verifier by itself: the resource shows at the start, and a check that can not run is a ServerError", async () => {
  await using home = await appHouse(makeApp(sdkGate));
  expect(() => mcpTokenVerifier(home.server, { resource: "https://x.example" })).toThrow("Name one of");
  const verifier = mcpTokenVerifier(home.server);
  const token = await home.token();
  expect(await verifier.verifyAccessToken(token)).toMatchObject({ token, clientId: "ledger-assistant" });
  home.alive.down = true;
  await expect(verifier.verifyAccessToken(token)).rejects.toBeInstanceOf(ServerError);
});

test("the SDK's own gate never takes a bound token", async () => {
  await using home = await appHouse(makeApp(sdkGate));
  const key = await generateDpopKey();
  const now = home.clock.now;
  const dpop = await createDpopProof(key, { method: "POST", url: `${home.url}/token`, now });
  const token = await home.token("ledger.read", { headers: { dpop } });
  const proof = await createDpopProof(key, { method: "POST", url: `${home.url}/api`, now, accessToken: token });
  for (const scheme of ["DPoP", "Bearer"]) {
    const headers = { authorization: `${scheme} ${token}`, dpop: proof };
    expect((await home.send("/api", { method: "POST", headers })).status).toBe(401);
  }
});

test("the SDK's own gate answers 401 to a sign-in that is not good enough, mcpAuthorize says what to step up to", async () => {
  const gates: readonly Gate[] = [
    (server) => requireBearerAuth(mcpBearerAuth(server, { acrValues: ["phr"] })),
    (server) => mcpAuthorize(server, { acrValues: ["phr"] }),
  ];
  for (const gate of gates) {
    await using home = await appHouse(makeApp(gate));
    const authorization = `Bearer ${await home.token()}`;
    const answer = await home.send("/api", { method: "POST", headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(home.events.at(-1)?.reason).toBe("acr-too-weak");
    if (gate === gates[1]) expect(challengeOf(answer.headers)).toContain('acr_values="phr"');
  }
});

test("mcpAuthorize takes a token that is bound to a certificate over TLS with that certificate", async () => {
  const [known, other] = [
    newCertificate("the agent that redeems, with a long name"),
    newCertificate("another agent's, as long"),
  ];
  await using home = await appHouse(makeApp(ownGate), {}, [known, other]);
  const authorization = `Bearer ${await home.token("ledger.read ledger.write", { certificate: known })}`;
  const call = async (certificate?: TestCertificate) =>
    (await home.send("/api/write", { headers: { authorization }, certificate })).status;
  expect(await call(known)).toBe(200);
  expect(await call(other)).toBe(401);
  expect(await call()).toBe(401);
});
