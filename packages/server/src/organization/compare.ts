import type { Organization } from "../directory/types.ts";
import { type Change, planChanges } from "./plan.ts";
import type { Problem } from "./problems.ts";
import { type ReadOptions, readOrganization } from "./read.ts";

/** What a file is held against: the organization as it is. */
export type CompareOptions = ReadOptions & { readonly current: Organization };

/** A file held against the organization as it is, or every problem of the file. */
export type Comparison =
  | {
      readonly ok: true;
      readonly organization: Organization;
      readonly changes: readonly Change[];
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a file, and tells what would change. */
export function compareFile(text: string, options: CompareOptions): Comparison {
  const read = readOrganization(text, options);
  return read.ok ? { ...read, changes: planChanges(options.current, read.organization) } : read;
}
