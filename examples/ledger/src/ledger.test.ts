import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { signIdJag } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner, type Signer } from "@credence/protocol/jws";
import { parseChallenges } from "@credence/protocol/metadata";
import type { ReceiverEvent } from "@credence/resource";
import { serve } from "@hono/node-server";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLedger, type Ledger } from "./app.ts";

interface Listening {
  readonly url: string;
  close(): Promise<unknown>;
}

function listen(fetch: (request: Request) => Promise<Response>): Promise<Listening> {
  return new Promise((resolve) => {
    const http = serve({ fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
      const close = () => new Promise((closed) => http.close(closed));
      resolve({ url: `http://127.0.0.1:${port}`, close });
    });
  });
}

let signer: Signer;
let idp: Listening;
let http: Listening;
let ledger: Ledger | undefined;
const client = { id: "ledger-assistant", secret: "s3cret" };
const events: ReceiverEvent[] = [];

beforeAll(async () => {
  const { privateJwk, publicJwk } = await generateSigningKey("ES256");
  signer = await importSigner(privateJwk);
  idp = await listen(async (request) => {
    const { origin, pathname } = new URL(request.url);
    if (pathname === "/jwks") return Response.json({ keys: [publicJwk] });
    if (pathname !== "/.well-known/openid-configuration") return new Response(null, { status: 404 });
    return Response.json({ issuer: origin, token_endpoint: `${origin}/token`, jwks_uri: `${origin}/jwks` });
  });
  http = await listen(async (request) => ledger?.fetch(request) ?? new Response(null, { status: 503 }));
  ledger = await createLedger({
    issuer: http.url,
    idp: idp.url,
    client,
    record: (event) => void events.push(event),
    development: true,
  });
});
afterAll(() => Promise.all([idp.close(), http.close()]));

async function redeem(url: string, scope: string, more: Record<string, string> = {}): Promise<Response> {
  const now = Math.floor(Date.now() / 1_000);
  const jti = crypto.randomUUID();
  const claims = { iss: idp.url, sub: "alice", aud: url, client_id: client.id, jti, iat: now, exp: now + 60 };
  const assertion = await signIdJag({ ...claims, resource: `${url}/mcp`, scope }, signer);
  const form = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
  const authorization = `Basic ${btoa(`${client.id}:${client.secret}`)}`;
  return fetch(`${url}/token`, {
    method: "POST",
    headers: { authorization, ...more },
    body: new URLSearchParams(form),
  });
}

const tokenFor = async (scope: string): Promise<string> => (await (await redeem(http.url, scope)).json()).access_token;

/** The published SDK's client, with an access token. */
async function connect(token: string): Promise<Client> {
  const sdk = new Client({ name: "assistant", version: "1.0.0" });
  const headers = { authorization: `Bearer ${token}` };
  await sdk.connect(new StreamableHTTPClientTransport(new URL(`${http.url}/mcp`), { requestInit: { headers } }));
  return sdk;
}

async function callTool(sdk: Client, name: string, args: Record<string, unknown> = {}): Promise<unknown> {
  const { content } = await sdk.callTool({ name, arguments: args });
  const [first] = content;
  return first?.type === "text" ? JSON.parse(first.text) : undefined;
}

describe("the ledger", () => {
  test("challenges a call without a token, and says where to ask for what", async () => {
    const answer = await fetch(`${http.url}/mcp`, { method: "POST", body: "{}" });
    expect(answer.status).toBe(401);
    const [challenge] = parseChallenges(answer.headers.get("www-authenticate"));
    expect(challenge?.parameters.scope).toBe("ledger.read");
    const metadata = await fetch(challenge?.parameters.resource_metadata ?? "");
    expect(await metadata.json()).toMatchObject({ resource: `${http.url}/mcp`, authorization_servers: [http.url] });
  });

  test("lists entries for an agent that its organization lets read", async () => {
    const sdk = await connect(await tokenFor("ledger.read"));
    expect((await sdk.listTools()).tools.map(({ name }) => name)).toEqual(["list_entries", "add_entry"]);
    expect(await callTool(sdk, "list_entries")).toContainEqual(expect.objectContaining({ text: "Train to Vienna" }));
    await sdk.close();
  });

  test("adds an entry in the name of the person's account, made at first sight", async () => {
    const sdk = await connect(await tokenFor("ledger.read ledger.write"));
    const added = await callTool(sdk, "add_entry", { text: "Coffee", amount: 420 });
    expect(added).toEqual({ text: "Coffee", amount: 420, by: "account-1" });
    expect(await callTool(sdk, "list_entries")).toContainEqual(added);
    await sdk.close();
    expect(new Set(events.map(({ account }) => account))).toEqual(new Set(["account-1"]));
  });

  test("takes a token that is bound to a key of the agent's with a proof of it, and without one does not", async () => {
    const key = await generateDpopKey();
    const proof = (url: string, method: string, accessToken?: string) =>
      createDpopProof(key, { method, url, accessToken, now: Date.now() / 1_000 });
    const granted = await redeem(http.url, "ledger.read", { dpop: await proof(`${http.url}/token`, "POST") });
    const { access_token: token, token_type } = await granted.json();
    expect(token_type).toBe("DPoP");
    const mcp = `${http.url}/mcp`;
    const proving = new StreamableHTTPClientTransport(new URL(mcp), {
      fetch: async (url, init) => {
        const headers = new Headers(init?.headers);
        headers.set("authorization", `DPoP ${token}`);
        headers.set("dpop", await proof(mcp, init?.method ?? "GET", token));
        return fetch(url, { ...init, headers });
      },
    });
    const sdk = new Client({ name: "assistant", version: "1.0.0" });
    await sdk.connect(proving);
    expect(await callTool(sdk, "list_entries")).toContainEqual(expect.objectContaining({ text: "Train to Vienna" }));
    await sdk.close();
    for (const scheme of ["Bearer", "DPoP"]) {
      const headers = { authorization: `${scheme} ${token}` };
      expect((await fetch(mcp, { method: "POST", headers, body: "{}" })).status).toBe(401);
    }
  });

  test("challenges an agent that may read and wants to write, with all the scopes that it needs", async () => {
    const headers = {
      authorization: `Bearer ${await tokenFor("ledger.read")}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    };
    const params = { name: "add_entry", arguments: { text: "Coffee", amount: 420 } };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    const answer = await fetch(`${http.url}/mcp`, { method: "POST", headers, body });
    expect(answer.status).toBe(403);
    const [challenge] = parseChallenges(answer.headers.get("www-authenticate"));
    expect(challenge?.parameters).toMatchObject({ error: "insufficient_scope", scope: "ledger.read ledger.write" });
  });
});

describe("as a process", () => {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const start = (args: readonly string[], env: Record<string, string> = { LEDGER_CLIENT_SECRET: client.secret }) =>
    spawn(process.execPath, ["-C", "@credence/source", main, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });

  test("says when it is ready, and ends when it is told to", async () => {
    const child = start(["--port", "0", "--idp", idp.url, "--token-lifetime", "5"]);
    const lines = createInterface({ input: child.stdout });
    const [line] = await once(lines, "line");
    const { ready, url } = JSON.parse(line);
    expect(ready).toBe(true);
    expect(await (await redeem(url, "ledger.read")).json()).toMatchObject({ expires_in: 5, scope: "ledger.read" });
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test.each([
    ["no IdP", [], /--idp is missing/],
    ["a port that is none", ["--idp", "https://idp.example", "--port", "http"], /--port is not a whole number/],
    ["an unknown flag", ["--frobnicate"], /frobnicate/],
  ])("%s: says so, and exits 2", async (_, args, message) => {
    const child = start(args);
    const [errors, [code]] = await Promise.all([child.stderr.toArray(), once(child, "exit")]);
    expect(code).toBe(2);
    expect(errors.join("")).toMatch(message);
  });

  test("a busy port is named, with exit 1", async () => {
    const { port } = new URL(http.url);
    const child = start(["--port", port, "--idp", idp.url]);
    const [errors, [code]] = await Promise.all([child.stderr.toArray(), once(child, "exit")]);
    expect(code).toBe(1);
    expect(errors.join("")).toContain(`port ${port}`);
  });
});
