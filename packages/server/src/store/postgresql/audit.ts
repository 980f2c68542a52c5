import type pg from "pg";
import type { Backend } from "../backend.ts";
import { storedText } from "../text.ts";
import { prepareOn } from "./prepared.ts";

/** Appends events and their personal fields by one statement: one round trip, one commit, all or none. */
export function prepareAudit(pool: pg.Pool): Backend["insertAudit"] {
  const insert = prepareOn(
    pool,
    `with events as (
       insert into audit_events (writer, seq, hash, payload)
       select * from json_to_recordset($1::json) as event(writer text, seq integer, hash text, payload text)
     )
     insert into audit_personal (writer, seq, field, salt, value)
     select * from json_to_recordset($2::json) as field(writer text, seq integer, field text, salt text, value text)`,
  );
  return async (rows, personal) => {
    await insert([stored(rows), stored(personal)]);
  };
}

/** JSON, which is made and read faster than PostgreSQL's arrays. */
function stored(rows: readonly object[]): string {
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === "string" ? storedText(value) : value));
}
