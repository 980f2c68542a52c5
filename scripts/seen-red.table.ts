/**
 * Binding bugs that peers have shipped, what keeps each of them out here, and the tests that notice when it is gone.
 * `npm run seen-red` takes the checks out one row at a time; docs/binding-bugs.md is this table for readers.
 */
import { CLIENT_ROWS } from "./seen-red.client.ts";
import { DOCUMENT_ROWS } from "./seen-red.documents.ts";
import { DPOP_ROWS } from "./seen-red.dpop.ts";
import { ENDING_ROWS } from "./seen-red.endings.ts";
import { GRANT_ROWS } from "./seen-red.grants.ts";
import { IDP_ROWS } from "./seen-red.idp.ts";
import { LIMIT_ROWS } from "./seen-red.limits.ts";
import { POSSESSION_ROWS } from "./seen-red.possession.ts";
import { PROCESS_ROWS } from "./seen-red.process.ts";
import { RECEIVER_ROWS } from "./seen-red.receiver.ts";
import { RECORD_ROWS } from "./seen-red.record.ts";
import { WIRE_ROWS } from "./seen-red.wire.ts";

/** One change of the code: a snippet that stands in the file exactly once, and what stands there without the check. */
export interface Change {
  /** From the repository's folder; in `node_modules/` where a dependency does the checking. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Tests of one file. */
export interface Tests {
  readonly file: string;
  /** Full names as vitest prints them, parts divided by ` > `. */
  readonly names: readonly string[];
}

/** One way in which a bug could come back. */
export interface Row {
  /** The bug, as a reader knows it. */
  readonly bug: string;
  /** What keeps it out. */
  readonly check: string;
  /** More than one where two checks guard the same: then either alone keeps the tests green, and both are taken out. */
  readonly changes: readonly Change[];
  /** All of these must fail without the check. */
  readonly tests: readonly Tests[];
}

export const ROWS: readonly Row[] = [
  ...WIRE_ROWS,
  ...IDP_ROWS,
  ...DPOP_ROWS,
  ...POSSESSION_ROWS,
  ...GRANT_ROWS,
  ...DOCUMENT_ROWS,
  ...RECEIVER_ROWS,
  ...CLIENT_ROWS,
  ...RECORD_ROWS,
  ...ENDING_ROWS,
  ...LIMIT_ROWS,
  ...PROCESS_ROWS,
];
