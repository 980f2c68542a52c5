/** What a store holds, table by table: what the requests have written. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestSchema } from "../../packages/server/src/store/postgresql.testing.ts";

/** A hash of each row of each table. */
export type Tables = ReadonlyMap<string, ReadonlySet<string>>;

/** Of what has expired, rows go by themselves, whatever is sent. */
const SWEPT: ReadonlySet<string> = new Set(["single_use", "artifacts", "attempts"]);

/** Reads all tables of SQLite, beside the server. */
export function sqliteTables(dataDir: string): Tables {
  const db = new DatabaseSync(join(dataDir, "credence.sqlite"), { readOnly: true });
  try {
    const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return new Map(names.map(({ name }) => [String(name), hashesOf(db.prepare(`SELECT * FROM "${name}"`).all())]));
  } finally {
    db.close();
  }
}

/** Reads all tables of a schema of PostgreSQL. */
export async function postgresqlTables({ query }: TestSchema): Promise<Tables> {
  const names = await query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()",
  );
  const tables = new Map<string, ReadonlySet<string>>();
  for (const { name } of names) tables.set(String(name), hashesOf(await query(`SELECT * FROM "${name}"`)));
  return tables;
}

function hashesOf(rows: readonly object[]): ReadonlySet<string> {
  const textOf = (row: object) =>
    JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value));
  return new Set(rows.map((row) => createHash("sha256").update(textOf(row)).digest("base64url")));
}

/** Names of the tables that have rows which they did not have, or lack some that they had and that do not expire. */
export function changedTables(before: Tables, after: Tables): readonly string[] {
  const none: ReadonlySet<string> = new Set();
  const changed = [...after].filter(([name, rows]) => {
    const had = before.get(name) ?? none;
    return !isWithin(rows, had) || (!SWEPT.has(name) && !isWithin(had, rows));
  });
  return changed.map(([name]) => name).sort();
}

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every((one) => all.has(one));
}
