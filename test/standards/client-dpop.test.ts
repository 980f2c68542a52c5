/** What RFC 9449 and RFC 8705 ask of a client: at our own IdP and receiver, both with nonces, and at servers that cheat. */
import { createAgent, type Session } from "@credence/client";
import { generateDpopKey } from "@credence/protocol/dpop";
import { decodeJws, generateSigningKey } from "@credence/protocol/jws";
import { createResourceServer, type ResourceServer } from "@credence/resource";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startServer, type TestServer } from "../../packages/client/src/testing/http.testing.ts";
import { failure, startWorld, type World } from "../../packages/client/src/testing/world.testing.ts";
import { type House, SECRETS, startHouse } from "../house.testing.ts";

const key = await generateDpopKey();

/** One request of the agent, and what came back. */
interface Step {
  readonly url: URL;
  readonly authorization: string | null;
  /** Claims of its proof; `undefined` without one. */
  readonly proof: Readonly<Record<string, unknown>> | undefined;
  readonly status: number;
  /** The nonce that the answer gave. */
  readonly nonce: string | null;
}

describe("a client with a DPoP key, at servers with nonces", () => {
  let house: House;
  let app: TestServer;
  let steps: Step[];
  let session: Session;
  const atApp = { method: "client_secret_basic", clientId: "ledger-assistant", clientSecret: "s3cret" } as const;

  beforeAll(async () => {
    let server: ResourceServer | undefined;
    app = await startServer(async (request) => {
      const answer = await server?.tryFetch(request);
      return (
        answer ?? server?.protect({ scopes: ["ledger.read"] }, () => new Response("in"))(request) ?? new Response()
      );
    });
    house = await startHouse({ ledger: app.origin, server: { dpopNonces: true } });
    server = createResourceServer({
      issuer: app.origin,
      resources: { [`${app.origin}/mcp`]: { scopes: { "ledger.read": "Read entries" }, requireBound: true } },
      customers: [{ id: "acme", issuers: [{ issuer: house.issuer }] }],
      clients: [atApp],
      resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}`, customer }),
      signingKey: (await generateSigningKey("ES256")).privateJwk,
      dpop: { nonceSecret: new Uint8Array(32).fill(5) },
      record: () => undefined,
      development: true,
    });
  });
  afterAll(async () => {
    await app.close();
    await house[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    steps = [];
    const watched: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      const answer = await fetch(input, init);
      steps.push({
        url: new URL(request.url),
        authorization: request.headers.get("authorization"),
        proof: decodeJws(request.headers.get("dpop") ?? "")?.payload,
        status: answer.status,
        nonce: answer.headers.get("dpop-nonce"),
      });
      return answer;
    };
    const agent = createAgent({
      idp: { issuer: house.issuer, client: { ...atApp, clientId: "assistant", clientSecret: SECRETS.assistant ?? "" } },
      apps: [{ issuer: app.origin, client: atApp }],
      dpop: { key, required: true },
      fetch: watched,
      development: true,
    });
    session = await house.signIn(agent);
    expect((await session.fetch(`${app.origin}/mcp`)).status).toBe(200);
    expect((await session.fetch(`${app.origin}/mcp/more`)).status).toBe(200);
  });

  const tokenRequests = () => steps.filter(({ url }) => url.pathname === "/token");
  const calls = () => steps.filter(({ authorization }) => authorization?.startsWith("DPoP "));

  test("proves it with every token request and every call, each time with a proof of its own", async () => {
    const proofs = [...tokenRequests(), ...calls()].map(({ proof }) => proof);
    // Sign-in, exchange and redemption, at each server at least once refused for its nonce; two calls.
    expect(proofs.length).toBeGreaterThanOrEqual(7);
    for (const proof of proofs) expect(proof).toMatchObject({ jti: expect.any(String), iat: expect.any(Number) });
    expect(new Set(proofs.map((proof) => proof?.jti)).size).toBe(proofs.length);
    for (const { proof } of calls()) expect(proof).toMatchObject({ htm: "GET", ath: expect.any(String) });
  });

  test("takes each server's nonce back to that server alone, and from its next request on", async () => {
    const given = new Map<string, string>();
    for (const { url, proof, nonce } of tokenRequests()) {
      expect(proof?.nonce).toBe(given.get(url.origin));
      if (nonce !== null) given.set(url.origin, nonce);
    }
    expect([...given.keys()].sort()).toEqual([app.origin, house.issuer].sort());
    // The resource has given none.
    for (const { proof } of calls()) expect(proof).not.toHaveProperty("nonce");
    // Each server asks once: a nonce is for its endpoint, whatever the grant.
    expect(tokenRequests().filter(({ status }) => status === 400)).toHaveLength(2);
  });
});

describe("a client that has proven something drops what is not bound to it:", () => {
  const x5t = "A".repeat(43);
  let world: World;
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.close());

  /** Servers that say that they take proofs. */
  function announce(): void {
    world.idp.metadata = { dpop_signing_alg_values_supported: ["ES256"] };
    world.app.asMetadata = { dpop_signing_alg_values_supported: ["ES256"] };
  }

  test.each<[string, Record<string, unknown>]>([
    ["an unbound ID-JAG", {}],
    ["one for another key", { cnf: { jkt: "B".repeat(43) } }],
    ["one for a certificate", { cnf: { "x5t#S256": x5t } }],
  ])("%s, with a DPoP key; the app never sees it", async (_, claims) => {
    announce();
    world.idp.claims = claims;
    const session = await world.session({ dpop: { key } });
    expect(await failure(session.fetch(world.url))).toMatchObject({ leg: "exchange", reason: "binding-differs" });
    expect(world.app.counts.redeem).toBe(0);
  });

  test.each<[string, Record<string, unknown>]>([
    ["an unbound ID-JAG", {}],
    ["one for another certificate", { cnf: { "x5t#S256": "B".repeat(43) } }],
    ["one for a key", { cnf: { jkt: "B".repeat(43) } }],
  ])("%s, with a certificate; the app never sees it", async (_, claims) => {
    world.idp.claims = claims;
    const session = await world.session({ certificateThumbprint: x5t });
    expect(await failure(session.fetch(world.url))).toMatchObject({ leg: "exchange", reason: "binding-differs" });
    expect(world.app.counts.redeem).toBe(0);
  });

  test("an access token that is a bearer token; the resource never sees it", async () => {
    announce();
    world.idp.claims = { cnf: { jkt: key.jkt } };
    const session = await world.session({ dpop: { key } });
    expect(await failure(session.fetch(world.url))).toMatchObject({ leg: "redemption", reason: "token-type" });
    expect(world.app.api.seen.filter(({ headers }) => headers.has("authorization"))).toEqual([]);
  });

  test("and every request, calls too, goes by the fetch that shows the certificate", async () => {
    world.idp.claims = { cnf: { "x5t#S256": x5t } };
    const shown: string[] = [];
    const fetch: typeof globalThis.fetch = (input, init) => {
      shown.push(new Request(input, init).url);
      return globalThis.fetch(input, init);
    };
    const session = await world.signIn(world.agent({ certificateThumbprint: x5t, fetch }));
    expect((await session.fetch(world.url)).status).toBe(200);
    const asked = [world.idp.server, world.app.as, world.app.api].flatMap(({ seen }) => seen.map(({ url }) => url));
    // But for the person's own browser.
    expect(shown.sort()).toEqual(asked.filter((url) => !url.includes("/authorize")).sort());
  });
});
