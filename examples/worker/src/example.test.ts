import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

test("the Hono app on workerd starts with one command, and takes one ID-JAG once, however many ask at a time", {
  timeout: 120_000,
}, async () => {
  const { code, outcomes } = await playExample("worker");
  expect(outcomes).toEqual([
    {
      step: "Alice's agent reads the links",
      outcome: { for: expect.any(String), through: "links-agent", links: expect.any(Array) },
    },
    { step: "One ID-JAG, redeemed ten times at once", outcome: { 200: 1, 400: 9 } },
    { step: "Bob's agent", outcome: { error: "access_denied", decision: expect.any(String) } },
  ]);
  expect(code).toBe(0);
});
