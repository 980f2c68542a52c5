/** A scope that comes to mean more is noticed before it counts: EMA §7.2.1. */
import { expect, test } from "vitest";
import { ACME, acme, NOW } from "../../packages/server/src/organization/organization.testing.ts";
import { planChanges } from "../../packages/server/src/organization/plan.ts";
import { readOrganization } from "../../packages/server/src/organization/read.ts";
import { renderPlan } from "../../packages/server/src/organization/render.ts";

test("the plan names a scope that is described anew, before and after", () => {
  const read = readOrganization(ACME.replace("Read entries", "Read and export entries"), {
    issuerIsLoopback: true,
    now: NOW,
  });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  const changes = planChanges(acme(), read.organization);
  expect(changes).toEqual([
    { action: "change", kind: "app", id: "ledger", fields: [expect.objectContaining({ field: "scopes" })] },
  ]);
  const plan = renderPlan(changes);
  expect(plan).toContain("Read entries");
  expect(plan).toContain("Read and export entries");
});
