/**
 * Hostile requests at every endpoint of an app, as an app developer mounts it on `node:http`: authorization server, metadata, and
 * the API that it protects. Always an OAuth error, a challenge, or the honest success.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import {
  createResourceServer,
  generateSigningKey,
  memoryStore,
  type ReceiverEvent,
  type ResourceServer,
} from "@credence/resource";
import { accessOf, authorizationServer, protect } from "@credence/resource/node";
import { createTestIdp, dpopProof, generateDpopKey, redeem, type TestIdp } from "@credence/resource/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COUNT, type Endpoint, fuzz } from "./fuzz.testing.ts";
import type { Request } from "./generate.testing.ts";

const MINUTES = 60_000 * Math.ceil(2 + COUNT / 1_500);
const client = { clientId: "agent", method: "client_secret_basic", clientSecret: "s3cret-of-the-agent" } as const;
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const authorization = `Basic ${btoa(`${client.clientId}:${client.clientSecret}`)}`;
const key = await generateDpopKey();

let http: Server;
let origin: string;
let server: ResourceServer;
let idp: TestIdp;
let others: readonly string[];
/** What the app's own log has to tell that should not have happened. */
const faults: string[] = [];
/** Granted so far, of each kind. */
const granted: ReceiverEvent[] = [];

beforeAll(async () => {
  idp = await createTestIdp();
  const { privateJwk } = await generateSigningKey("ES256");
  let listener: Parameters<typeof createServer>[1];
  http = createServer((req, res) => listener?.(req, res as never));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`; // A TCP server that listens has one.
  const events = (event: ReceiverEvent) => {
    if (event.reason === "internal-fault" || event.reason === "store-unavailable") faults.push(JSON.stringify(event));
    if (event.outcome === "granted") granted.push(event);
  };
  server = createResourceServer({
    issuer: origin,
    resources: {
      [`${origin}/mcp`]: {
        scopes: { read: "Read entries", write: "Add entries" },
        authorizationDetailsTypes: { account: { description: "One account" } },
      },
    },
    customers: [idp.customer({ issuers: [idp.trusted({ replay: "resubmit" })] })],
    clients: [{ ...client, introspects: true }],
    resolveSubject: ({ sub }) => (sub === "alice" ? { id: "alice" } : undefined),
    signingKey: privateJwk,
    // More than the marks of all requests: a store that is full refuses, which is another test.
    store: memoryStore({ max: 1_000_000 }),
    record: events,
    onFault: (error) => faults.push(String(error)),
    development: true,
  });
  const own = authorizationServer(server);
  const guard = protect(server, { scopes: ["read"] });
  listener = (req, res) => {
    const failed = (error: unknown) => {
      faults.push(String(error));
      res.destroy();
    };
    const serve = () => res.setHeader("content-type", "application/json").end(JSON.stringify(accessOf(req)));
    own(req, res, (error) => (error ? failed(error) : guard(req, res, (why) => (why ? failed(why) : serve())))).catch(
      failed,
    );
  };
  const idJag = await newIdJag();
  const { accessToken = "" } = await redeem(server, client, idJag);
  const proof = await dpopProof(key, { method: "POST", url: `${origin}/token` });
  others = [idJag, accessToken, proof, ...(await idp.badIdJags(target())).map(({ assertion }) => assertion)];
});
afterAll(async () => {
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

const target = () => ({ server, clientId: client.clientId, scope: "read" });
const newIdJag = (claims = {}) => idp.idJag(target(), claims);

async function endures(endpoint: Partial<Endpoint> & Pick<Endpoint, "kind" | "good">): Promise<void> {
  const { hostname: host, port } = new URL(origin);
  faults.length = 0;
  const fuzzed = await fuzz({
    to: { host, port: Number(port) },
    secrets: [client.clientSecret],
    check: () => faults[0],
    ...endpoint,
  });
  console.log(
    `app: ${fuzzed.requests} requests, ${JSON.stringify(fuzzed.statuses)}, ${(fuzzed.growth / 1e6).toFixed(1)} MB`,
  );
  expect(fuzzed.requests).toBeGreaterThanOrEqual(COUNT);
  expect((await redeem(server, client, await newIdJag())).status).toBe(200);
}

const post = (path: string, form: Readonly<Record<string, string>>, headers = {}): Request => ({
  method: "POST",
  target: path,
  headers: { ...FORM, authorization, ...headers },
  form,
  tokens: others,
});

test("redemption", { timeout: MINUTES }, async () => {
  const good = async () => post("/token", { grant_type: JWT_BEARER_GRANT, assertion: await newIdJag(), scope: "read" });
  await endures({ kind: "oauth", good });
});

test("redemption of an ID-JAG that is bound to a key", { timeout: MINUTES }, async () => {
  const good = async () => {
    const details = [{ type: "account", actions: ["read"] }];
    const assertion = await newIdJag({ cnf: { jkt: key.jkt }, authorization_details: details });
    const form = { grant_type: JWT_BEARER_GRANT, assertion, authorization_details: JSON.stringify(details) };
    return post("/token", form, { dpop: await dpopProof(key, { method: "POST", url: `${origin}/token` }) });
  };
  await endures({ kind: "oauth", good });
});

const newToken = async () => (await redeem(server, client, await newIdJag())).accessToken ?? "";

test("introspection", { timeout: MINUTES }, async () => {
  await endures({ kind: "oauth", good: async () => post("/introspect", { token: await newToken() }) });
});

test("revocation", { timeout: MINUTES }, async () => {
  const good = async () => post("/revoke", { token: await newToken(), token_type_hint: "access_token" });
  await endures({ kind: "oauth", good });
});

test("metadata, keys, and the page for people", { timeout: MINUTES }, async () => {
  const targets = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource/mcp",
    "/jwks",
    "/authorize",
  ];
  let turn = 0;
  const good = (): Request => ({
    method: "GET",
    target: targets[turn++ % targets.length] ?? "/",
    form: {},
    tokens: others,
  });
  await endures({ kind: "page", good });
});

test("a protected resource", { timeout: MINUTES }, async () => {
  let turn = 0;
  const good = async (): Promise<Request> => {
    turn += 1;
    const method = turn % 2 ? "GET" : "POST";
    const headers = { authorization: `Bearer ${await newToken()}` };
    return { method, target: "/mcp", headers, body: '{"jsonrpc":"2.0"}', tokens: others };
  };
  await endures({ kind: "resource", good });
});

test("a protected resource, with a token that is bound to a key", { timeout: MINUTES }, async () => {
  const good = async (): Promise<Request> => {
    const { accessToken = "" } = await redeem(server, client, await newIdJag({ cnf: { jkt: key.jkt } }), { dpop: key });
    const dpop = await dpopProof(key, { method: "GET", url: `${origin}/mcp`, accessToken });
    return { method: "GET", target: "/mcp", headers: { authorization: `DPoP ${accessToken}`, dpop }, tokens: others };
  };
  await endures({ kind: "resource", good });
});

test("whatever was granted, was granted to the one client, for the one person", () => {
  expect(granted.length).toBeGreaterThan(0);
  const odd = granted.filter(
    ({ kind, client: who, account }) => kind === "redemption" && (who !== client.clientId || account !== "alice"),
  );
  expect(odd).toEqual([]);
});
