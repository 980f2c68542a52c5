/** Token exchange requests and answers, member by member and at their bounds. */
import { describe, expect, test } from "vitest";
import { CredenceError } from "./errors.ts";
import { parseForm } from "./form.ts";
import type { Result } from "./result.ts";
import {
  authorizationDetailsOf,
  buildTokenExchangeAnswer,
  buildTokenExchangeRequest,
  JWT_TOKEN_TYPE,
  parseTokenExchangeAnswer,
  parseTokenExchangeRequest,
  TOKEN_EXCHANGE_GRANT,
  TOKEN_TYPES,
} from "./token-exchange.ts";

const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
const AUDIENCE = "https://ledger.example";

function formWith(parameters: readonly (readonly [string, string])[]) {
  const body = new URLSearchParams(parameters.map(([name, value]) => [name, value]));
  const form = parseForm(new TextEncoder().encode(body.toString()));
  if (!form.ok) throw new Error(form.refusal.reason);
  return form.value;
}

/** `good`, or the reason and its detail. */
function outcome(result: Result<unknown>): unknown {
  return result.ok ? "good" : [result.refusal.reason, result.refusal.detail];
}

const GOOD = {
  requested_token_type: ID_JAG,
  audience: AUDIENCE,
  subject_token: "t",
  subject_token_type: TOKEN_TYPES.idToken,
} as const;

/** Parses a good request with some parameters changed, or taken out of it. */
function parsed(change: Readonly<Record<string, string | undefined>> = {}) {
  const all = Object.entries({ ...GOOD, ...change });
  return parseTokenExchangeRequest(
    formWith(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
  );
}

test("the names are those of the registry", () => {
  expect(TOKEN_EXCHANGE_GRANT).toBe("urn:ietf:params:oauth:grant-type:token-exchange");
  expect(TOKEN_TYPES).toEqual({
    idToken: "urn:ietf:params:oauth:token-type:id_token",
    saml2: "urn:ietf:params:oauth:token-type:saml2",
    refreshToken: "urn:ietf:params:oauth:token-type:refresh_token",
  });
  expect(JWT_TOKEN_TYPE).toBe("urn:ietf:params:oauth:token-type:jwt");
});

describe("a token exchange request", () => {
  test("that names nothing else has nothing else", () => {
    expect(parsed()).toStrictEqual({
      ok: true,
      value: {
        audience: AUDIENCE,
        resource: [],
        scope: undefined,
        subjectToken: "t",
        subjectTokenType: TOKEN_TYPES.idToken,
      },
    });
  });

  test("has all that it names", () => {
    const all = {
      scope: "b a",
      resource: "urn:r",
      authorization_details: '[{"type":"account"}]',
      actor_token: "x",
      actor_token_type: JWT_TOKEN_TYPE,
    };
    expect(parsed(all)).toStrictEqual({
      ok: true,
      value: {
        audience: AUDIENCE,
        resource: ["urn:r"],
        scope: ["b", "a"],
        authorizationDetails: [{ type: "account" }],
        subjectToken: "t",
        subjectTokenType: TOKEN_TYPES.idToken,
        actor: { token: "x", type: JWT_TOKEN_TYPE },
      },
    });
  });

  test.each(Object.values(TOKEN_TYPES))("may have a subject token of type %s", (type) => {
    expect(parsed({ subject_token_type: type })).toMatchObject({ ok: true, value: { subjectTokenType: type } });
  });

  // Each line mends what the one before it was refused for; what comes later is wrong all the time.
  const mended: readonly (readonly [change: Readonly<Record<string, string | undefined>>, refusal: unknown])[] = [
    [{}, ["parameter-missing", "requested_token_type"]],
    [{ requested_token_type: `${ID_JAG}x` }, ["requested-token-type-unsupported", undefined]],
    [{ requested_token_type: ID_JAG }, ["parameter-missing", "audience"]],
    [{ audience: "x".repeat(2_049) }, ["parameter-malformed", "audience"]],
    [{ audience: "x".repeat(2_048) }, ["parameter-missing", "subject_token"]],
    [{ subject_token: "x".repeat(16_385) }, ["parameter-missing", "subject_token_type"]],
    [{ subject_token_type: JWT_TOKEN_TYPE }, ["subject-token-type-unsupported", undefined]],
    [{ subject_token_type: TOKEN_TYPES.saml2 }, ["subject-token-malformed", "too long"]],
    [{ subject_token: "x".repeat(16_384) }, ["actor-token-malformed", undefined]],
    [{ actor_token: "x".repeat(16_385) }, ["actor-token-malformed", undefined]],
    [{ actor_token: "x".repeat(16_384) }, ["authorization-details-malformed", expect.anything()]],
    [{ authorization_details: '[{"type":"a"}]' }, ["resource-malformed", undefined]],
    [{ resource: "urn:r" }, ["scope-malformed", "character"]],
    [{ scope: "a" }, "good"],
  ];
  const wrong = {
    requested_token_type: undefined,
    audience: undefined,
    subject_token: undefined,
    subject_token_type: undefined,
    actor_token_type: "x",
    authorization_details: "[]",
    resource: "r",
    scope: '"',
  };

  test.each(mended.map(([, refusal], step) => [step, refusal] as const))(
    "is refused for the first thing that is wrong, step %d: %j",
    (step, refusal) => {
      const changes = mended.slice(0, step + 1).map(([change]) => change);
      expect(outcome(parsed(Object.assign({}, wrong, ...changes)))).toEqual(refusal);
    },
  );

  test("for several audiences is refused, also where they are the same; an empty one does not count", () => {
    const twice = (other: string) =>
      parseTokenExchangeRequest(formWith([...Object.entries(GOOD), ["audience", other]]));
    expect(outcome(twice("https://other.example"))).toEqual(["audiences-several", undefined]);
    expect(outcome(twice(AUDIENCE))).toEqual(["audiences-several", undefined]);
    expect(outcome(twice(""))).toBe("good");
  });

  test("names an actor by token and type together, or not at all", () => {
    const refused = ["actor-token-malformed", undefined];
    expect(outcome(parsed({ actor_token: "x" }))).toEqual(refused);
    expect(outcome(parsed({ actor_token_type: "x" }))).toEqual(refused);
    expect(outcome(parsed({ actor_token: "x", actor_token_type: "" }))).toEqual(refused);
    expect(parsed({ actor_token: "", actor_token_type: "" })).toEqual(parsed());
  });
});

test("authorization details that are not named are none, and no refusal", () => {
  expect(authorizationDetailsOf(formWith([]))).toEqual({ ok: true, value: undefined });
  const details = '[{"type":"account"}]';
  expect(authorizationDetailsOf(formWith([["authorization_details", details]]))).toMatchObject({
    ok: true,
    value: [{ type: "account" }],
  });
});

describe("a token exchange request that is built", () => {
  const least = { audience: AUDIENCE, subjectToken: "t" };
  const always = [
    ["grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"],
    ["requested_token_type", ID_JAG],
    ["audience", AUDIENCE],
    ["subject_token", "t"],
    ["subject_token_type", "urn:ietf:params:oauth:token-type:id_token"],
  ];

  test("of the least that there must be has nothing more, and is for an ID token", () => {
    expect([...buildTokenExchangeRequest(least)]).toEqual(always);
    expect([...buildTokenExchangeRequest({ ...least, scope: "", resource: [] })]).toEqual(always);
  });

  test("has every parameter once, and each resource", () => {
    const form = buildTokenExchangeRequest({
      ...least,
      subjectTokenType: TOKEN_TYPES.saml2,
      resource: ["urn:b", "urn:a"],
      scope: "x y",
      authorizationDetails: [{ type: "account", actions: ["read"] }],
      actor: { token: "crawler", type: JWT_TOKEN_TYPE },
    });
    expect([...form]).toEqual([
      ...always.slice(0, 4),
      ["subject_token_type", "urn:ietf:params:oauth:token-type:saml2"],
      ["resource", "urn:b"],
      ["resource", "urn:a"],
      ["scope", "x y"],
      ["authorization_details", '[{"type":"account","actions":["read"]}]'],
      ["actor_token", "crawler"],
      ["actor_token_type", "urn:ietf:params:oauth:token-type:jwt"],
    ]);
    expect(buildTokenExchangeRequest({ ...least, resource: "urn:one" }).getAll("resource")).toEqual(["urn:one"]);
  });
});

describe("the answer that is built", () => {
  test("has no member for what was not granted: a scope has at least one token", () => {
    expect(buildTokenExchangeAnswer({ idJag: "j", expiresIn: 60, scope: [] })).toStrictEqual({
      issued_token_type: ID_JAG,
      access_token: "j",
      token_type: "N_A",
      expires_in: 60,
    });
  });

  test("says all that was granted", () => {
    const authorizationDetails = [{ type: "account" }];
    const resource = ["urn:b", "urn:a"];
    expect(
      buildTokenExchangeAnswer({ idJag: "j", expiresIn: 60, scope: ["b", "a"], resource, authorizationDetails }),
    ).toStrictEqual({
      issued_token_type: ID_JAG,
      access_token: "j",
      token_type: "N_A",
      expires_in: 60,
      scope: "b a",
      resource,
      authorization_details: authorizationDetails,
    });
  });
});

describe("the answer that a client reads", () => {
  const least = { issued_token_type: ID_JAG, access_token: "j", token_type: "N_A" };

  test("of an IdP that does not say how long the ID-JAG lives says 0", () => {
    expect(parseTokenExchangeAnswer(least)).toStrictEqual({ ...least, expires_in: 0 });
  });

  test("has what was granted and nothing that is no part of it", () => {
    const granted = {
      expires_in: 0.5,
      scope: "",
      resource: ["urn:b", "urn:a"],
      authorization_details: [{ type: "account" }],
    };
    const more = { refresh_token: "r", id_token: "i" };
    expect(parseTokenExchangeAnswer({ ...least, ...granted, ...more })).toStrictEqual({ ...least, ...granted });
    expect(parseTokenExchangeAnswer({ ...least, resource: "urn:r" }).resource).toBe("urn:r");
  });

  test.each(["N_A", "n_a", "N_a"])("may say %s, and is read as N_A", (token_type) => {
    expect(parseTokenExchangeAnswer({ ...least, token_type }).token_type).toBe("N_A");
  });

  test.each<[string, unknown, string]>([
    ["nothing", undefined, "issued_token_type"],
    ["null", null, "issued_token_type"],
    ["a text", "j", "issued_token_type"],
    ["a list of a good one", [least], "issued_token_type"],
    ["an error", { error: "access_denied" }, "issued_token_type"],
    ["a type in other letters", { ...least, issued_token_type: ID_JAG.toUpperCase() }, "issued_token_type"],
    ["no token", { ...least, access_token: undefined }, "access_token"],
    ["an empty token", { ...least, access_token: "" }, "access_token"],
    ["a token that is no text", { ...least, access_token: 1 }, "access_token"],
    ["no token type", { ...least, token_type: undefined }, "token_type"],
    ["a token type that is no text", { ...least, token_type: ["N_A"] }, "token_type"],
    ["an access token", { ...least, token_type: "Bearer" }, "token_type"],
    ["a lifetime below zero", { ...least, expires_in: -1 }, "expires_in"],
    ["a lifetime that is no number", { ...least, expires_in: null }, "expires_in"],
    ["a scope that is no text", { ...least, scope: 1 }, "scope"],
    ["a resource that is no text", { ...least, resource: 1 }, "resource"],
    ["a resource among others that is no text", { ...least, resource: ["urn:a", 1] }, "resource"],
    ["details that are no list", { ...least, authorization_details: {} }, "authorization_details"],
    ["details without a type", { ...least, authorization_details: [{}] }, "authorization_details"],
  ])("is refused when it is or has %s", (_, answer, member) => {
    const read = () => parseTokenExchangeAnswer(answer);
    expect(read).toThrow(CredenceError);
    expect(read).toThrow(
      expect.objectContaining({
        message: `The IdP's answer to the token exchange has no valid ${member}`,
        code: "response_invalid",
        reason: `token-exchange-answer-${member.replaceAll("_", "-")}`,
      }),
    );
  });
});
