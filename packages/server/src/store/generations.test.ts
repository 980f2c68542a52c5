import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGenerations } from "./generations.ts";

const SIZE = 4;

const step = fc.record({
  act: fc.constantFrom("set", "set", "get", "get", "delete"),
  key: fc.integer({ min: 0, max: 12 }),
});

describe("what is remembered in generations", () => {
  it("is what was said last, never more than two generations, and all that was used since fewer than one of others", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const remembered = createGenerations<number, number>(SIZE);
        const said = new Map<number, number>();
        // By last use, the newest at the end; also what was deleted since.
        let used: number[] = [];
        for (const [n, { act, key }] of steps.entries()) {
          if (act === "set") {
            remembered.set(key, n);
            said.set(key, n);
          } else if (act === "delete") {
            remembered.delete(key);
            said.delete(key);
          } else {
            const known = remembered.get(key);
            if (used.slice(-SIZE).includes(key) || known !== undefined) expect(known).toBe(said.get(key));
          }
          if (act === "set" || remembered.get(key) !== undefined) used = [...used.filter((one) => one !== key), key];
          expect(remembered.size()).toBeLessThanOrEqual(2 * SIZE);
        }
      }),
    );
  });

  it("lives on by being asked for, and is forgotten when two generations came after", () => {
    const remembered = createGenerations<string, number>(2);
    remembered.set("asked for", 0);
    remembered.set("left alone", 0);
    for (let n = 0; n < 10; n += 1) {
      remembered.set(`${n}`, n);
      expect(remembered.get("asked for")).toBe(0);
    }
    expect(remembered.get("left alone")).toBeUndefined();
  });

  it("takes nobody's place by being said again", () => {
    const remembered = createGenerations<string, number>(2);
    for (const key of ["one", "two", "three", "four", "four"]) remembered.set(key, 1);
    expect(remembered.get("one")).toBe(1);
  });

  it("is gone when it is cleared", () => {
    const remembered = createGenerations<string, number>(1);
    remembered.set("one", 1);
    remembered.set("two", 2);
    expect([remembered.get("one"), remembered.get("two")]).toEqual([1, 2]);
    remembered.clear();
    expect([remembered.get("one"), remembered.get("two"), remembered.size()]).toEqual([undefined, undefined, 0]);
  });
});
