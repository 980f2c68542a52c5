import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

test("the ledger's example starts with one command, lets Alice's agent in and turns Bob's away", {
  timeout: 120_000,
}, async () => {
  const { code, outcomes } = await playExample("ledger");
  expect(outcomes).toEqual([
    {
      step: "Alice's agent lists the entries",
      outcome: expect.arrayContaining([expect.objectContaining({ text: "Train to Vienna" })]),
    },
    { step: "Bob's agent", outcome: { error: "access_denied", decision: expect.any(String) } },
  ]);
  expect(code).toBe(0);
});
