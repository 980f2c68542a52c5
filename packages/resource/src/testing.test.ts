import { readFileSync } from "node:fs";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { REASONS } from "@credence/protocol/reasons";
import { describe, expect, test } from "vitest";
import { newKey } from "./house.testing.ts";
import type { ResourceServerOptions } from "./options.ts";
import type { ReceiverEvent } from "./record.ts";
import type { Account } from "./redeem/subject.ts";
import { createResourceServer } from "./server.ts";
import { createTestIdp, dpopProof, generateDpopKey, redeem, type TestIdp } from "./testing.ts";

const MCP = "https://ledger.example/mcp";
const client = { clientId: "ledger-assistant", method: "client_secret_basic", clientSecret: "s3cret" } as const;
const { privateJwk } = await newKey();

/** An app that trusts a test IdP, and what it recorded last. */
function app(idp: TestIdp, change: Partial<ResourceServerOptions<Account>> = {}) {
  const events: ReceiverEvent[] = [];
  const server = createResourceServer({
    issuer: "https://ledger.example",
    resources: { [MCP]: { scopes: { read: "Read", write: "Write" } } },
    customers: [idp.customer()],
    clients: [client],
    resolveSubject: ({ sub }) => (sub === "alice" ? { id: "alice" } : undefined),
    signingKey: privateJwk,
    record: (event) => void events.push(event),
    ...change,
  });
  return { server, events, target: { server, clientId: client.clientId, scope: "read" } };
}

const kinds: readonly [string, Parameters<typeof createTestIdp>[0]][] = [
  ...JWS_ALGORITHMS.map((algorithm) => [algorithm, { algorithm }] as [string, { algorithm: typeof algorithm }]),
  ["a tenant", { tenant: "acme" }],
  ["an issuer with a path", { issuer: "https://idp.example/oauth2/default" }],
  ["an issuer with a trailing slash", { issuer: "https://acme.eu.idp.example/" }],
];

describe.each(kinds)("a test IdP with %s", (_, options) => {
  test("makes ID-JAGs that the server redeems", async () => {
    const idp = await createTestIdp(options);
    const { server, events, target } = app(idp);
    const good = await idp.goodIdJags(target);
    expect(good.length).toBeGreaterThan(5);
    for (const { name, assertion } of good) {
      const answer = await redeem(server, client, assertion);
      expect([name, answer.status, answer.error, events.at(-1)?.outcome]).toEqual([name, 200, undefined, "granted"]);
      expect((await server.check(answer.accessToken ?? "", { scopes: ["read"] })).ok).toBe(true);
    }
  });

  test("makes bad ones, each of which the server refuses for exactly its reason", async () => {
    const idp = await createTestIdp(options);
    const { server, events, target } = app(idp);
    const bad = await idp.badIdJags(target);
    expect(bad.length).toBeGreaterThan(60);
    expect(new Set(bad.map(({ name }) => name)).size).toBe(bad.length);
    for (const one of bad) {
      const { status, error, decisionId, accessToken } = await redeem(server, client, one);
      const event = events.at(-1);
      expect([one.name, event?.reason, error]).toEqual([one.name, one.reason, one.error]);
      expect([status, accessToken, decisionId]).toEqual([400, undefined, event?.decisionId]);
    }
  });
});

test("every reason for which an ID-JAG itself can be refused has a bad one", async () => {
  const idp = await createTestIdp();
  const made = new Set<string>((await idp.badIdJags(app(idp).target)).map(({ reason }) => reason));
  // Revoked, or bound nowhere: that is the server's doing. Both are tried where they are decided.
  const elsewhere = ["id-jag-revoked", "id-jag-unbound"];
  const known = Object.keys(REASONS).filter((id) => id.startsWith("id-jag-") && !elsewhere.includes(id));
  expect(known.filter((id) => !made.has(id))).toEqual([]);
});

test("a server that forgot a check is found out", async () => {
  const idp = await createTestIdp();
  // It takes every client's ID-JAGs more than once, and any account.
  const { server, target } = app(idp, {
    customers: [idp.customer({ issuers: [idp.trusted({ replay: "resubmit" })] })],
  });
  const bad = await idp.badIdJags(target);
  const passed = [];
  for (const one of bad) if ((await redeem(server, client, one)).status === 200) passed.push(one.name);
  expect(passed).toEqual(["redeemed before"]);
});

test("its metadata and keys can be fetched, where the app is to fetch them", async () => {
  for (const issuer of ["https://idp.example", "https://idp.example/realms/acme", "https://acme.idp.example/"]) {
    const idp = await createTestIdp({ issuer });
    const { jwks: _, ...fetched } = idp.trusted();
    const { server, target } = app(idp, { customers: [{ id: "acme", issuers: [fetched] }], fetch: idp.fetch });
    expect((await redeem(server, client, await idp.idJag(target))).status).toBe(200);
    expect((await idp.fetch("https://idp.example/elsewhere")).status).toBe(404);
  }
});

test("claims may be changed, and taken away", async () => {
  const idp = await createTestIdp();
  const { server, events, target } = app(idp);
  const answer = await redeem(server, client, await idp.idJag(target, { scope: "read write" }), { scope: "write" });
  expect(answer.body).toMatchObject({ scope: "write", resource: MCP });
  await redeem(server, client, await idp.idJag({ ...target, sub: "bob" }));
  expect(events.at(-1)?.reason).toBe("subject-unresolved");
  await redeem(server, client, await idp.idJag(target, { resource: undefined }));
  expect(events.at(-1)?.reason).toBe("resource-missing");
});

test("a server with several resources is told which", async () => {
  const idp = await createTestIdp();
  const other = "https://ledger.example/api";
  const { server, target } = app(idp, {
    resources: { [MCP]: { scopes: { read: "" } }, [other]: { scopes: { read: "" } } },
  });
  await expect(async () => idp.idJag(target)).rejects.toThrow("Name one of");
  const answer = await redeem(server, client, await idp.idJag({ ...target, resource: other }));
  expect(answer.body.resource).toBe(other);
});

test("proofs bind a token, and open the resource with it", async () => {
  const idp = await createTestIdp();
  const { server, target } = app(idp, { dpop: { nonceSecret: new Uint8Array(32).fill(7) } });
  const key = await generateDpopKey();
  const idJag = await idp.idJag(target, { cnf: { jkt: key.jkt } });
  const first = await redeem(server, client, idJag, { dpop: key });
  expect(first.error).toBe("use_dpop_nonce");
  const nonce = first.headers.get("dpop-nonce") ?? "";
  const { accessToken = "", body } = await redeem(server, client, idJag, { dpop: key, nonce });
  expect(body.token_type).toBe("DPoP");
  const dpop = await dpopProof(key, { method: "GET", url: MCP, accessToken });
  const handler = server.protect({}, () => new Response("in"));
  const headers = { authorization: `DPoP ${accessToken}`, dpop };
  expect((await handler(new Request(MCP, { headers }))).status).toBe(200);
});

test("a client may prove itself with a key", async () => {
  const idp = await createTestIdp();
  const { publicJwk, signer } = await newKey();
  const keyed = { clientId: client.clientId, method: "private_key_jwt", jwks: { keys: [publicJwk] } } as const;
  const { server, target } = app(idp, { clients: [keyed] });
  const identity = { clientId: client.clientId, method: "private_key_jwt", signer } as const;
  expect((await redeem(server, identity, await idp.idJag(target))).status).toBe(200);
});

test("a clock of one's own is the clock of all of it", async () => {
  const now = 1_800_000_000;
  const idp = await createTestIdp({ now: () => now });
  const { server, target } = app(idp, { now: () => now });
  expect((await redeem(server, client, await idp.idJag(target))).status).toBe(200);
});

test("the lines of the documentation are those that run here, and they run", async () => {
  const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
  const [, documented = ""] = /```ts\n([\s\S]*?) \* ```/.exec(read("./testing.ts")) ?? [];
  expect(documented.replaceAll(/^ \* ?/gm, "")).toBe(read("./testing-example.testing.ts"));
  await import("./testing-example.testing.ts");
});

test("nothing of Node is needed", () => {
  const seen = new Set<string>();
  const visit = (url: URL): void => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, name = ""] of readFileSync(url, "utf8").matchAll(/^(?:import|export)[^"]*from "([^"]+)";/gm)) {
      expect([url.pathname, name]).not.toEqual([url.pathname, expect.stringMatching(/^node:/)]);
      if (name.startsWith(".")) visit(new URL(name, url));
    }
  };
  visit(new URL("./testing.ts", import.meta.url));
  expect(seen.size).toBeGreaterThan(5);
});
