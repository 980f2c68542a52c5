import { expect, test } from "vitest";
import { certificateConfirmation, MAX_CERTIFICATE_LENGTH, parseClientCertHeader } from "./mtls.ts";

/** As much of a certificate as is looked at: what kind of thing it says it is, and how long. */
function der(length: number, first = 0x30, second = 0x82): Uint8Array {
  return new Uint8Array(length).fill(first, 0, 1).fill(second, 1, 2);
}

const malformed = (detail: string) => ({ ok: false, refusal: { reason: "certificate-malformed", detail } });

test.each([
  ["of 63 bytes", der(63), "length"],
  ["of 16,385 bytes", der(MAX_CERTIFICATE_LENGTH + 1), "length"],
  ["of nothing", new Uint8Array(), "length"],
  ["that is no sequence", der(100, 0x31), "not DER"],
  ["whose length takes three bytes", der(100, 0x30, 0x83), "not DER"],
  ["whose length takes none", der(100, 0x30, 0x80), "not DER"],
])("a certificate %s is malformed", async (_, bytes, detail) => {
  expect(await certificateConfirmation(bytes)).toEqual(malformed(detail));
});

test.each([
  ["of 64 bytes", der(64, 0x30, 0x81)],
  ["of 16,384 bytes", der(MAX_CERTIFICATE_LENGTH)],
])("a certificate %s has a thumbprint", async (_, bytes) => {
  expect(await certificateConfirmation(bytes)).toEqual({
    ok: true,
    value: { "x5t#S256": expect.stringMatching(/^[\w-]{43}$/) },
  });
});

test.each([[":%:"], ["AAAA"], [":AAAA"], [":AAAA:, :AAAA:"], ["x:AAAA:"], [":AAAA:x"], ["::"], [":AAAAA:"]])(
  "the header %s is malformed",
  (header) => {
    expect(parseClientCertHeader(header)).toEqual(malformed("Client-Cert"));
  },
);

test.each([[":AAAA:"], ["  :AAAA:  "]])("the header “%s” is read", (header) => {
  expect(parseClientCertHeader(header)).toEqual({ ok: true, value: new Uint8Array(3) });
});
