/**
 * Hostile input at the doors that hand out tokens: the exchange of a real IdP, and the redemption of a real app. Always a
 * well-formed OAuth error with an id under which the exact reason is on record; never a fault, never a token. What a parser
 * alone decides has its tests beside the parser; here is what goes over the wire. Proofs: hostile-proofs.test.ts.
 */
import { JWT_BEARER_GRANT, JWT_DPOP_GRANT } from "@credence/protocol/jwt-bearer";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { basic, CLIENT, NOON } from "../packages/resource/src/house.testing.ts";
import { LEDGER, MCP } from "./exchange.testing.ts";
import { expectOAuthError } from "./hostile.testing.ts";
import { type Doors, expectReason, knock, openDoors } from "./hostile-doors.testing.ts";

let doors: Doors;
beforeAll(async () => {
  doors = await openDoors();
});
afterAll(() => doors[Symbol.asyncDispose]());

const TEN_THOUSAND = JSON.stringify(Array.from({ length: 10_000 }, () => ({ type: "a" })));

describe.each(["exchange", "redemption"] as const)("at the %s", (which) => {
  const door = () => doors[which];

  test("the request that all of these are made from is granted", async () => {
    expect((await knock(door(), {})).status).toBe(200);
  });

  describe("authorization details are refused", () => {
    const nest = (depth: number) => `[{"type":"account","x":${"[".repeat(depth)}${"]".repeat(depth)}}]`;
    test.each<[string, string]>([
      ["that are no JSON", "[{"],
      ["that are an object", '{"type":"account"}'],
      ["that are null", "null"],
      ["that are none", "[]"],
      ["without a type", '[{"actions":["read"]}]'],
      ["with a type that is an object", '[{"type":{"toString":"account"}}]'],
      ["with more members than any", JSON.stringify(Array.from({ length: 51 }, () => ({ type: "a" })))],
      ["ten levels deep", nest(9)],
      ["thousands of levels deep", "[".repeat(16_000)],
      ["with a prototype for a member", '[{"type":"account","__proto__":{"actions":["write"]}}]'],
      ["with a text without end", JSON.stringify([{ type: "account", note: "x".repeat(20_000) }])],
      ["with a type without end", JSON.stringify([{ type: "x".repeat(300) }])],
      ["with actions that are text", '[{"type":"account","actions":"read"}]'],
      ["with locations that are numbers", '[{"type":"account","locations":[1]}]'],
    ])("%s", async (_, details) => {
      const change = (form: URLSearchParams) => form.set("authorization_details", details);
      await expectReason(
        door(),
        knock(door(), { change }),
        "invalid_authorization_details",
        "authorization-details-malformed",
      );
    });

    test("of a type that nobody registered", async () => {
      const change = (form: URLSearchParams) => form.set("authorization_details", '[{"type":"constructor"}]');
      await expectReason(
        door(),
        knock(door(), { change }),
        "invalid_authorization_details",
        "authorization-details-unknown",
      );
    });
  });

  describe("a form is refused", () => {
    test.each<[string, (form: URLSearchParams) => string | Uint8Array, string, string]>([
      [
        "with several grant types",
        (form) => `${form}&grant_type=refresh_token`,
        "invalid_request",
        "parameter-doubled",
      ],
      [
        "with its grant type twice, once encoded",
        (form) => `${form}&grant%5Ftype=x`,
        "invalid_request",
        "parameter-doubled",
      ],
      [
        "with details twice",
        (form) => `${form}&authorization_details=[]&authorization_details=[]`,
        "invalid_request",
        "parameter-doubled",
      ],
      ["with a NUL byte", (form) => `${form}&scope=a%00b`, "invalid_request", "form-malformed"],
      ["with a NUL byte in a name", (form) => `${form}&a%00=b`, "invalid_request", "form-malformed"],
      [
        "that is not UTF-8",
        (form) => Buffer.concat([Buffer.from(`${form}&x=`), Buffer.from([0xc3, 0x28])]),
        "invalid_request",
        "form-malformed",
      ],
      ["that is not UTF-8 behind its encoding", (form) => `${form}&x=%ff%fe`, "invalid_request", "form-malformed"],
      ["with bad percent-encoding", (form) => `${form}&x=%zz`, "invalid_request", "form-malformed"],
      [
        "with a hundred resources",
        (form) => `${form}${"&resource=https%3A%2F%2Fa.example".repeat(100)}`,
        "invalid_request",
        "form-too-large",
      ],
      [
        "with ten thousand details",
        (form) => `${form}&authorization_details=${encodeURIComponent(TEN_THOUSAND)}`,
        "invalid_request",
        "form-too-large",
      ],
      ["of a megabyte", (form) => `${form}&x=${"x".repeat(1_000_000)}`, "invalid_request", "form-too-large"],
      [
        "with a scope of 101 tokens",
        (form) => `${form}&scope=${Array.from({ length: 101 }, (_, i) => `s${i}`).join("+")}`,
        "invalid_scope",
        "scope-malformed",
      ],
      ["with a scope in quotes", (form) => `${form}&scope=%22`, "invalid_scope", "scope-malformed"],
      [
        "with a resource that has a fragment",
        (form) => `${form}&resource=https%3A%2F%2Fa.example%23x`,
        "invalid_target",
        "resource-malformed",
      ],
      ["with a resource that is a path", (form) => `${form}&resource=%2Fmcp`, "invalid_target", "resource-malformed"],
      [
        "without grant type",
        (form) => String(form).replace(/grant_type=[^&]*&?/, ""),
        "invalid_request",
        "parameter-missing",
      ],
      [
        "with a grant type that only begins alike",
        (form) => String(form).replace(/(grant_type=[^&]*)/, "$1x"),
        "unsupported_grant_type",
        "grant-type-unsupported",
      ],
    ])("%s", async (_, make, error, reason) => {
      const form = await door().good();
      form.delete("scope");
      await expectReason(door(), knock(door(), { body: make(form) }), error, reason);
    });
  });

  test("a client that says its name twice, and differently, is not known by either", async () => {
    const change = (form: URLSearchParams) => {
      form.set("client_id", "crawler");
      form.set("client_secret", "x");
    };
    await expectReason(door(), knock(door(), { change }), "invalid_request", "client-auth-several");
  });

  test("two Authorization headers are none", async () => {
    const twice = [door().authorization, basic("crawler", "x")];
    const answer = knock(door(), { headers: { authorization: twice } });
    await expectReason(door(), answer, "invalid_client", "client-auth-malformed");
  });

  test("whatever parameters come in whatever order, the answer is an OAuth error and nothing is granted", async () => {
    const before = door().granted();
    const name = fc.constantFrom(
      "audience",
      "resource",
      "scope",
      "authorization_details",
      "actor_token",
      "actor_token_type",
      "subject_token",
      "subject_token_type",
      "requested_token_type",
      "assertion",
      "client_id",
      "client_secret",
      "client_assertion",
      "client_assertion_type",
      "tenant",
      "aud_tenant",
      "__proto__",
      "constructor",
      "",
    );
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.constantFrom(LEDGER, MCP, "null", "[]", "urn:ietf:params:oauth:token-type:id_token", "a.b.c", "e30.e30.e30"),
    );
    const grant = which === "exchange" ? TOKEN_EXCHANGE_GRANT : JWT_BEARER_GRANT;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 12 }), async (pairs) => {
        const body = new URLSearchParams([["grant_type", grant], ...pairs]).toString();
        expectOAuthError(await knock(door(), { body }));
        expect(door().last().reason).toBeTypeOf("string");
      }),
      { numRuns: 150 },
    );
    expect(door().granted()).toBe(before);
  });
});

describe("at the exchange alone", () => {
  const door = () => doors.exchange;
  const JWT = "urn:ietf:params:oauth:token-type:jwt";

  test.each<[string, (form: URLSearchParams) => void, string, string]>([
    [
      "an actor token without its type",
      (form) => form.set("actor_token", "a.b.c"),
      "invalid_request",
      "actor-token-malformed",
    ],
    [
      "an actor's type without the token",
      (form) => form.set("actor_token_type", JWT),
      "invalid_request",
      "actor-token-malformed",
    ],
    [
      "an actor token that is too long",
      (form) => {
        form.set("actor_token", "x".repeat(20_000));
        form.set("actor_token_type", JWT);
      },
      "invalid_request",
      "actor-token-malformed",
    ],
    [
      "an actor token that is none",
      (form) => {
        form.set("actor_token", "x");
        form.set("actor_token_type", JWT);
      },
      "invalid_request",
      "actor-token-malformed",
    ],
    [
      "an ID token for an actor",
      (form) => {
        form.set("actor_token", doors.idToken);
        form.set("actor_token_type", JWT);
      },
      "invalid_request",
      "actor-token-invalid",
    ],
    [
      "an actor token of another type",
      (form) => {
        form.set("actor_token", "x");
        form.set("actor_token_type", "urn:ietf:params:oauth:token-type:access_token");
      },
      "invalid_request",
      "actor-token-unsupported",
    ],
    ["two audiences", (form) => form.append("audience", "https://wiki.example"), "invalid_target", "audiences-several"],
    ["the same audience twice", (form) => form.append("audience", LEDGER), "invalid_target", "audiences-several"],
    [
      "an audience without end",
      (form) => form.set("audience", `https://${"a".repeat(3_000)}`),
      "invalid_request",
      "parameter-malformed",
    ],
    [
      "an app's audience with a slash",
      (form) => form.set("audience", `${LEDGER}/`),
      "invalid_target",
      "audience-unknown",
    ],
    [
      "fifty resources",
      (form) => {
        for (let i = 0; i < 50; i++) form.append("resource", `${MCP}/${i}`);
      },
      "invalid_target",
      "resource-unknown",
    ],
    [
      "another app's resource beside ours",
      (form) => form.append("resource", "https://wiki.example/api"),
      "invalid_target",
      "resource-unknown",
    ],
    [
      "a subject token that is too long",
      (form) => form.set("subject_token", "x".repeat(20_000)),
      "invalid_grant",
      "subject-token-malformed",
    ],
    [
      "a subject token of an unknown type",
      (form) => form.set("subject_token_type", "__proto__"),
      "invalid_request",
      "subject-token-type-unsupported",
    ],
    [
      "another token than an ID-JAG asked for",
      (form) => form.set("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
      "invalid_request",
      "requested-token-type-unsupported",
    ],
    [
      "the scopes of a prototype",
      (form) => form.set("scope", "constructor __proto__ toString"),
      "invalid_scope",
      "scope-unknown",
    ],
  ])("%s", async (_, change, error, reason) => {
    await expectReason(door(), knock(door(), { change }), error, reason);
  });

  test("a tenant in the request selects nothing: the ID-JAG has what the directory says", async () => {
    const change = (form: URLSearchParams) => {
      for (const name of ["tenant", "aud_tenant", "aud_sub", "sub_id", "sub", "cnf", "act"]) form.set(name, "evil");
    };
    const answer = await knock(door(), { change });
    expect(answer.status).toBe(200);
    const [, payload = ""] = String(JSON.parse(answer.text).access_token).split(".");
    const claims = Buffer.from(payload, "base64url").toString();
    expect(claims).toContain('"sub":"alice"');
    expect(claims).not.toContain("evil");
  });

  test("headers beyond all measure are refused before anybody reads them", async () => {
    expect((await knock(door(), { headers: { dpop: "x".repeat(20_000) } })).status).toBe(431);
  });
});

describe("at the redemption alone", () => {
  const door = () => doors.redemption;
  const print = "a".repeat(43);

  test.each<[string, Record<string, unknown>, string, string]>([
    ["a binding to nothing", { cnf: {} }, "invalid_grant", "id-jag-claim"],
    [
      "a binding to a key and a certificate",
      { cnf: { jkt: print, "x5t#S256": print } },
      "invalid_grant",
      "id-jag-claim",
    ],
    ["a binding that nobody here knows", { cnf: { kid: "x" } }, "invalid_grant", "id-jag-claim"],
    ["a binding without its proof", { cnf: { jkt: print } }, "invalid_grant", "id-jag-bound"],
    ["details that are no list", { authorization_details: {} }, "invalid_grant", "id-jag-claim"],
    [
      "details of an unknown type",
      { authorization_details: [{ type: "account" }] },
      "invalid_authorization_details",
      "authorization-details-unknown",
    ],
    ["a tenant that is a list", { tenant: ["acme"] }, "invalid_grant", "id-jag-claim"],
    ["a tenant that the issuer does not have", { tenant: "other" }, "invalid_grant", "id-jag-issuer"],
    ["another customer's tenant here", { aud_tenant: "other" }, "invalid_grant", "id-jag-tenant"],
    ["two audiences", { aud: ["a", "b"] }, "invalid_grant", "id-jag-audience"],
    ["a client id that is a list", { client_id: [CLIENT.clientId] }, "invalid_grant", "id-jag-claim"],
    ["a subject that is an object", { sub: { id: "alice" } }, "invalid_grant", "id-jag-claim"],
    ["a scope that is a list", { scope: ["ledger.read"] }, "invalid_grant", "id-jag-claim"],
    ["an expiry that is text", { exp: "tomorrow" }, "invalid_grant", "id-jag-claim"],
    ["a clock five minutes ahead", { iat: NOON + 300, exp: NOON + 600 }, "invalid_grant", "id-jag-not-yet-valid"],
    ["a clock five minutes behind", { iat: NOON - 600, exp: NOON - 300 }, "invalid_grant", "id-jag-expired"],
  ])("an ID-JAG with %s", async (_, claims, error, reason) => {
    const assertion = await doors.app.idJag(claims);
    await expectReason(door(), knock(door(), { change: (form) => form.set("assertion", assertion) }), error, reason);
  });

  test("an ID-JAG that is longer than any", async () => {
    const change = (form: URLSearchParams) => form.set("assertion", "x".repeat(20_000));
    await expectReason(door(), knock(door(), { change }), "invalid_grant", "id-jag-malformed");
  });

  test("the DPoP grant without a proof", async () => {
    const change = (form: URLSearchParams) => form.set("grant_type", JWT_DPOP_GRANT);
    await expectReason(door(), knock(door(), { change }), "invalid_grant", "id-jag-unbound");
  });

  test("a public client's request with somebody else's ID-JAG", async () => {
    const change = (form: URLSearchParams) => form.set("client_id", "desktop");
    const answer = knock(door(), { change, headers: { authorization: [] } });
    await expectReason(door(), answer, "unauthorized_client", "client-public");
  });
});
