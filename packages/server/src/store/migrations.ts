import { CredenceError } from "@credence/protocol";
import { type Kysely, PostgresAdapter, sql } from "kysely";
import { DEFAULT_MIGRATION_TABLE, type Migration, type MigrationProvider, Migrator } from "kysely/migration";
import { attemptsTable } from "./attempts.ts";
import { KEY_RING_ROW, ORGANIZATION_ROW, type Tables } from "./schema.ts";

/** Forwards only: each migration once, in the order of its name. One that a release had is never edited. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-first": { up: firstTables },
  "0002-app-names": { up: appNames },
  "0003-people-sign-in": { up: peopleSignIn },
  "0004-key-rotation": { up: keyRotation },
  "0005-attempts": { up: attemptsTable },
  "0006-record-rows": { up: recordRows },
};

const provider: MigrationProvider = { getMigrations: async () => ({ ...MIGRATIONS }) };

/**
 * Brings the tables up to what this version needs. Any number of processes may do so at once.
 *
 * @param schema - Where the tables are, in a database that has schemas.
 * @throws CredenceError `configuration` when the store is newer than this version, or a migration fails; it then changed nothing.
 */
export async function migrate(db: Kysely<Tables>, schema?: string): Promise<void> {
  const place = schema === undefined ? {} : { migrationTableSchema: schema };
  for (let attempt = 1; !(await isMigrated(db, schema)); attempt += 1) {
    const { error } = await new Migrator({ db, provider, ...place }).migrateToLatest();
    if (error === undefined) return;
    // Another process may have stood in the way, and be done by now.
    if (attempt < ATTEMPTS) continue;
    throw new CredenceError("The store can not be brought up to date: it may be from a newer version of Credence.", {
      code: "configuration",
      cause: error,
    });
  }
}

const ATTEMPTS = 5;

/**
 * Checks, for those who may only read, that the tables are exactly this version's.
 * @throws CredenceError `configuration` when they are not.
 */
export async function requireMigrated(db: Kysely<Tables>, schema?: string): Promise<void> {
  if (await isMigrated(db, schema)) return;
  throw new CredenceError(
    "The store is from another version of Credence: start the server of this version on it once, or use that version.",
    { code: "configuration" },
  );
}

/** Read from Kysely's own table: its Migrator names only the migrations that this version knows. */
async function isMigrated(db: Kysely<Tables>, schema: string | undefined): Promise<boolean> {
  const tables = db.withTables<{ [DEFAULT_MIGRATION_TABLE]: { name: string } }>();
  const log = schema === undefined ? tables : tables.withSchema(schema);
  try {
    const rows = await log.selectFrom(DEFAULT_MIGRATION_TABLE).select("name").execute();
    const done = rows.map(({ name }) => name).toSorted();
    return done.join() === Object.keys(MIGRATIONS).join();
  } catch (error) {
    if (isMissingTable(error)) return false;
    throw error;
  }
}

/** By PostgreSQL's code for it, and by what SQLite says, whose code is the same for much else. */
function isMissingTable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "42P01") || error.message.startsWith("no such table");
}

// A migration sees the tables of its own time, not of `Tables`, hence `Kysely<unknown>`.
async function firstTables(db: Kysely<unknown>): Promise<void> {
  await singleUseTable(db);
  await organizationTables(db);
  await artifactTable(db);
  await keyTable(db);
  await auditTables(db);
}

async function singleUseTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("single_use")
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("expires_at", "double precision", (column) => column.notNull())
    .addPrimaryKeyConstraint("single_use_key", ["kind", "key"])
    .execute();
  await db.schema.createIndex("single_use_expiry").on("single_use").column("expires_at").execute();
}

async function organizationTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("organization")
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("revision", "integer", (column) => column.notNull())
    .addColumn("document", "text", (column) => column.notNull())
    .execute();
  await (db as Kysely<Tables>)
    .insertInto("organization")
    .values({ id: ORGANIZATION_ROW, revision: 0, document: JSON.stringify({ name: "", demo: false }) })
    .execute();
  await db.schema
    .createTable("people")
    .addColumn("id", "text", (column) => column.primaryKey())
    // In lower case. Unique: two people behind one address would make a sign-in ambiguous.
    .addColumn("email", "text", (column) => column.notNull().unique())
    .addColumn("document", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("agents")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("document", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("apps")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("issuer", "text", (column) => column.notNull().unique())
    .addColumn("document", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("connections")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("agent", "text", (column) => column.notNull())
    .addColumn("app", "text", (column) => column.notNull())
    .addColumn("document", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("connections_agent_app").on("connections").columns(["agent", "app"]).execute();
}

async function artifactTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("artifacts")
    .addColumn("model", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("uid", "text")
    .addColumn("grant_id", "text")
    .addColumn("payload", "text", (column) => column.notNull())
    .addColumn("expires_at", "double precision")
    .addColumn("consumed_at", "double precision")
    .addPrimaryKeyConstraint("artifacts_key", ["model", "key"])
    .execute();
  await db.schema.createIndex("artifacts_uid").on("artifacts").columns(["model", "uid"]).execute();
  await db.schema.createIndex("artifacts_grant").on("artifacts").column("grant_id").execute();
  await db.schema.createIndex("artifacts_expiry").on("artifacts").column("expires_at").execute();
}

async function keyTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("keys")
    .addColumn("kid", "text", (column) => column.primaryKey())
    .addColumn("use", "text", (column) => column.notNull())
    .addColumn("alg", "text", (column) => column.notNull())
    .addColumn("public_jwk", "text", (column) => column.notNull())
    .addColumn("sealed_private_jwk", "text", (column) => column.notNull())
    .addColumn("created_at", "double precision", (column) => column.notNull())
    .execute();
}

async function auditTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("audit_events")
    .addColumn("writer", "text", (column) => column.notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("hash", "text", (column) => column.notNull())
    .addColumn("payload", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("audit_events_key", ["writer", "seq"])
    .execute();
  await db.schema
    .createTable("audit_personal")
    .addColumn("writer", "text", (column) => column.notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("field", "text", (column) => column.notNull())
    .addColumn("salt", "text", (column) => column.notNull())
    .addColumn("value", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("audit_personal_key", ["writer", "seq", "field"])
    .execute();
  await db.schema
    .createTable("audit_writers")
    // The place in the register: two processes that start at once can not both take it.
    .addColumn("position", "integer", (column) => column.primaryKey())
    .addColumn("writer", "text", (column) => column.notNull().unique())
    .addColumn("started_at", "double precision", (column) => column.notNull())
    .addColumn("signature", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("audit_heads")
    .addColumn("writer", "text", (column) => column.notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("hash", "text", (column) => column.notNull())
    .addColumn("signed_at", "double precision", (column) => column.notNull())
    .addColumn("signature", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("audit_heads_key", ["writer", "seq"])
    .execute();
}

async function appNames(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("app_names")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("app", "text", (column) => column.notNull())
    .addColumn("document", "text", (column) => column.notNull())
    .execute();
}

/** How people prove who they are beside a password, and whose an artifact is. */
async function peopleSignIn(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("factors")
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("person", "text", (column) => column.notNull())
    .addColumn("payload", "text", (column) => column.notNull())
    .addColumn("counter", "double precision", (column) => column.notNull())
    .addColumn("created_at", "double precision", (column) => column.notNull())
    .addColumn("used_at", "double precision")
    .addPrimaryKeyConstraint("factors_key", ["kind", "key"])
    .execute();
  await db.schema.createIndex("factors_person").on("factors").column("person").execute();
  await db.schema.alterTable("artifacts").addColumn("subject", "text").execute();
  await db.schema.createIndex("artifacts_subject").on("artifacts").columns(["subject", "model"]).execute();
}

/** Where each key is in its life; and a revision, so that of two processes that rotate at once, one does. */
async function keyRotation(db: Kysely<unknown>): Promise<void> {
  // Those that there are sign already.
  await db.schema
    .alterTable("keys")
    .addColumn("state", "text", (column) => column.notNull().defaultTo("active"))
    .execute();
  for (const time of ["activated_at", "retiring_at", "ends_at"]) {
    await db.schema.alterTable("keys").addColumn(time, "double precision").execute();
  }
  await db.schema
    .createTable("key_ring")
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("revision", "integer", (column) => column.notNull())
    .addColumn("wrapped_by", "text")
    .addColumn("wrapped_data_key", "text")
    .execute();
  const ring = { id: KEY_RING_ROW, revision: 0, wrapped_by: null, wrapped_data_key: null };
  await (db as Kysely<Tables>).insertInto("key_ring").values(ring).execute();
}

/** One row for each event, with its personal fields beside what the hash covers; and, where `integer` has 32 bits, room for more. */
async function recordRows(db: Kysely<unknown>): Promise<void> {
  const postgresql = db.getExecutor().adapter instanceof PostgresAdapter;
  await db.schema
    .alterTable("audit_events")
    .addColumn("personal", "text", (column) => column.notNull().defaultTo(""))
    .execute();
  // In the database: a record has millions of events.
  const fields = postgresql
    ? sql`json_agg(json_build_array(field, salt, value))::text`
    : sql`json_group_array(json_array(field, salt, value))`;
  await sql`
    update audit_events set personal = (
      select ${fields} from audit_personal as one
      where one.writer = audit_events.writer and one.seq = audit_events.seq
    ) where exists (
      select 1 from audit_personal as any_one
      where any_one.writer = audit_events.writer and any_one.seq = audit_events.seq
    )`.execute(db);
  await db.schema.dropTable("audit_personal").execute();
  if (!postgresql) return;
  for (const table of ["audit_events", "audit_heads"]) {
    await sql`alter table ${sql.table(table)} alter column seq type bigint`.execute(db);
  }
}
