import { CredenceError } from "@credence/protocol";
import { describe, expect, it } from "vitest";
import { errorOfAnswer, errorOfBody, placeError } from "./errors.ts";

const where = { leg: "exchange", party: "https://idp.example" } as const;

describe("an error answer", () => {
  it("becomes an error that says which leg, which party, what, and what to do", () => {
    const body = { error: "access_denied", error_description: "The policy says no.", decision_id: "d-1" };
    const error = errorOfBody(body, 400, where);
    expect(error.message).toBe(
      "The token exchange was refused by https://idp.example: access_denied (The policy says no). " +
        "The organization's policy decides this: ask its IT admin. It is on record there as decision d-1.",
    );
    expect(error).toBeInstanceOf(CredenceError);
  });

  it("that is a denial says once that policy decides, and holds leg, party and decision, but no rule", () => {
    const body = {
      error: "access_denied",
      error_description: "The organization's policy does not permit this request. Decision d-1.",
      decision_id: "d-1",
    };
    const error = errorOfBody(body, 400, where);
    expect(error.message).toBe(
      "The token exchange was refused by https://idp.example: access_denied. " +
        "The organization's policy decides this: ask its IT admin. It is on record there as decision d-1.",
    );
    // The rule that decided is on the IdP's record: it would tell a stranger how the organization is made.
    expect({ ...error }).toEqual({
      name: "AgentError",
      code: "access_denied",
      reason: undefined,
      status: 400,
      decisionId: "d-1",
      leg: "exchange",
      party: "https://idp.example",
      retry: "never",
      retryAfter: undefined,
      maxAge: undefined,
      acrValues: undefined,
      scope: undefined,
    });
  });

  it("repeats neither a token nor a control character of what the other side says", () => {
    const token = `eyJhbGciOiJFUzI1NiJ9.${"a".repeat(80)}.${"b".repeat(80)}`;
    const body = { error: "invalid_grant", error_description: `bad \u001b[31m${token}\nnext` };
    const { message } = errorOfBody(body, 400, where);
    expect(message).not.toContain("eyJ");
    expect(message).not.toMatch(/[^\x20-\x7e…]/);
  });

  it.each([
    ["<html>", 500, "response_invalid", undefined],
    ["", 503, "temporarily_unavailable", undefined],
    ["[]", 429, "slow_down", undefined],
    [`{"error":"unsupported_token_type"}`, 400, "response_invalid", "error-unsupported-token-type"],
    [`{"error":"<script>"}`, 400, "response_invalid", undefined],
    [`{"error":"toString"}`, 400, "response_invalid", undefined],
  ])("of %s with status %i is %s", (text, status, code, reason) => {
    const error = errorOfAnswer({ status, headers: new Headers(), text }, where);
    expect(error).toMatchObject({ code, reason, status });
  });

  it("to a client that nobody knows does not say that it is on record: such requests are counted there", () => {
    const { message } = errorOfBody({ error: "invalid_client", decision_id: "d-1" }, 401, where);
    expect(message).toContain("Its decision id there is d-1.");
    expect(message).not.toContain("on record");
  });

  it("is bounded", () => {
    const body = { error: "invalid_grant", error_description: "word ".repeat(10_000) };
    expect(errorOfBody(body, 400, where).message.length).toBeLessThan(600);
  });
});

it("a failure from below gets its leg and party, and keeps what it knew", () => {
  const cause = new CredenceError("too big", { code: "fetch_refused", reason: "too-large", status: 200 });
  const error = placeError(cause, where);
  expect(error).toMatchObject({ code: "fetch_refused", reason: "too-large", status: 200, ...where, cause });
  expect(placeError(error, { leg: "call", party: "x" })).toBe(error);
});
