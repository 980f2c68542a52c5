import { describe, expect, test } from "vitest";
import { newCertificate } from "../../../test/certificates.testing.ts";
import { type ProviderError, readCertificate, refusalError, refusedBefore, writeRefusal } from "./oidc-provider.ts";

const GRANT = "urn:example:grant";

/** A context as far as it is written to. */
function context() {
  const headers = new Map<string, string>();
  return {
    status: 200,
    body: undefined as unknown,
    headers,
    set: (name: string, value: string) => headers.set(name, value),
  };
}

describe("a refusal told through oidc-provider", () => {
  test("is an error of its kind, with our reason for its listeners alone", () => {
    const error = refusalError(context(), { reason: "scope-unknown" }, "decision-1");
    expect({ ...error, name: error.name, message: error.message }).toEqual({
      name: "OIDCProviderError",
      message: "invalid_scope",
      error: "invalid_scope",
      error_description: expect.stringContaining("decision-1"),
      error_detail: "scope-unknown",
      status: 400,
      statusCode: 400,
      expose: true,
      allow_redirect: false,
    });
    expect(error.error_description).not.toContain("scope-unknown");
  });

  test("keeps what is our own fault to itself", () => {
    const error = refusalError(context(), { reason: "store-unavailable" }, "decision-1");
    expect(error).toMatchObject({ status: 503, expose: false });
    // 500 is a fault already.
    expect(refusalError(context(), { reason: "internal-fault" }, "decision-1")).toMatchObject({ expose: false });
  });

  test("is written over its answer, with all members and headers", () => {
    const ctx = context();
    refusalError(ctx, { reason: "auth-time-missing", wire: { max_age: 60 } }, "decision-1");
    expect(writeRefusal(ctx)).toBe(true);
    expect(ctx).toMatchObject({ status: 400, body: { error: "insufficient_user_authentication", max_age: 60 } });
    const unavailable = context();
    refusalError(unavailable, { reason: "store-unavailable" }, "decision-1");
    writeRefusal(unavailable);
    expect([
      unavailable.status,
      unavailable.headers.get("Retry-After") ?? unavailable.headers.get("retry-after"),
    ]).toEqual([503, "5"]);
  });

  test("is not written where none of ours was thrown", () => {
    const ctx = context();
    refusalError(context(), { reason: "scope-unknown" }, "decision-1");
    expect(writeRefusal(ctx)).toBe(false);
    expect([ctx.status, ctx.body, ctx.headers.size]).toEqual([200, undefined, 0]);
  });
});

describe("what oidc-provider refused before the grant was asked", () => {
  const thrown = (members: Partial<ProviderError>): ProviderError =>
    Object.assign(new Error("refused"), { error: "invalid_request", ...members });
  const of = (client?: { grants: readonly string[] }) => ({
    oidc: client ? { client: { grantTypeAllowed: (grant: string) => client.grants.includes(grant) } } : {},
  });

  test.each([
    ["client not found", "client-unknown"],
    ["invalid secret provided", "client-secret-wrong"],
    [
      "the provided authentication mechanism does not match the registered client authentication method",
      "client-auth-method-wrong",
    ],
    ["something that it never said before", "client-auth-malformed"],
    [undefined, "client-auth-malformed"],
  ])("a client that is not authenticated, “%s”: %s", (error_detail, reason) => {
    const error = thrown({ error: "invalid_client", error_detail });
    expect(refusedBefore(of({ grants: [] }), error, GRANT)).toEqual({ reason });
  });

  test("a client that may not use the grant is told so, and no other", () => {
    const error = thrown({ error: "invalid_request", error_description: "requested grant type is not allowed" });
    expect(refusedBefore(of({ grants: ["another"] }), error, GRANT)).toEqual({ reason: "client-grant" });
    expect(refusedBefore(of({ grants: [GRANT] }), error, GRANT)).not.toEqual({ reason: "client-grant" });
  });

  test("anything else is on record in its own words", () => {
    const error = thrown({ error: "invalid_client_metadata", error_description: "jwks is odd" });
    const refusal = { reason: "client-auth-malformed", error: "invalid_request" };
    expect(refusedBefore(of(), error, GRANT)).toEqual({ ...refusal, detail: "invalid_client_metadata: jwks is odd" });
    expect(refusedBefore(of(), thrown({}), GRANT)).toEqual({ ...refusal, detail: "invalid_request" });
  });
});

describe("a certificate", () => {
  const { cert } = newCertificate("agent");
  const der = new Uint8Array(Buffer.from(cert.replaceAll(/-----[A-Z ]+-----|\s/g, ""), "base64"));

  test.each<[string, Parameters<typeof readCertificate>[0]]>([
    ["in PEM", cert],
    ["in PEM without line breaks, as a proxy's header has it", cert.replaceAll("\n", "")],
    ["in PEM with other white space", cert.replaceAll("\n", "\r\n\t")],
    ["of node:crypto's", { raw: der }],
  ])("%s is read", (_, certificate) => {
    expect(readCertificate(certificate)).toEqual({ ok: true, value: der });
  });

  test("that is not there is none, and one that is no base64 is malformed", () => {
    expect(readCertificate(undefined)).toEqual({ ok: true, value: undefined });
    expect(readCertificate("%")).toEqual({ ok: false, refusal: { reason: "certificate-malformed", detail: "PEM" } });
  });
});
