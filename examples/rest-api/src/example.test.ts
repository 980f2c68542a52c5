import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

test("the REST API in Express starts with one command, serves Alice's agent and turns Bob's away", {
  timeout: 120_000,
}, async () => {
  const { code, outcomes } = await playExample("rest-api");
  const note = { text: "Call the printer's" };
  expect(outcomes).toEqual([
    { step: "Alice's agent writes a note", outcome: note },
    { step: "Alice's agent reads her notes", outcome: { notes: [note] } },
    { step: "Bob's agent", outcome: { error: "access_denied", decision: expect.any(String) } },
  ]);
  expect(code).toBe(0);
});
