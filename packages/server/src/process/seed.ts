import { CredenceError } from "@credence/protocol";
import { applyOrganization, type OrganizationPorts } from "../organization/apply.ts";
import type { Problem } from "../organization/problems.ts";
import { renderProblems } from "../organization/render.ts";
import type { ServerOptions } from "./options.ts";

/** Whether the organization file was read at this start, and what it warns of. */
export interface SeedOutcome {
  readonly revision: number;
  readonly read: boolean;
  readonly warnings: readonly Problem[];
}

/** The organization file counts at the first start; afterwards the store does, and `plan` and `apply` change it. */
export async function seedOrganization(
  file: ServerOptions["organization"],
  ports: OrganizationPorts,
): Promise<SeedOutcome> {
  const { revision } = await ports.store.organization();
  if (file === undefined || revision > 0) return { revision, read: false, warnings: [] };
  const outcome = await applyOrganization(file.text, revision, ports);
  if (outcome.outcome === "applied") return { revision: outcome.revision, read: true, warnings: outcome.warnings };
  const why = outcome.outcome === "problems" ? `\n${renderProblems(file.path, outcome.problems)}` : "";
  throw new CredenceError(`The organization file ${file.path} was not taken; nothing was changed.${why}`, {
    code: "configuration",
    reason: "organization-invalid",
  });
}
