import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dpopNonces } from "./dpop-nonces.ts";

const NOW = 1_800_000_000;
const secret = (byte: number) => new Uint8Array(32).fill(byte);

describe("a nonce", () => {
  const nonces = dpopNonces(secret(1), 60);

  test("is handed out for one period, and says nothing of when", async () => {
    const [first, same, next] = await Promise.all([0, 59, 60].map((later) => nonces.current(NOW + later)));
    expect(first).toBe(same);
    expect(next).not.toBe(first);
    expect(first).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test.each([
    ["in its own period", 0, true],
    ["at the end of its own period", 59, true],
    ["in the next period", 119, true],
    ["by a process whose clock is behind", -60, true],
    ["two periods later", 120, false],
    ["two periods before", -61, false],
    ["an hour later", 3_600, false],
  ])("%s", async (_, later, good) => {
    expect(await nonces.accepts(await nonces.current(NOW), NOW + later)).toBe(good);
  });

  test("of another secret, or of none, is not accepted", async () => {
    const other = await dpopNonces(secret(2), 60).current(NOW);
    for (const nonce of [other, "", "made-up", (await nonces.current(NOW)).slice(1)]) {
      expect(await nonces.accepts(nonce, NOW)).toBe(false);
    }
  });

  test("is accepted when it was just handed out, whatever the time and the period", async () => {
    const time = fc.integer({ min: 0, max: 4_000_000_000 });
    await fc.assert(
      fc.asyncProperty(time, fc.integer({ min: 1, max: 3_600 }), async (now, period) => {
        const some = dpopNonces(secret(3), period);
        expect(await some.accepts(await some.current(now), now + period)).toBe(true);
        expect(await some.accepts(await some.current(now), now + 2 * period)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});

test.each<[string, unknown]>([
  ["no bytes", new Uint8Array()],
  ["31 bytes", new Uint8Array(31)],
  ["a text", "a text that is longer than 32 characters"],
  ["a list of numbers", Array.from({ length: 32 }, () => 1)],
])("%s are no secret", (_, given) => {
  // As JavaScript would give it.
  expect(() => dpopNonces(given as Uint8Array)).toThrow(expect.objectContaining({ code: "configuration" }));
});
