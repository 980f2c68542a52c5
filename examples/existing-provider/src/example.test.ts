import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

test("two oidc-providers gain ID-JAG with one command: Alice's agent is let in, Bob's is turned away", async () => {
  const { code, outcomes, stderr } = await playExample("existing-provider");
  expect(stderr).not.toContain("Error");
  const url = expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(outcomes).toEqual([
    { step: "Alice has signed in", outcome: { idp: url } },
    {
      step: "the IdP's ID-JAG",
      outcome: { iss: url, sub: "alice", aud: url, client_id: "notes-agent", scope: "notes.read" },
    },
    { step: "Alice's agent reads her notes", outcome: { notes: ["Something that alice wrote down"] } },
    { step: "Bob's agent", outcome: { error: "access_denied", decision: expect.any(String) } },
  ]);
  expect(code).toBe(0);
});
