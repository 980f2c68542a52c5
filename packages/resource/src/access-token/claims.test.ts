import { describe, expect, test } from "vitest";
import { NOON } from "../house.testing.ts";
import { type AccessTokenClaims, parseAccessTokenClaims, rootOf, scopesOf } from "./claims.ts";

const root = { iss: "https://idp.example", jti: "id-jag-1", iat: NOON, sub: "alice" };
const claims = {
  iss: "https://ledger.example",
  aud: "https://ledger.example/mcp",
  sub: "acme/alice",
  client_id: "assistant",
  jti: "token-1",
  iat: NOON,
  exp: NOON + 300,
  customer: "acme",
  root,
} satisfies AccessTokenClaims;

const everything = {
  ...claims,
  scope: "ledger.read ledger.write",
  root: { ...root, tenant: "t1", auth_time: NOON - 60 },
  cnf: { jkt: "x".repeat(43) },
  authorization_details: [{ type: "account", actions: ["read"] }],
  acr: "phr",
  auth_time: NOON - 60,
  act: { sub: "agent-7" },
} satisfies AccessTokenClaims;

describe("the root of a grant", () => {
  const idJag = { ...root, aud: "https://ledger.example", client_id: "assistant", exp: NOON + 300 };

  test("names the ID-JAG and its person, and nothing that the ID-JAG does not say", () => {
    expect(rootOf({ ...idJag, scope: "ledger.read" })).toStrictEqual(root);
  });

  test("has the issuer's tenant, and when the person authenticated, where the ID-JAG does", () => {
    const more = { tenant: "t1", auth_time: NOON - 60 };
    expect(rootOf({ ...idJag, ...more })).toStrictEqual({ ...root, ...more });
  });
});

test.each([
  ["none, where there is no claim", undefined, []],
  ["none, of an empty claim", "", []],
  ["each, however many spaces divide them", " ledger.read  ledger.write ", ["ledger.read", "ledger.write"]],
])("the scopes of an access token are %s", (_, scope, scopes) => {
  expect(scopesOf({ ...claims, ...(scope === undefined ? {} : { scope }) })).toEqual(scopes);
});

describe("the claims of an access token", () => {
  test("are taken as they are, with what may be there and without it", () => {
    expect(parseAccessTokenClaims(claims)).toBe(claims);
    expect(parseAccessTokenClaims(everything)).toBe(everything);
  });

  test.each(["iss", "aud", "sub", "client_id", "jti", "customer"])(
    "are none without %s, or where it is no text",
    (name) => {
      for (const value of [undefined, "", 7, ["x"]])
        expect(parseAccessTokenClaims({ ...claims, [name]: value })).toBe(name);
    },
  );

  test.each(["iat", "exp"])("are none without %s, or where it is no time", (name) => {
    for (const value of [undefined, String(NOON), Number.NaN, Number.POSITIVE_INFINITY])
      expect(parseAccessTokenClaims({ ...claims, [name]: value })).toBe(name);
  });

  test.each<[string, unknown]>([
    ["is missing", undefined],
    ["is a text", "id-jag-1"],
    ["has no iss", { ...root, iss: undefined }],
    ["has no jti", { ...root, jti: undefined }],
    ["has an empty sub", { ...root, sub: "" }],
    ["has no iat", { ...root, iat: undefined }],
    ["has a tenant that is no text", { ...root, tenant: 7 }],
    ["has an empty tenant", { ...root, tenant: "" }],
    ["has an auth_time that is no time", { ...root, auth_time: String(NOON) }],
  ])("are none where the root %s", (_, value) => {
    expect(parseAccessTokenClaims({ ...claims, root: value })).toBe("root");
  });

  test.each<[string, unknown]>([
    ["scope", ["ledger.read"]],
    ["cnf", {}],
    ["cnf", { jkt: 7 }],
    ["authorization_details", "account"],
    ["authorization_details", [{ actions: ["read"] }]],
    ["acr", ""],
    ["acr", ["phr"]],
    ["auth_time", String(NOON)],
    ["act", "agent-7"],
  ])("are none where %s is malformed: %j", (name, value) => {
    expect(parseAccessTokenClaims({ ...everything, [name]: value })).toBe(name);
  });
});
