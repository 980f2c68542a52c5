/** What a store holds, table by table: what the requests have written. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestSchema } from "../../packages/server/src/store/postgresql.testing.ts";

/** A hash over all rows of each table. */
export type Tables = ReadonlyMap<string, string>;

/** Reads all tables of SQLite, beside the server. */
export function sqliteTables(dataDir: string): Tables {
  const db = new DatabaseSync(join(dataDir, "credence.sqlite"), { readOnly: true });
  try {
    const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return new Map(names.map(({ name }) => [String(name), hashOf(db.prepare(`SELECT * FROM "${name}"`).all())]));
  } finally {
    db.close();
  }
}

/** Reads all tables of a schema of PostgreSQL. */
export async function postgresqlTables({ query }: TestSchema): Promise<Tables> {
  const names = await query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()",
  );
  const tables = new Map<string, string>();
  for (const { name } of names) tables.set(String(name), hashOf(await query(`SELECT * FROM "${name}"`)));
  return tables;
}

function hashOf(rows: readonly object[]): string {
  const texts = rows.map((row) =>
    JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)),
  );
  return createHash("sha256").update(texts.sort().join("\n")).digest("base64url");
}

/** Names of the tables that differ. */
export function changedTables(before: Tables, after: Tables): readonly string[] {
  return [...after.keys()].filter((name) => before.get(name) !== after.get(name)).sort();
}
