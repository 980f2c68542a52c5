import type pg from "pg";
import { createBatches } from "../batches.ts";
import type { Tables } from "../schema.ts";
import { storedText } from "../text.ts";
import { prepareOn } from "./prepared.ts";

type Mark = Tables["single_use"];

/**
 * Marks that come at the same time share one statement, and so one commit.
 * @returns inserts a mark unless it is there, and says whether it did.
 */
export function prepareMarks(pool: pg.Pool): (mark: Mark) => Promise<boolean> {
  const insert = prepareOn<Pick<Mark, "kind" | "key">>(
    pool,
    `insert into single_use (kind, key, expires_at)
     select * from unnest($1::text[], $2::text[], $3::double precision[])
     on conflict do nothing
     returning kind, key`,
  );
  const marks = createBatches<Mark, boolean>(async (items) => {
    // In one order whoever inserts: two processes with the same marks could else wait for each other.
    const ordered = items.toSorted((a, b) => compare(nameOf(a), nameOf(b)));
    const rows = await insert([
      ordered.map(({ kind }) => kind),
      ordered.map(({ key }) => key),
      ordered.map((mark) => mark.expires_at),
    ]);
    const inserted = new Set(rows.map(nameOf));
    // Of two with one name in this batch, the first one has inserted it.
    return items.map((mark) => inserted.delete(nameOf(mark)));
  });
  return ({ kind, key, expires_at }) => marks.add({ kind: storedText(kind), key: storedText(key), expires_at });
}

/** Unambiguous: no text that is stored has a NUL. */
function nameOf({ kind, key }: Pick<Mark, "kind" | "key">): string {
  return `${kind}\0${key}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
