import { beforeAll, expect, test } from "vitest";
import { type Key, newKey } from "./house.testing.ts";
import type { ResourceServerOptions } from "./options.ts";
import type { Account } from "./redeem/subject.ts";
import { createResourceServer } from "./server.ts";

let key: Key;
beforeAll(async () => {
  key = await newKey();
});

const ISSUER = "https://ledger.example";
const MCP = "https://ledger.example/mcp";
const client = { clientId: "a", method: "client_secret_basic", clientSecret: "s" } as const;
// As JavaScript would give it.
const misnamed = { clientId: "a", method: "client_secret_basic", secret: "s" } as unknown as typeof client;

/** As JavaScript would give it. */
function js(change: object): Partial<ResourceServerOptions<Account>> {
  return change;
}

function options(change: Partial<ResourceServerOptions<Account>> = {}): ResourceServerOptions<Account> {
  return {
    issuer: ISSUER,
    resources: { [MCP]: { scopes: { read: "Read" } } },
    customers: [{ id: "acme", issuers: [{ issuer: "https://idp.acme.example" }] }],
    clients: [client],
    resolveSubject: () => undefined,
    signingKey: key.privateJwk,
    record: () => undefined,
    ...change,
  };
}

test("good options make a server", () => {
  expect(createResourceServer(options()).resources).toEqual([MCP]);
});

const dev = { issuer: "http://127.0.0.1:8080", development: true };
test.each([
  ["http on loopback, for development", dev],
  ["http on localhost, for development", { ...dev, issuer: "http://localhost:8080" }],
  ["http on a name below localhost, for development", { ...dev, issuer: "http://ledger.localhost:8080" }],
])("%s", (_, change) => {
  expect(() => createResourceServer(options(change))).not.toThrow();
});

const twice = { id: "acme", issuers: [{ issuer: "https://i.example" }, { issuer: "https://i.example", tenant: "t" }] };
test.each<[string, Partial<ResourceServerOptions<Account>> | (() => Partial<ResourceServerOptions<Account>>), RegExp]>([
  ["an issuer that is no URL", { issuer: "ledger" }, /not a URL/],
  ["an issuer with a query", { issuer: `${ISSUER}?a` }, /query or a fragment/],
  ["an issuer with an empty fragment", { issuer: `${ISSUER}#` }, /query or a fragment/],
  ["http", { issuer: "http://ledger.example", development: true }, /not https/],
  ["http on loopback, not for development", { issuer: "http://127.0.0.1:1" }, /not https/],
  ["no resources", { resources: {} }, /resources is empty/],
  ["a resource with a fragment", { resources: { [`${MCP}#x`]: { scopes: {} } } }, /fragment/],
  [
    "two resources with one path",
    { resources: { [MCP]: { scopes: {} }, "https://books.example/mcp": { scopes: {} } } },
    /have one path/,
  ],
  [
    "a skew that is no number",
    { customers: [{ id: "acme", issuers: [{ issuer: "https://i.example", skew: Number.NaN }] }] },
    /skew of https:..i.example is not a number/,
  ],
  [
    "a longest lifetime below nothing",
    { customers: [{ id: "acme", issuers: [{ issuer: "https://i.example", maxLifetime: -1 }] }] },
    /maxLifetime of https:..i.example is not a number/,
  ],
  ["a scope with a space", { resources: { [MCP]: { scopes: { "a b": "" } } } }, /not a scope token: a b/],
  [
    "a default scope that is unknown",
    { resources: { [MCP]: { scopes: {}, defaultScopes: ["x"] } } },
    /does not have: x/,
  ],
  ["its own issuer among the trusted ones", { customers: [{ id: "x", issuers: [{ issuer: ISSUER }] }] }, /own issuer/],
  [
    "one issuer for two customers",
    { customers: [twice, { id: "b", issuers: [{ issuer: "https://i.example" }] }] },
    /same issuer/,
  ],
  ["a trusted issuer that is no URL", { customers: [{ id: "x", issuers: [{ issuer: "idp" }] }] }, /not a URL/],
  ["two clients of one id", { clients: [client, client] }, /same clientId: a/],
  [
    "a client with an empty secret",
    { clients: [{ ...client, clientSecret: "" }] },
    /no clientSecret, or an empty one: a/,
  ],
  ["a client with its secret under another name", { clients: [misnamed] }, /no clientSecret, or an empty one: a/],
  ["a client without id", { clients: [{ ...client, clientId: "" }] }, /no clientId/],
  [
    "a protected resource that introspects for an unknown resource",
    { clients: [{ ...client, introspects: [MCP, `${MCP}/`] }] },
    /introspects of a names an unknown resource/,
  ],
  ["a lifetime of nothing", { accessToken: { lifetime: 0 } }, /lifetime/],
  ["issuing without checking", { accessToken: { issue: () => "x" } }, /go together/],
  ["checking without issuing", { accessToken: { check: () => undefined } }, /go together/],
  ["a format of access tokens that is none", js({ accessToken: { format: "JWT" } }), /neither jwt nor opaque: JWT/],
  ["no resources at all", js({ resources: undefined }), /resources is empty/],
  ["scopes as a list", js({ resources: { [MCP]: { scopes: ["read"] } } }), /scopes of .*\/mcp is not an object/],
  ["a resource without scopes", js({ resources: { [MCP]: {} } }), /scopes of .*\/mcp is not an object/],
  ["no customers at all", js({ customers: undefined }), /customers is neither a list nor a look-up/],
  ["a customer without issuers", js({ customers: [{ id: "acme" }] }), /no list of issuers: acme/],
  [
    "accounts on the fly that nothing makes",
    { customers: [{ id: "acme", issuers: [{ issuer: "https://i.example", jit: true }] }] },
    /https:\/\/i.example has jit, and there is no provision/,
  ],
  ["no clients at all", js({ clients: undefined }), /clients is neither a list nor a look-up/],
  ["a client with its id under another name", js({ clients: [{ ...client, clientId: undefined }] }), /no clientId/],
  ["a client without a method", js({ clients: [{ ...client, method: undefined }] }), /method of a is not one of/],
  ["a client of an unknown method", js({ clients: [{ ...client, method: "basic" }] }), /method of a .*none: basic/],
  ["a client without its keys", js({ clients: [{ clientId: "a", method: "private_key_jwt" }] }), /no jwks.*: a$/],
  ["no look-up of people", js({ resolveSubject: undefined }), /resolveSubject is not a function/],
  ["no record", js({ record: undefined }), /record is not a function/],
  ["no signing key", js({ signingKey: undefined }), /signingKey is missing/],
  ["a signing key that is public", () => js({ signingKey: key.publicJwk }), /no private part/],
  [
    "a signing key with its public half beside it",
    () => js({ signingKey: { privateJwk: {} } }),
    /no kid: .*privateJwk/,
  ],
  ["a signer without its public key", () => ({ signingKey: key.signer }), /not among publicKeys/],
])("%s is refused at the start", (_, change, message) => {
  const all = options(typeof change === "function" ? change() : change);
  expect(() => createResourceServer(all)).toThrow(message);
  expect(() => createResourceServer(all)).toThrow(expect.objectContaining({ code: "configuration" }));
});

test("one issuer may serve two customers by tenant", () => {
  const customers = [twice, { id: "b", issuers: [{ issuer: "https://i.example", tenant: "u" }] }];
  expect(() => createResourceServer(options({ customers }))).not.toThrow();
});

test("a signer over a key that is kept elsewhere, with its public key", () => {
  const change = { signingKey: key.signer, publicKeys: [key.publicJwk] };
  expect(() => createResourceServer(options(change))).not.toThrow();
});
