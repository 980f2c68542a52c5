import { describe, expect, test } from "vitest";
import {
  type AuthorizationDetail,
  detailsNarrow,
  detailsWithin,
  detailWithin,
  narrowDetail,
  narrowDetails,
  parseAuthorizationDetails,
  readAuthorizationDetails,
} from "./authorization-details.ts";

const A = (more: object = {}): AuthorizationDetail => ({ type: "account", ...more });

describe("authorization details, at their bounds", () => {
  const padded = (length: number) => {
    const text = JSON.stringify([A({ note: "" })]);
    return text.replace('""', `"${"x".repeat(length - text.length)}"`);
  };
  const nested = (levels: number) => `[{"type":"a","x":${"[".repeat(levels - 2)}${"]".repeat(levels - 2)}}]`;

  test.each<[string, string, string | undefined]>([
    ["16,384 characters", padded(16_384), undefined],
    ["16,385 characters", padded(16_385), "too long"],
    ["eight levels", nested(8), undefined],
    ["nine levels", nested(9), "too deep"],
    [
      "eight levels beside each other, many times",
      `[{"type":"a","x":[${Array(20).fill("[[[[[]]]]]").join()}]}]`,
      undefined,
    ],
    ["objects beside each other", `[{"type":"a","x":[${Array(20).fill("{}").join()}]}]`, undefined],
    ["fifty members", JSON.stringify(Array(50).fill(A())), undefined],
    ["fifty-one members", JSON.stringify(Array(51).fill(A())), "too many"],
    ["a type of 256 characters", JSON.stringify([{ type: "x".repeat(256) }]), undefined],
    ["a type of 257 characters", JSON.stringify([{ type: "x".repeat(257) }]), "a member"],
    ["an identifier that is a text", JSON.stringify([A({ identifier: "1" })]), undefined],
    ["no member", "[]", "not an array"],
    ["no array", "{}", "not an array"],
    ["one good member and one bad", JSON.stringify([A(), {}]), "a member"],
    ["an action that is empty, beside a good one", JSON.stringify([A({ actions: ["read", ""] })]), "a member"],
    ["an action that is no text, beside a good one", JSON.stringify([A({ actions: ["read", 1] })]), "a member"],
  ])("%s", (_, text, detail) => {
    const read = parseAuthorizationDetails(text);
    expect(read.ok ? undefined : read.refusal).toEqual(
      detail === undefined ? undefined : { reason: "authorization-details-malformed", detail },
    );
  });

  test("that are JSON already are held to the same members", () => {
    expect(readAuthorizationDetails([A()])).toEqual({ ok: true, value: [A()] });
    for (const value of [undefined, null, "[]", {}, [], [A(), "x"]]) {
      expect(readAuthorizationDetails(value)).toMatchObject({ ok: false });
    }
  });
});

describe("what lies within a limit", () => {
  test.each<[string, AuthorizationDetail, AuthorizationDetail, boolean]>([
    ["the same", A({ actions: ["read"] }), A({ actions: ["read"] }), true],
    ["fewer actions", A({ actions: ["read"] }), A({ actions: ["read", "write"] }), true],
    ["more actions", A({ actions: ["read", "write"] }), A({ actions: ["read"] }), false],
    ["none of its actions", A({ actions: ["write"] }), A({ actions: ["read"] }), false],
    ["any action, where some are named", A(), A({ actions: ["read"] }), false],
    ["another type with the same members", { type: "payment", x: 1 }, A({ x: 1 }), false],
    ["a list of numbers that is the same", A({ sizes: [1, 2] }), A({ sizes: [1, 2] }), true],
    ["a list of numbers in another order", A({ sizes: [2, 1] }), A({ sizes: [1, 2] }), false],
    ["a list that begins alike and is longer", A({ sizes: [1, 2] }), A({ sizes: [1] }), false],
    ["a list with one item that differs", A({ sizes: [1, 3] }), A({ sizes: [1, 2] }), false],
    ["a list where an object stands", A({ sizes: [1] }), A({ sizes: { 0: 1 } }), false],
    ["an object where a list stands", A({ sizes: { 0: 1 } }), A({ sizes: [1] }), false],
    ["an object with a member more", A({ x: { a: 1, b: 2 } }), A({ x: { a: 1 } }), false],
    ["an object with a member less", A({ x: { a: 1 } }), A({ x: { a: 1, b: 2 } }), false],
    ["an object whose member has another name", A({ x: { a: 1 } }), A({ x: { b: 1 } }), false],
    ["an object whose member is one that every object has", A({ x: { a: 1 } }), A({ x: { toString: 1 } }), false],
    ["null where an object stands", A({ x: null }), A({ x: {} }), false],
    // Only lists that RFC 9396 §2.2 names narrow each other; what another list means, its type alone knows.
    ["fewer items of a list of its own", A({ colors: ["red"] }), A({ colors: ["red", "blue"] }), false],
    ["a list where the limit names one item only", A({ actions: ["read"] }), A({ actions: "read" }), false],
  ])("%s: %4$s", (_, detail, limit, within) => {
    expect(detailWithin(detail, limit)).toBe(within);
    expect(detailsWithin([detail], [{ type: "other" }, limit])).toBe(within);
    expect(detailsWithin([limit, detail], [limit])).toBe(within);
  });

  test("never goes beyond what is asked for by a member that every object has", () => {
    expect(narrowDetail(A(), A({ constructor: "x" }))).toEqual(A({ constructor: "x" }));
    expect(detailWithin(A({ x: { constructor: 1 } }), A({ x: { constructor: 1 } }))).toBe(true);
  });
});

describe("what several limits leave of a detail", () => {
  test("is all of it, where one of them covers it, wherever that one stands", () => {
    const asked = A({ actions: ["read"], amount: 5 });
    const limits = [A({ actions: ["read"], locations: ["a", "b"] }), A({ actions: ["read", "write"] })];
    // The first would leave more items, by adding places that nobody asked for.
    expect(narrowDetails([asked], limits)).toEqual([asked]);
    expect(narrowDetails([asked], limits.toReversed())).toEqual([asked]);
  });

  test("is by the limit that leaves most items, wherever that one stands", () => {
    const asked = A({ actions: ["a", "b", "c"] });
    const [two, one] = [A({ actions: ["a", "b"] }), A({ actions: ["c"] })];
    expect(narrowDetails([asked], [one, two])).toEqual([two]);
    expect(narrowDetails([asked], [two, one])).toEqual([two]);
  });
});

/** @see RFC 9396 §6.1 */
describe("details that repeat or narrow what was granted", () => {
  const granted = [A({ actions: ["read", "write"], identifier: "1" }), { type: "payment" }];
  test.each<[string, readonly AuthorizationDetail[], boolean]>([
    ["none", [], true],
    ["the same", granted, true],
    ["one of them", [{ type: "payment" }], true],
    ["fewer actions", [A({ actions: ["read"], identifier: "1" })], true],
    ["an action that was not granted", [A({ actions: ["close"], identifier: "1" })], false],
    ["an action more", [A({ actions: ["read", "write", "close"], identifier: "1" })], false],
    ["a member less: what it means, only the type knows", [A({ actions: ["read"] })], false],
    ["a member more, beside one that is the same", [{ type: "payment", amount: 5 }], false],
    ["another type", [{ type: "report" }], false],
    ["one that was granted and one that was not", [{ type: "payment" }, { type: "report" }], false],
  ])("%s: %3$s", (_, details, narrow) => {
    expect(detailsNarrow(details, granted)).toBe(narrow);
  });
});
