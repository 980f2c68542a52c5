import type pg from "pg";

/** A statement that each connection parses and plans once. Rejects when the database does not do it. */
export type Prepared<R extends pg.QueryResultRow> = (values: readonly unknown[]) => Promise<readonly R[]>;

let prepared = 0;

/** @param text - One of a few: each connection keeps them all. */
export function prepareOn<R extends pg.QueryResultRow>(pool: pg.Pool, text: string): Prepared<R> {
  prepared += 1;
  const name = `credence_${prepared}`;
  // `pg` takes an array that it may write to; it gives one of its own to each query.
  return async (values) => (await pool.query<R>({ name, text, values: [...values] })).rows;
}
