import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

test("the command starts with one command, signs Alice in once, reads twice, and tells Bob no", {
  timeout: 120_000,
}, async () => {
  const { code, outcomes, stderr } = await playExample("cli-agent");
  expect(outcomes, stderr).toEqual([
    {
      step: "Alice's command reads the entries",
      outcome: { entries: expect.arrayContaining([expect.objectContaining({ text: "Train to Vienna" })]) },
    },
    { step: "The next one asks nobody", outcome: { entries: 2, opened: 1 } },
    { step: "Bob's command", outcome: { error: "access_denied", decision: expect.any(String) } },
  ]);
  expect(code).toBe(0);
});
