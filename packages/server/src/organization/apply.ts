import { CredenceError } from "@credence/protocol";
import type { Organization } from "../directory/types.ts";
import type { Store } from "../store/store.ts";
import { compareApart } from "./compare-apart.ts";
import { type Change, planChanges } from "./plan.ts";
import type { Problem } from "./problems.ts";

/** The record's event of a change: who and what, never values. */
export interface OrganizationChanged {
  readonly code: "organization.changed";
  readonly revision: number;
  readonly changes: readonly Pick<Change, "action" | "kind" | "id">[];
}

/** What changing the organization needs. */
export interface OrganizationPorts {
  readonly store: Pick<Store, "organization" | "replaceOrganization">;
  /** Resolves when durable. */
  readonly record: (event: OrganizationChanged) => Promise<void>;
  readonly issuerIsLoopback: boolean;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** A file held against the running organization; nothing is changed. */
export type PlanOutcome =
  | {
      readonly outcome: "plan";
      /** Of the organization that the plan starts from. */
      readonly revision: number;
      readonly changes: readonly Change[];
      readonly warnings: readonly Problem[];
    }
  | { readonly outcome: "problems"; readonly problems: readonly Problem[] };

/** A change that was made, or why not. An empty change makes no new revision and no event. */
export type ChangeOutcome =
  | {
      readonly outcome: "applied";
      readonly revision: number;
      readonly changes: readonly Change[];
      readonly warnings: readonly Problem[];
    }
  | { readonly outcome: "problems"; readonly problems: readonly Problem[] }
  /** Somebody else changed the organization since; `revision` is the current one. */
  | { readonly outcome: "conflict"; readonly revision: number };

/** What it would take to make the organization equal to the file. */
export async function planOrganization(text: string, ports: OrganizationPorts): Promise<PlanOutcome> {
  const { revision, document } = await ports.store.organization();
  const compared = await compareApart(text, readOptions(ports, document));
  if (!compared.ok) return { outcome: "problems", problems: compared.problems };
  return { outcome: "plan", revision, changes: compared.changes, warnings: compared.warnings };
}

/**
 * Makes the organization equal to the file, all or nothing.
 *
 * @param expectedRevision - Of the organization that the change was planned on; whatever it is when left out.
 * @throws CredenceError `temporarily_unavailable` when the store or the record does not take it: nothing is changed then.
 */
export async function applyOrganization(
  text: string,
  expectedRevision: number | undefined,
  ports: OrganizationPorts,
): Promise<ChangeOutcome> {
  const { revision, document } = await ports.store.organization();
  if (expectedRevision !== undefined && expectedRevision !== revision) return { outcome: "conflict", revision };
  const compared = await compareApart(text, readOptions(ports, document));
  if (!compared.ok) return { outcome: "problems", problems: compared.problems };
  const changed = await change(document, revision, compared.organization, compared.changes, ports);
  return changed.outcome === "applied" ? { ...changed, warnings: compared.warnings } : changed;
}

/** So often is a small change tried anew when another one came between. */
const EDIT_ATTEMPTS = 10;

/**
 * Changes one thing of the organization as it is, whatever changes beside it.
 *
 * @param edit - Makes the new organization, or gives `undefined` when there is nothing to edit.
 * @returns `undefined` when `edit` did.
 */
export async function editOrganization(
  edit: (organization: Organization) => Organization | undefined,
  ports: OrganizationPorts,
): Promise<ChangeOutcome | undefined> {
  let outcome: ChangeOutcome | undefined;
  for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt += 1) {
    const { revision, document } = await ports.store.organization();
    const wanted = edit(document);
    if (wanted === undefined) return undefined;
    outcome = await change(document, revision, wanted, planChanges(document, wanted), ports);
    if (outcome.outcome !== "conflict") return outcome;
  }
  return outcome;
}

function readOptions({ issuerIsLoopback, now }: OrganizationPorts, current: Organization) {
  return { issuerIsLoopback, now: now(), current };
}

async function change(
  current: Organization,
  revision: number,
  wanted: Organization,
  changes: readonly Change[],
  { store, record }: OrganizationPorts,
): Promise<ChangeOutcome> {
  if (changes.length === 0) return { outcome: "applied", revision, changes, warnings: [] };
  const replaced = await store.replaceOrganization(wanted, revision);
  if ("conflict" in replaced) return { outcome: "conflict", revision: replaced.conflict };
  try {
    const summary = changes.map(({ action, kind, id }) => ({ action, kind, id }));
    await record({ code: "organization.changed", revision: replaced.revision, changes: summary });
  } catch (cause) {
    // What is not on record did not happen. If the store is gone too, this throws its own error, and the next plan shows it.
    await store.replaceOrganization(current, replaced.revision);
    throw new CredenceError("The change could not be recorded, and was taken back.", {
      code: "temporarily_unavailable",
      reason: "store-unavailable",
      status: 503,
      cause,
    });
  }
  return { outcome: "applied", revision: replaced.revision, changes, warnings: [] };
}
