import { describe, expect, test } from "vitest";
import { parseForm } from "./form.ts";
import { ID_JAG_TOKEN_TYPE } from "./id-jag.ts";
import { buildJwtBearerRequest, parseAccessTokenAnswer, parseJwtBearerRequest } from "./jwt-bearer.ts";
import { errorAnswer, refuse } from "./result.ts";
import {
  buildTokenExchangeAnswer,
  buildTokenExchangeRequest,
  parseTokenExchangeAnswer,
  parseTokenExchangeRequest,
  TOKEN_TYPES,
} from "./token-exchange.ts";

const form = (body: URLSearchParams) => {
  const parsed = parseForm(new TextEncoder().encode(body.toString()));
  if (!parsed.ok) throw new Error(parsed.refusal.reason);
  return parsed.value;
};
const asked = {
  audience: "https://ledger.example",
  resource: "https://ledger.example/mcp",
  scope: "a b a",
  subjectToken: "t",
};

describe("a token exchange request", () => {
  test("that is built is read back", () => {
    expect(parseTokenExchangeRequest(form(buildTokenExchangeRequest(asked)))).toEqual({
      ok: true,
      value: {
        audience: asked.audience,
        resource: [asked.resource],
        scope: ["a", "b"],
        subjectToken: "t",
        subjectTokenType: TOKEN_TYPES.idToken,
      },
    });
  });

  test.each<[string, (body: URLSearchParams) => void, string]>([
    ["no requested_token_type", (body) => body.delete("requested_token_type"), "parameter-missing"],
    [
      "an access token requested",
      (body) => body.set("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
      "requested-token-type-unsupported",
    ],
    ["no audience", (body) => body.delete("audience"), "parameter-missing"],
    ["two audiences", (body) => body.append("audience", "x"), "audiences-several"],
    ["an audience that is too long", (body) => body.set("audience", "x".repeat(2_049)), "parameter-malformed"],
    ["no subject_token", (body) => body.set("subject_token", ""), "parameter-missing"],
    ["no subject_token_type", (body) => body.delete("subject_token_type"), "parameter-missing"],
    [
      "an access token as subject",
      (body) => body.set("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
      "subject-token-type-unsupported",
    ],
    [
      "an ID-JAG as subject type",
      (body) => body.set("subject_token_type", ID_JAG_TOKEN_TYPE),
      "subject-token-type-unsupported",
    ],
    [
      "a subject token that is too long",
      (body) => body.set("subject_token", "x".repeat(16_385)),
      "subject-token-malformed",
    ],
    ["an actor token without its type", (body) => body.set("actor_token", "x"), "actor-token-malformed"],
    ["an actor token's type alone", (body) => body.set("actor_token_type", "x"), "actor-token-malformed"],
    [
      "no authorization details in the list",
      (body) => body.set("authorization_details", "[]"),
      "authorization-details-malformed",
    ],
    ["a scope with a quote", (body) => body.set("scope", 'a"b'), "scope-malformed"],
    [
      "a hundred and one scopes",
      (body) => body.set("scope", Array.from({ length: 101 }, (_, i) => `s${i}`).join(" ")),
      "scope-malformed",
    ],
    ["a relative resource", (body) => body.set("resource", "/mcp"), "resource-malformed"],
    ["a resource with a fragment", (body) => body.set("resource", "https://a.example/#x"), "resource-malformed"],
  ])("with %s is refused", (_, change, reason) => {
    const body = buildTokenExchangeRequest(asked);
    change(body);
    const parsed = parseTokenExchangeRequest(form(body));
    expect(parsed.ok ? "ok" : parsed.refusal.reason).toBe(reason);
  });
});

describe("the answer to a token exchange", () => {
  const answer = buildTokenExchangeAnswer({
    idJag: "j",
    expiresIn: 300,
    scope: ["a", "b"],
    resource: "https://a.example",
  });

  test("always says what was granted", () => {
    expect(answer).toEqual({
      issued_token_type: ID_JAG_TOKEN_TYPE,
      access_token: "j",
      token_type: "N_A",
      expires_in: 300,
      scope: "a b",
      resource: "https://a.example",
    });
    expect(parseTokenExchangeAnswer(answer)).toMatchObject({ access_token: "j", expires_in: 300, scope: "a b" });
  });

  test.each<[string, object, string]>([
    [
      "another token type",
      { issued_token_type: "urn:ietf:params:oauth:token-type:access_token" },
      "token-exchange-answer-issued-token-type",
    ],
    ["no token", { access_token: "" }, "token-exchange-answer-access-token"],
    ["a Bearer token", { token_type: "Bearer" }, "token-exchange-answer-token-type"],
    ["a lifetime as text", { expires_in: "300" }, "token-exchange-answer-expires-in"],
    ["a scope as list", { scope: ["a"] }, "token-exchange-answer-scope"],
  ])("with %s is refused by the client", (_, change, reason) => {
    expect(() => parseTokenExchangeAnswer({ ...answer, ...change })).toThrow(
      expect.objectContaining({ code: "response_invalid", reason }),
    );
  });

  test("may say n_a in any case", () => {
    expect(parseTokenExchangeAnswer({ ...answer, token_type: "n_a" }).token_type).toBe("N_A");
  });
});

describe("a redemption", () => {
  test("that is built is read back", () => {
    const built = buildJwtBearerRequest({ assertion: "j", scope: "a", resource: "https://a.example" });
    expect(parseJwtBearerRequest(form(built))).toEqual({
      ok: true,
      value: { assertion: "j", scope: ["a"], resource: ["https://a.example"] },
    });
  });

  test.each([
    [{}, "parameter-missing"],
    [{ assertion: "x".repeat(16_385) }, "id-jag-malformed"],
    [{ assertion: "j", scope: "\\" }, "scope-malformed"],
    [{ assertion: "j", resource: "x" }, "resource-malformed"],
  ])("%j is refused: %s", (body, reason) => {
    const parsed = parseJwtBearerRequest(form(new URLSearchParams(body as Record<string, string>)));
    expect(parsed.ok ? "ok" : parsed.refusal.reason).toBe(reason);
  });

  test.each([
    [null, "access-token-answer-access-token"],
    [{ access_token: "t" }, "access-token-answer-token-type"],
    [{ access_token: "t", token_type: "Bearer", expires_in: -1 }, "access-token-answer-expires-in"],
    [{ access_token: "t", token_type: "Bearer", scope: 1 }, "access-token-answer-scope"],
    [{ access_token: "t", token_type: "Bearer", resource: [1] }, "access-token-answer-resource"],
  ])("answered by %j is refused by the client", (value, reason) => {
    expect(() => parseAccessTokenAnswer(value)).toThrow(expect.objectContaining({ reason }));
  });
});

describe("a refusal on the wire", () => {
  test("has the table's error, its generic sentence and the decision id, and nothing of the reason", () => {
    const { status, body } = errorAnswer({ ...refuse("person-not-covered", "alice is not in finance").refusal }, "d1");
    expect(status).toBe(400);
    expect(body).toEqual({
      error: "access_denied",
      error_description: "The organization's policy does not permit this request. (decision d1)",
      decision_id: "d1",
    });
  });

  test("carries what a step-up needs, and another error where a peer knows no other", () => {
    expect(errorAnswer(refuse("sign-in-too-old", undefined, { max_age: 60 }).refusal).body).toMatchObject({
      error: "insufficient_user_authentication",
      max_age: 60,
    });
    expect(errorAnswer({ reason: "no-connection", error: "invalid_grant" }).body.error).toBe("invalid_grant");
    expect(errorAnswer({ reason: "client-unknown" }).status).toBe(401);
    expect(errorAnswer({ reason: "store-unavailable" }).status).toBe(503);
  });

  test.each([
    [
      "when to try again, where that is known",
      { reason: "requests-too-many", retryAfter: 7 },
      429,
      { "retry-after": "7" },
    ],
    ["when to try again, by and large", { reason: "store-unavailable" }, 503, { "retry-after": "5" }],
    ["the method that is wanted", { reason: "method-wrong" }, 405, { allow: "POST" }],
    ["nothing else", { reason: "scope-unknown" }, 400, {}],
  ] as const)("its headers say %s", (_, refusal, status, headers) => {
    expect(errorAnswer(refusal)).toMatchObject({ status, headers });
    expect(Object.keys(errorAnswer(refusal).headers)).toEqual(Object.keys(headers));
  });
});
