import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { generateSigningKey } from "@credence/resource";
import { createTestIdp, dpopProof, generateDpopKey, redeem, type TestIdp } from "@credence/resource/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPort } from "../../demo/src/processes.ts";
import { startWorker } from "./workerd.ts";

const CLIENT = { clientId: "links-agent", method: "client_secret_basic", clientSecret: "s3cret" } as const;
const AUTHORIZATION = `Basic ${btoa(`${CLIENT.clientId}:${CLIENT.clientSecret}`)}`;

let idp: TestIdp;
let url: string;
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  const http = createServer(async (req, res) => {
    const answer = await idp.fetch(`${idp.issuer}${req.url}`);
    res.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  stops.push(() => http.close());
  // A TCP server that listens has a port.
  idp = await createTestIdp({ issuer: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
  const port = await findPort(0);
  url = `http://127.0.0.1:${port}`;
  const { privateJwk } = await generateSigningKey("ES256");
  const { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET } = CLIENT;
  const secrets = { CLIENT_SECRET, SIGNING_KEY: JSON.stringify(privateJwk) };
  const bindings = { URL: url, IDP: idp.issuer, CLIENT_ID, ...secrets, DEVELOPMENT: true };
  stops.push(await startWorker(port, bindings));
}, 120_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

/** The worker, as the testing kit knows a server: all of it over HTTP. */
const worker = () => ({ issuer: url, resources: [`${url}/links`], fetch: (request: Request) => fetch(request) });
const target = () => ({ server: worker(), clientId: CLIENT.clientId, scope: "links.read" });
const call = (headers: Record<string, string>) => fetch(`${url}/links`, { headers });

async function token(options: Parameters<typeof redeem>[3] = {}): Promise<string> {
  const { status, accessToken = "" } = await redeem(worker(), CLIENT, await idp.idJag(target()), options);
  expect(status).toBe(200);
  return accessToken;
}

describe("Hono on workerd", () => {
  // First of all: the IdP's keys are fetched once, by one request, for all that wait for them.
  test("the first requests, all at once, are served by one fetch of the IdP's keys", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => token()));
    expect(new Set(answers).size).toBe(20);
  });

  test("an access token opens the API, and the handler knows the account", async () => {
    const answer = await call({ authorization: `Bearer ${await token()}` });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ through: CLIENT.clientId, for: expect.stringContaining("alice") });
  });

  test("without a token: 401, where to look and what to ask for", async () => {
    const answer = await call({});
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe(
      `Bearer resource_metadata="${url}/.well-known/oauth-protected-resource/links", scope="links.read"`,
    );
  });

  test("every kind of good ID-JAG is redeemed, and every kind of bad one refused", async () => {
    for (const { name, assertion } of await idp.goodIdJags(target())) {
      expect((await redeem(worker(), CLIENT, assertion)).status, name).toBe(200);
    }
    for (const bad of await idp.badIdJags(target())) {
      expect((await redeem(worker(), CLIENT, bad)).error, bad.name).toBe(bad.error);
    }
  });

  test("of 50 simultaneous redemptions of one ID-JAG, exactly one succeeds", async () => {
    const idJag = await idp.idJag(target());
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(worker(), CLIENT, idJag)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ error }) => error === "invalid_grant")).toHaveLength(49);
  });

  test("a token that is bound to a DPoP key opens the API with a proof, once, and with nothing else", async () => {
    const dpop = await generateDpopKey();
    const accessToken = await token({ dpop });
    const proof = await dpopProof(dpop, { method: "GET", url: `${url}/links`, accessToken });
    expect((await call({ authorization: `DPoP ${accessToken}`, dpop: proof })).status).toBe(200);
    expect((await call({ authorization: `DPoP ${accessToken}`, dpop: proof })).status).toBe(401);
    expect((await call({ authorization: `DPoP ${accessToken}` })).status).toBe(401);
    expect((await call({ authorization: `Bearer ${accessToken}` })).status).toBe(401);
  });

  test("a token that its client gives back is dead at once", async () => {
    const accessToken = await token();
    const body = new URLSearchParams({ token: accessToken });
    const headers = { authorization: AUTHORIZATION };
    expect((await fetch(`${url}/revoke`, { method: "POST", headers, body })).status).toBe(200);
    expect((await call({ authorization: `Bearer ${accessToken}` })).status).toBe(401);
  });

  test.each([
    ["doubled parameters", "application/x-www-form-urlencoded", "assertion=a&assertion=b"],
    ["too large a body", "application/x-www-form-urlencoded", `assertion=${"a".repeat(70_000)}`],
    ["JSON", "application/json", "{}"],
  ])("a token request with %s: 400", async (_, type, body) => {
    const headers = { authorization: AUTHORIZATION, "content-type": type };
    const answer = await fetch(`${url}/token`, { method: "POST", headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: "invalid_request" });
  });
});
