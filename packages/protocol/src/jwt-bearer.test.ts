import { describe, expect, test } from "vitest";
import { parseForm } from "./form.ts";
import {
  buildJwtBearerRequest,
  JWT_BEARER_GRANT,
  parseAccessTokenAnswer,
  parseJwtBearerRequest,
} from "./jwt-bearer.ts";

const DETAILS = [{ type: "account", actions: ["read"] }];

function parsed(form: URLSearchParams) {
  const read = parseForm(new TextEncoder().encode(form.toString()));
  return read.ok ? parseJwtBearerRequest(read.value) : read;
}

const form = (more: Record<string, string> = {}) =>
  new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: "a.b.c", ...more });

describe("a redemption", () => {
  test("is read as it was built: scope, resource and details", () => {
    const built = buildJwtBearerRequest({
      assertion: "a.b.c",
      scope: "read write",
      resource: "https://ledger.example/mcp",
      authorizationDetails: DETAILS,
    });
    expect(parsed(built)).toEqual({
      ok: true,
      value: {
        assertion: "a.b.c",
        scope: ["read", "write"],
        resource: ["https://ledger.example/mcp"],
        authorizationDetails: DETAILS,
      },
    });
  });

  test("that names nothing narrows nothing", () => {
    expect(parsed(buildJwtBearerRequest({ assertion: "a.b.c" }))).toEqual({
      ok: true,
      value: { assertion: "a.b.c", scope: undefined, resource: [] },
    });
  });

  test.each<[string, URLSearchParams, string]>([
    ["without an assertion", new URLSearchParams({ grant_type: JWT_BEARER_GRANT }), "parameter-missing"],
    ["with an empty assertion", form({ assertion: "" }), "parameter-missing"],
    ["with an assertion without end", form({ assertion: "x".repeat(20_000) }), "id-jag-malformed"],
    ["with a scope in quotes", form({ scope: '"' }), "scope-malformed"],
    ["with a resource that is a path", form({ resource: "/mcp" }), "resource-malformed"],
    ["with details that are an object", form({ authorization_details: "{}" }), "authorization-details-malformed"],
    ["with details that are none", form({ authorization_details: "[]" }), "authorization-details-malformed"],
    ["with details without a type", form({ authorization_details: "[{}]" }), "authorization-details-malformed"],
  ])("%s is refused", (_, sent, reason) => {
    expect(parsed(sent)).toMatchObject({ ok: false, refusal: { reason } });
  });
});

describe("an access token's answer", () => {
  const answer = { access_token: "t", token_type: "Bearer" };

  test("is read with what was granted", () => {
    const granted = { expires_in: 60, scope: "read", resource: ["https://a.example"], authorization_details: DETAILS };
    expect(parseAccessTokenAnswer({ ...answer, ...granted, refresh_token: "r" })).toEqual({ ...answer, ...granted });
  });

  test.each<[string, object | string | null, string]>([
    ["that is null", null, "access-token"],
    ["that is text", "t", "access-token"],
    ["without a token", { token_type: "Bearer" }, "access-token"],
    ["with an empty token", { ...answer, access_token: "" }, "access-token"],
    ["without a type", { access_token: "t" }, "token-type"],
    ["with a type that is a list", { ...answer, token_type: ["DPoP"] }, "token-type"],
    ["with an expiry that is text", { ...answer, expires_in: "60" }, "expires-in"],
    ["with an expiry before now", { ...answer, expires_in: -1 }, "expires-in"],
    ["with a scope that is a list", { ...answer, scope: ["read"] }, "scope"],
    ["with a resource that is an object", { ...answer, resource: {} }, "resource"],
    ["with a resource that is a list of numbers", { ...answer, resource: [1] }, "resource"],
    ["with details that are text", { ...answer, authorization_details: "[]" }, "authorization-details"],
    ["with details without a type", { ...answer, authorization_details: [{}] }, "authorization-details"],
  ])("%s is not used", (_, value, member) => {
    expect(() => parseAccessTokenAnswer(value)).toThrow(
      expect.objectContaining({ code: "response_invalid", reason: `access-token-answer-${member}` }),
    );
  });
});
