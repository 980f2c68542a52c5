import { expect, test } from "vitest";
import { playExample } from "../../demo/src/play.testing.ts";

// Two IdPs are started, each as a process of its own.
test("the SaaS on Fastify starts with one command, and keeps its customers' people and projects apart", {
  timeout: 120_000,
}, async () => {
  const { code, outcomes } = await playExample("saas");
  expect(outcomes).toEqual([
    { step: "Acme's Alice starts a project", outcome: "Rocket skates" },
    { step: "Acme's Alice sees", outcome: { customer: "acme", projects: ["Rocket skates"] } },
    {
      step: "Globex's Alice, before Globex is a customer",
      outcome: { error: "invalid_grant", decision: expect.any(String) },
    },
    { step: "Globex's Alice sees", outcome: { customer: "globex", projects: [] } },
    { step: "Accounts", outcome: { acme: 1, globex: 1 } },
    { step: "Acme's Bob", outcome: { error: "access_denied", decision: expect.any(String) } },
  ]);
  expect(code).toBe(0);
});
