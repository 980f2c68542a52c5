import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

test("the web application starts with one command, shows Alice the entries and tells Bob no", {
  timeout: 120_000,
}, async () => {
  const { code, outcomes, stderr } = await playExample("web-agent");
  expect(outcomes, stderr).toEqual([
    { step: "Alice's page", outcome: { status: 200, text: expect.stringContaining("Train to Vienna") } },
    { step: "Bob's page", outcome: { status: 403, text: expect.stringMatching(/access_denied.* decision \S+/) } },
  ]);
  expect(code).toBe(0);
});
