import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBase64url, decodeBase64urlText, encodeBase64url, randomId } from "./encoding.ts";

describe("base64url", () => {
  test("is what Node makes of the same bytes, and leads back to them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        const text = encodeBase64url(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64url"));
        expect([...(decodeBase64url(text) ?? [])]).toEqual([...bytes]);
      }),
    );
  });

  test("of a text is that of its UTF-8, and leads back to it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }), (text) => {
        const encoded = encodeBase64url(text);
        expect(encoded).toBe(Buffer.from(text).toString("base64url"));
        expect(decodeBase64urlText(encoded)).toBe(text);
      }),
    );
  });

  test.each(["ascii only", "ø", "日本語", "\u{1f600}", "\u007f", "\u0080", '{"name":"Zoë"}'])("keeps %j", (text) => {
    expect(decodeBase64urlText(encodeBase64url(text))).toBe(text);
  });

  test("takes many bytes at once", () => {
    const bytes = new Uint8Array(300_000).map((_, n) => n % 251);
    expect(encodeBase64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
  });

  test.each(["", "A", "AAAAA", "AA=", "AA==", "AA+A", "AA/A", "AA A", "AA\n", " AAA", "ÄÄÄÄ", "AA.A"])(
    "is not what %j is",
    (text) => {
      expect(decodeBase64url(text)).toBeUndefined();
      expect(decodeBase64urlText(text)).toBeUndefined();
    },
  );

  test.each([["80"], ["c3"], ["c328"], ["edA080"], ["c0af"], ["f5808080"], ["6180"]])(
    "of bytes %s has no text",
    (hex) => {
      const encoded = Buffer.from(hex, "hex").toString("base64url");
      expect(decodeBase64url(encoded)).toBeDefined();
      expect(decodeBase64urlText(encoded)).toBeUndefined();
    },
  );
});

test("ids are 22 characters of base64url, and none comes twice", () => {
  const ids = Array.from({ length: 2_000 }, () => randomId());
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[\w-]{22}$/);
});
