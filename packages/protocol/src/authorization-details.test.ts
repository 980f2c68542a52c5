import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AUTHORIZATION_DETAILS_LIMITS,
  type AuthorizationDetail,
  detailsWithin,
  detailWithin,
  narrowDetail,
  narrowDetails,
  parseAuthorizationDetails,
} from "./authorization-details.ts";

describe("the parameter", () => {
  test("is a JSON array of objects with a type", () => {
    const details = [{ type: "account", actions: ["read"], extra: { deep: [1] } }];
    expect(parseAuthorizationDetails(JSON.stringify(details))).toEqual({ ok: true, value: details });
  });

  test.each([
    ["no JSON", "[{"],
    ["an object", "{}"],
    ["a text", '"account"'],
    ["an empty array", "[]"],
    ["a member that is no object", '["account"]'],
    ["a member without type", "[{}]"],
    ["a type that is empty", '[{"type":""}]'],
    ["a type that is no text", '[{"type":1}]'],
    ["actions that are no list", '[{"type":"a","actions":"read"}]'],
    ["actions that are empty", '[{"type":"a","actions":[]}]'],
    ["an identifier that is no text", '[{"type":"a","identifier":1}]'],
    ["a member that would be a prototype", '[{"type":"a","__proto__":{"x":1}}]'],
    ["fifty-one members", JSON.stringify(Array.from({ length: 51 }, () => ({ type: "a" })))],
    ["ten thousand members", JSON.stringify(Array.from({ length: 10_000 }, () => ({ type: "a" })))],
    ["nine levels", `[{"type":"a","x":${"[".repeat(7)}${"]".repeat(7)}}]`],
    ["a million brackets", "[".repeat(16_000)],
  ])("with %s is refused", (_, text) => {
    expect(parseAuthorizationDetails(text)).toMatchObject({ refusal: { reason: "authorization-details-malformed" } });
  });

  test("is read once to its end, however many texts in it do not end", () => {
    // Were it tried again from the second quote, the brackets behind it would count.
    const told = (text: string) => parseAuthorizationDetails(text);
    expect(told(`"\\"${"[".repeat(20)}`)).toMatchObject({ refusal: { detail: "not JSON" } });
    expect(told(`"${'\\"'.repeat(8_000)}`)).toMatchObject({ refusal: { detail: "not JSON" } });
    expect(told(`"\\\n${"[".repeat(20)}`)).toMatchObject({ refusal: { detail: "not JSON" } });
    expect(told(`"\\\\"${"[".repeat(20)}`)).toMatchObject({ refusal: { detail: "too deep" } });
  });

  test("may hold brackets in texts", () => {
    const text = JSON.stringify([{ type: "a", note: '[[[[[[[[[[\\"{{{{' }]);
    expect(parseAuthorizationDetails(text).ok).toBe(true);
  });
});

const A = (more: object = {}): AuthorizationDetail => ({ type: "account", ...more });

describe("what is asked for is narrowed", () => {
  test.each<[string, AuthorizationDetail, AuthorizationDetail, AuthorizationDetail | undefined]>([
    ["to the actions of both", A({ actions: ["read", "write"] }), A({ actions: ["read"] }), A({ actions: ["read"] })],
    ["to nothing where no action is left", A({ actions: ["write"] }), A({ actions: ["read"] }), undefined],
    ["to the limit where nothing was said", A(), A({ actions: ["read"] }), A({ actions: ["read"] })],
    ["by nothing where the limit says nothing", A({ actions: ["write"], x: 1 }), A(), A({ actions: ["write"], x: 1 })],
    ["to nothing by another type", { type: "payment" }, A(), undefined],
    ["to nothing by another identifier", A({ identifier: "1" }), A({ identifier: "2" }), undefined],
    [
      "by a member that must be equal",
      A({ amount: { to: 5, of: "EUR" } }),
      A({ amount: { of: "EUR", to: 5 } }),
      A({ amount: { to: 5, of: "EUR" } }),
    ],
    ["to nothing by a member that differs", A({ amount: 6 }), A({ amount: 5 }), undefined],
    ["by a member that every object has", A(), A({ toString: "x" }), A({ toString: "x" })],
  ])("%s", (_, asked, limit, narrowed) => {
    expect(narrowDetail(asked, limit)).toEqual(narrowed);
  });

  test("by the limit that leaves most", () => {
    const limits = [A({ actions: ["read"] }), A({ actions: ["read", "write"] })];
    expect(narrowDetails([A({ actions: ["read", "write", "close"] })], limits)).toEqual([limits[1]]);
    expect(narrowDetails([A({ actions: ["close"] })], limits)).toEqual([]);
  });
});

const detail: fc.Arbitrary<AuthorizationDetail> = fc.record(
  {
    type: fc.constantFrom("account", "payment"),
    actions: fc.subarray(["read", "write", "close"], { minLength: 1 }),
    locations: fc.subarray(["https://a.example", "https://b.example"], { minLength: 1 }),
    identifier: fc.constantFrom("1", "2"),
    amount: fc.constantFrom(1, 2),
  },
  { requiredKeys: ["type"] },
);

describe("for all details", () => {
  test("the narrowed one lies within both, and narrowing it again changes nothing", () => {
    fc.assert(
      fc.property(detail, detail, (asked, limit) => {
        const narrowed = narrowDetail(asked, limit);
        if (narrowed === undefined) return;
        expect(detailWithin(narrowed, limit)).toBe(true);
        expect(detailWithin(narrowed, asked)).toBe(true);
        expect(narrowDetail(narrowed, limit)).toEqual(narrowed);
      }),
    );
  });

  test("each lies within itself; what lies within lies within what that lies within", () => {
    fc.assert(
      fc.property(detail, detail, detail, (a, b, c) => {
        expect(detailWithin(a, a)).toBe(true);
        if (detailWithin(a, b) && detailWithin(b, c)) expect(detailWithin(a, c)).toBe(true);
      }),
    );
  });

  test("what several limits leave lies within them", () => {
    fc.assert(
      fc.property(fc.array(detail), fc.array(detail), (asked, limits) => {
        const narrowed = narrowDetails(asked, limits);
        expect(detailsWithin(narrowed, limits)).toBe(true);
        expect(detailsWithin(narrowed, asked)).toBe(true);
      }),
    );
  });

  test("the narrowed one is never wider than either: it names no item, and says nothing, that either does not allow", () => {
    const free = fc.dictionary(fc.constantFrom("amount", "note", "identifier", "toString"), fc.constantFrom("a", "b"));
    const any = fc.tuple(detail, free).map(([one, more]) => ({ ...one, ...more }));
    fc.assert(
      fc.property(any, any, (asked, limit) => {
        const narrowed = narrowDetail(asked, limit);
        if (narrowed === undefined) return;
        for (const side of [asked, limit]) {
          for (const [name, value] of Object.entries(side)) {
            const left = narrowed[name];
            if (!Array.isArray(value)) expect(left).toEqual(value);
            else expect(value).toEqual(expect.arrayContaining(Array.isArray(left) ? left : [left]));
          }
        }
        for (const name of Object.keys(narrowed)) expect(name in asked || name in limit).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test("whatever text comes is read or refused; what is read is within the bounds, and reads the same again", () => {
    const value = fc.array(fc.oneof(detail, fc.jsonValue()), {
      maxLength: 60,
    });
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      value.map((one) => JSON.stringify(one)),
    );
    fc.assert(
      fc.property(text, (sent) => {
        const read = parseAuthorizationDetails(sent);
        if (!read.ok) {
          expect(read.refusal.reason).toBe("authorization-details-malformed");
          return;
        }
        expect(read.value.length).toBeGreaterThan(0);
        expect(read.value.length).toBeLessThanOrEqual(AUTHORIZATION_DETAILS_LIMITS.members);
        expect(parseAuthorizationDetails(JSON.stringify(read.value))).toEqual(read);
      }),
      { numRuns: 1_000 },
    );
  });
});
