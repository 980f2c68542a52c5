/** The claims of an ID-JAG at their bounds, and which of them the record names. */
import { beforeAll, describe, expect, test } from "vitest";
import { checkIdJagClaims, decodeIdJag, ID_JAG_TYP, type IdJagExpectations } from "./id-jag.ts";
import { generateSigningKey, importSigner, type Signer, signJwt } from "./jws.ts";

const NOW = 1_800_000_000;
const claims = {
  iss: "https://idp.acme.example",
  sub: "alice",
  aud: "https://ledger.example",
  client_id: "ledger-assistant",
  jti: "one",
  iat: NOW,
  exp: NOW + 300,
};
const expected: IdJagExpectations = {
  issuer: claims.iss,
  audience: claims.aud,
  clientId: claims.client_id,
  algorithms: ["ES256"],
  skew: 30,
  maxLifetime: 600,
};
let signer: Signer;
beforeAll(async () => {
  signer = await importSigner((await generateSigningKey("ES256")).privateJwk);
});

/** Reads the claims and checks them: `good`, or the reason and its detail. */
async function outcome(change: object): Promise<unknown> {
  const decoded = decodeIdJag(await signJwt(ID_JAG_TYP, { ...claims, ...change }, signer));
  const checked = decoded.ok ? checkIdJagClaims(decoded.value.claims, expected, NOW) : decoded;
  return checked.ok ? "good" : [checked.refusal.reason, checked.refusal.detail];
}

describe("the times of an ID-JAG", () => {
  test.each<[string, object, unknown]>([
    ["iat in 30 seconds", { iat: NOW + 30 }, "good"],
    ["iat in 31 seconds", { iat: NOW + 31 }, ["id-jag-not-yet-valid", "iat: the clocks differ"]],
    ["nbf in the past", { nbf: NOW - 300 }, "good"],
    ["nbf in 30 seconds", { nbf: NOW + 30 }, "good"],
    ["nbf in 31 seconds", { nbf: NOW + 31 }, ["id-jag-not-yet-valid", "nbf: the clocks differ"]],
    ["exp 29 seconds ago", { iat: NOW - 300, exp: NOW - 29 }, "good"],
    ["exp 30 seconds ago", { exp: NOW - 30 }, ["id-jag-expired", "exp: it is old, or the clocks differ"]],
    ["a life of 600 seconds", { exp: NOW + 600 }, "good"],
    ["a life of 601 seconds", { exp: NOW + 601 }, ["id-jag-lifetime", undefined]],
    ["auth_time at the beginning of time", { auth_time: 0 }, "good"],
  ])("%s", async (_, change, what) => {
    expect(await outcome(change)).toEqual(what);
  });
});

describe("a claim of the wrong form is refused, and named", () => {
  test.each<[string, unknown]>([
    ["iss", 1],
    ["sub", "x".repeat(2_049)],
    ["client_id", ""],
    ["jti", null],
    ["scope", 1],
    ["tenant", ""],
    ["aud_tenant", {}],
    ["aud_sub", []],
    ["acr", 2],
    ["email", true],
    ["exp", "soon"],
    ["iat", -1],
    ["nbf", "later"],
    ["auth_time", -1],
    ["act", "agent"],
    ["sub_id", ["a"]],
    ["cnf", { jkt: "short" }],
    ["amr", "pwd"],
    ["amr", ["pwd", 1]],
    ["resource", 1],
    ["resource", []],
    ["resource", ["https://ledger.example", 1]],
    ["authorization_details", [{}]],
  ])("%s: %j", async (name, value) => {
    expect(await outcome({ [name]: value })).toEqual(["id-jag-claim", name]);
  });

  test("an audience that is not exactly one", async () => {
    for (const aud of [undefined, "", [], [claims.aud, "https://other.example"], 1]) {
      expect(await outcome({ aud })).toEqual(["id-jag-audience", "not exactly one"]);
    }
  });
});

test("a claim of the right form is none to refuse, up to 2,048 characters", async () => {
  const print = "a".repeat(43);
  const all = {
    sub: "x".repeat(2_048),
    ...{ scope: "a b", tenant: "t", aud_tenant: "u", aud_sub: "s", acr: "phr", email: "a@b.example" },
    ...{ nbf: NOW, auth_time: NOW, act: { sub: "agent" }, sub_id: { format: "email" }, cnf: { jkt: print } },
    ...{ amr: ["pwd"], resource: ["https://ledger.example"], authorization_details: [{ type: "account" }] },
  };
  expect(await outcome(all)).toBe("good");
});
