import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Confirmation, parseConfirmation, sameConfirmation } from "./confirmation.ts";

const print = fc.string({ unit: fc.constantFrom(..."abcXYZ012-_"), minLength: 43, maxLength: 43 });
const confirmation: fc.Arbitrary<Confirmation> = fc.oneof(
  print.map((jkt) => ({ jkt })),
  print.map((x5t) => ({ "x5t#S256": x5t })),
);

describe("for all confirmations", () => {
  test("one that is read is the one that was written, and is the same as itself", () => {
    fc.assert(
      fc.property(confirmation, (cnf) => {
        expect(parseConfirmation(JSON.parse(JSON.stringify(cnf)))).toEqual(cnf);
        expect(sameConfirmation(cnf, { ...cnf })).toBe(true);
      }),
    );
  });

  test("two are the same only where kind and thumbprint are", () => {
    fc.assert(
      fc.property(confirmation, confirmation, (a, b) => {
        expect(sameConfirmation(a, b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  test("nothing beside the one thumbprint is passed over: with any further member there is none", () => {
    const member = fc.constantFrom("jkt", "x5t#S256", "kid", "jwk", "jku", "__proto__", "x");
    fc.assert(
      fc.property(confirmation, member, fc.jsonValue(), (cnf, name, value) => {
        const [own] = Object.keys(cnf);
        fc.pre(name !== own);
        expect(parseConfirmation(JSON.parse(JSON.stringify({ ...cnf, [name]: value })))).toBeUndefined();
      }),
    );
  });

  test("anything else is none", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseConfirmation(value)).toBeUndefined();
      }),
    );
  });
});
