import { type Kysely, PostgresAdapter, sql } from "kysely";
import type { Tables } from "./schema.ts";

/** Bytes that the store takes, without what it has room for inside: one of the few things that each database says its own way. */
export async function sizeOf(read: Kysely<Tables>): Promise<number> {
  const statement =
    read.getExecutor().adapter instanceof PostgresAdapter
      ? sql<Size>`select pg_database_size(current_database()) as bytes`
      : sql<Size>`
          select (pages.page_count - free.freelist_count) * size.page_size as bytes
          from pragma_page_count() pages, pragma_freelist_count() free, pragma_page_size() size`;
  const { rows } = await statement.execute(read);
  return Number(rows[0]?.bytes ?? 0);
}

interface Size {
  readonly bytes: number | bigint | string;
}
