import { Kysely, sql } from "kysely";
import type pg from "pg";
import type { Backend } from "../backend.ts";
import { migrate, requireMigrated } from "../migrations.ts";
import type { Tables } from "../schema.ts";
import { prepareAudit } from "./audit.ts";
import { bytewise } from "./bytewise.ts";
import { pooled, postgresqlDialect } from "./dialect.ts";
import { prepareLookup } from "./lookup.ts";
import { prepareMarks } from "./marks.ts";
import { connectAlone, createPool } from "./pool.ts";
import { prepareRevision } from "./revision.ts";

/** All statements of a reading transaction see one moment. */
const SNAPSHOT = "begin isolation level repeatable read read only";

/** Opens a PostgreSQL database, for this process and any number of others. */
export async function openPostgresql(url: string, readOnly: boolean): Promise<Backend> {
  if (!readOnly) await bringUpToDate(url);
  const pool = createPool(url, readOnly);
  const clients = pooled(pool);
  try {
    const read = new Kysely<Tables>({ dialect: postgresqlDialect(clients, SNAPSHOT) });
    await requireMigrated(read, await currentSchema(read));
    return {
      read,
      write: new Kysely<Tables>({ dialect: postgresqlDialect(clients, "begin") }),
      lookup: (table, by) => prepareLookup(pool, table, by),
      ...prepareRevision(pool),
      insertMark: prepareMarks(pool),
      insertAudit: prepareAudit(pool),
      close: () => pool.end(),
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** Any number that nobody else takes for a lock of theirs in this database. */
const MIGRATION_LOCK = 4_271_903_518;

/** Of several processes that find old or no tables at once, one brings them up to date while the others wait for it. */
async function bringUpToDate(url: string): Promise<void> {
  const client = await connectAlone(url);
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    const db = new Kysely<Tables>({ dialect: postgresqlDialect(only(client), "begin"), plugins: [bytewise] });
    await migrate(db, await currentSchema(db));
  } finally {
    // The lock ends with the connection.
    await client.end();
  }
}

function only(client: pg.Client) {
  return { take: async () => client, giveBack: () => {}, end: async () => {} };
}

/** Where our tables are: other schemas of the database may have tables of the same names. */
async function currentSchema(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ schema: string | null }>`select current_schema() as schema`.execute(db);
  const [row] = rows;
  if (!row?.schema) throw new Error("the database has none of the schemas in its search_path");
  return row.schema;
}
