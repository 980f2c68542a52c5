import type { Kysely } from "kysely";
import type { Tables } from "./schema.ts";
import type { AuditRow } from "./store.ts";

/**
 * A database, as the operations of the store are written over it. Most of them are Kysely queries, the same for both. What
 * every exchange does is apart, so that each database does it in its own cheapest way.
 */
export interface Backend {
  /** For reading; a transaction sees one snapshot. */
  readonly read: Kysely<Tables>;
  /** For writing; a statement or transaction resolves after its commit. */
  readonly write: Kysely<Tables>;
  /** Prepares to find rows of a table by the exact values of some columns, which an index must have. */
  lookup<T extends TableName>(table: T, by: readonly TextColumn<T>[]): Lookup<Tables[T]>;
  /** The organization's revision, as it was at most {@link REVISION_AGE} ago. */
  organizationRevision(): number | Promise<number>;
  /** What this process has just changed it sees at once. */
  organizationChanged(): void;
  /** Inserts a mark unless it is there, and says whether it did. */
  insertMark(mark: Tables["single_use"]): Promise<boolean>;
  /** Inserts all rows in one commit, or none. */
  insertAudit(rows: readonly AuditRow[]): Promise<void>;
  close(): Promise<void>;
}

/** How old the revision may be, in milliseconds, that cached documents are compared with. */
export const REVISION_AGE = 250;

/** Rows by values, in the order of `by`. */
export type Lookup<R> = (...values: readonly string[]) => readonly R[] | Promise<readonly R[]>;

export type TableName = keyof Tables & string;

/** Columns of a table that hold text. */
export type TextColumn<T extends TableName> = {
  [C in keyof Tables[T] & string]: Tables[T][C] extends string | null ? C : never;
}[keyof Tables[T] & string];
