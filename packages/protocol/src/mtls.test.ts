import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { certificateConfirmation, MAX_CERTIFICATE_LENGTH, parseClientCertHeader } from "./mtls.ts";

const certificate = new Uint8Array([0x30, 0x82, ...Array.from({ length: 300 }, (_, i) => i % 251)]);
const header = `:${Buffer.from(certificate).toString("base64")}:`;

describe("a certificate", () => {
  test("is bound to by the base64url SHA-256 of its DER, without padding", async () => {
    const print = createHash("sha256").update(certificate).digest("base64url");
    expect(await certificateConfirmation(certificate)).toEqual({ ok: true, value: { "x5t#S256": print } });
  });

  test("may be so small that its length takes one byte", async () => {
    const small = new Uint8Array([0x30, 0x81, ...Array.from({ length: 200 }, (_, i) => i)]);
    expect(await certificateConfirmation(small)).toMatchObject({ ok: true });
  });

  test.each([
    ["empty", new Uint8Array()],
    ["no DER", new Uint8Array(300)],
    ["too long", new Uint8Array(MAX_CERTIFICATE_LENGTH + 1).fill(0x30)],
  ])("that is %s is refused", async (_, bytes) => {
    expect(await certificateConfirmation(bytes)).toMatchObject({ refusal: { reason: "certificate-malformed" } });
  });
});

describe("the Client-Cert header", () => {
  test("holds the certificate between colons", () => {
    expect(parseClientCertHeader(header)).toEqual({ ok: true, value: certificate });
  });

  test.each([null, undefined])("that is missing says nothing", (missing) => {
    expect(parseClientCertHeader(missing)).toEqual({ ok: true, value: undefined });
  });

  test.each([
    ["without colons", header.slice(1, -1)],
    ["sent twice", `${header}, ${header}`],
    ["with other characters", ":a-_b:"],
    ["as PEM", "-----BEGIN CERTIFICATE-----"],
    ["without end", `:${"A".repeat(30_000)}:`],
    ["empty", ""],
  ])("%s is refused", (_, sent) => {
    expect(parseClientCertHeader(sent)).toMatchObject({ refusal: { reason: "certificate-malformed" } });
  });

  test("of any bytes is those bytes; of any text is bytes or a refusal, and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 4_000 }), (bytes) => {
        const sent = `:${Buffer.from(bytes).toString("base64")}:`;
        expect(parseClientCertHeader(sent)).toEqual({ ok: true, value: new Uint8Array(bytes) });
        expect(parseClientCertHeader(`${sent},${sent}`).ok).toBe(false);
      }),
    );
    const text = fc.string({ unit: fc.constantFrom(":", "A", "=", "/", "+", " ", ",", ";", "\u0000"), maxLength: 40 });
    fc.assert(
      fc.property(text, (sent) => {
        const read = parseClientCertHeader(sent);
        if (read.ok) expect(sent.trim()).toBe(`:${Buffer.from(read.value ?? []).toString("base64")}:`);
      }),
      { numRuns: 2_000 },
    );
  });
});
