import type pg from "pg";
import type { Backend } from "../backend.ts";
import { storedText } from "../text.ts";
import { prepareOn } from "./prepared.ts";

/** Appends events by one statement: one round trip, one commit, all or none. */
export function prepareAudit(pool: pg.Pool): Backend["insertAudit"] {
  const insert = prepareOn(
    pool,
    `insert into audit_events (writer, seq, hash, payload, personal)
     select * from json_to_recordset($1::json)
       as event(writer text, seq bigint, hash text, payload text, personal text)`,
  );
  return async (rows) => {
    await insert([stored(rows)]);
  };
}

/** JSON, which is made and read faster than PostgreSQL's arrays. */
function stored(rows: readonly object[]): string {
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === "string" ? storedText(value) : value));
}
