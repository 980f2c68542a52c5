import { generateKeyPairSync, sign, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromDer, toDer } from "./ecdsa.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const data = Buffer.from("what is signed");

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
/** A number of 32 bytes that ends in these. */
const number = (end: string) => end.replaceAll(" ", "").padStart(64, "0");

describe("r||s and DER", () => {
  test.each<[string, string, string, string]>([
    ["the least numbers", number("01"), number("02"), "30 06 02 01 01 02 01 02"],
    ["zeros, which no signature has", number("00"), number("00"), "30 06 02 01 00 02 01 00"],
    [
      "a first bit that is set gets a zero before it",
      number("80"),
      number("ff 01"),
      "30 09 02 02 00 80 02 03 00 ff 01",
    ],
    ["a first bit that is not set gets none", number("7f"), number("7f ff"), "30 07 02 01 7f 02 02 7f ff"],
    ["zeros within stay", number("01 00 00"), number("80 00"), "30 0a 02 03 01 00 00 02 03 00 80 00"],
    ["the longest", "ff".repeat(32), "80".repeat(32), `30 46 02 21 00 ${"ff".repeat(32)} 02 21 00 ${"80".repeat(32)}`],
    [
      "32 bytes without a sign",
      "7f".repeat(32),
      "01".repeat(32),
      `30 44 02 20 ${"7f".repeat(32)} 02 20 ${"01".repeat(32)}`,
    ],
  ])("spell the same: %s", (_, r, s, der) => {
    expect(toDer(hex(r + s))).toEqual(hex(der));
    expect(Buffer.from(fromDer(hex(der)))).toEqual(hex(r + s));
  });

  test("lead back to the same signature, whatever the numbers", () => {
    // Short ones too: one of r and s in 128 has a byte less.
    const short = fc.tuple(fc.integer({ min: 0, max: 32 }), fc.uint8Array({ minLength: 32, maxLength: 32 }));
    const integer = short.map(([zeros, bytes]) => bytes.fill(0, 0, zeros));
    fc.assert(
      fc.property(integer, integer, (r, s) => {
        const der = toDer(Uint8Array.from([...r, ...s]));
        expect([...fromDer(der ?? new Uint8Array())]).toEqual([...r, ...s]);
      }),
      { numRuns: 1_000 },
    );
  });

  test("are what node:crypto takes one for the other", () => {
    for (let n = 0; n < 300; n += 1) {
      const own = sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" });
      expect(verify("sha256", data, publicKey, toDer(own) ?? new Uint8Array())).toBe(true);
      const der = fromDer(sign("sha256", data, privateKey));
      expect(verify("sha256", data, { key: publicKey, dsaEncoding: "ieee-p1363" }, der)).toBe(true);
    }
  });
});

test.each([0, 1, 63, 65, 128])("a signature of %i bytes is none on P-256", (length) => {
  expect(toDer(new Uint8Array(length).fill(1))).toBeUndefined();
});

describe("DER that is no signature on P-256 is refused", () => {
  test.each<[string, string]>([
    ["nothing", ""],
    ["one byte", "30"],
    ["an empty sequence", "30 00"],
    ["another tag than a sequence's", "31 06 02 01 01 02 01 02"],
    ["a length that is too short", "30 05 02 01 01 02 01 02"],
    ["a length that is too long", "30 07 02 01 01 02 01 02"],
    ["a length in its long form", "30 81 06 02 01 01 02 01 02"],
    ["one integer alone", "30 03 02 01 01"],
    ["a third integer", "30 09 02 01 01 02 01 02 02 01 03"],
    ["bytes after the end", "30 07 02 01 01 02 01 02 00"],
    ["another tag than an integer's, first", "30 06 03 01 01 02 01 02"],
    ["another tag than an integer's, second", "30 06 02 01 01 04 01 02"],
    ["an integer of no bytes, first", "30 05 02 00 02 01 02"],
    ["an integer of no bytes, second", "30 05 02 01 01 02 00"],
    ["an integer that ends beyond the sequence", "30 06 02 01 01 02 02 02"],
    ["a negative integer, first", "30 06 02 01 80 02 01 02"],
    ["a negative integer, second", "30 06 02 01 01 02 01 ff"],
    ["an integer of 33 bytes, first", `30 26 02 21 01 ${"00".repeat(32)} 02 01 02`],
    ["an integer of 33 bytes, second", `30 26 02 01 02 02 21 7f ${"00".repeat(32)}`],
    ["an integer of 34 bytes", `30 27 02 22 00 01 ${"00".repeat(32)} 02 01 02`],
  ])("%s", (_, der) => {
    expect(() => fromDer(hex(der))).toThrow(expect.objectContaining({ code: "configuration" }));
  });

  test("or refused or 64 bytes, whatever it is", () => {
    const some = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(some, (bytes) => {
        try {
          expect(fromDer(bytes)).toHaveLength(64);
        } catch (error) {
          expect(error).toMatchObject({ code: "configuration" });
        }
      }),
    );
  });
});
