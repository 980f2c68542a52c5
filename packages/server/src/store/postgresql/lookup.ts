import type pg from "pg";
import type { Lookup, TableName } from "../backend.ts";
import { createBatches } from "../batches.ts";
import type { Tables } from "../schema.ts";
import { storedText } from "../text.ts";
import { prepareOn } from "./prepared.ts";

/**
 * Look-ups of one kind that come at the same time go to the database as one query: a round trip costs more than the rows.
 * The names are those of our own tables and columns.
 */
export function prepareLookup<T extends TableName>(pool: pg.Pool, table: T, by: readonly string[]): Lookup<Tables[T]> {
  const values = by.map((_, n) => `v${n}`);
  const query = prepareOn<Tables[T] & { readonly nr: number }>(
    pool,
    `select wanted.nr::integer as nr, found.*
       from unnest(${by.map((_, n) => `$${n + 1}::text[]`).join(", ")}) with ordinality as wanted(${values.join(", ")}, nr)
       join "${table}" as found on ${by.map((column, n) => `found."${column}" = wanted.v${n}`).join(" and ")}`,
  );
  const lookups = createBatches<readonly string[], readonly Tables[T][]>(async (wanted) => {
    const found: Tables[T][][] = wanted.map(() => []);
    const columns = by.map((_, n) => wanted.map((one) => storedText(one[n] ?? "")));
    for (const { nr, ...row } of await query(columns)) found[nr - 1]?.push(row as unknown as Tables[T]);
    return found;
  });
  return (...wanted) => lookups.add(wanted);
}
