import { Kysely } from "kysely";
import type { Backend } from "../backend.ts";
import { ensurePrivateFile, requireFile } from "../files.ts";
import { migrate, requireMigrated } from "../migrations.ts";
import { ORGANIZATION_ROW, type Tables } from "../schema.ts";
import { openReader, openWriter, type SqliteConnection } from "./connections.ts";
import { sqliteDialect } from "./dialect.ts";
import { type Engine, openEngine } from "./engine.ts";
import { createLookups } from "./lookups.ts";

/** Opens the embedded database, for this process and others beside it. */
export async function openSqlite(path: string, commitDelayMs: number): Promise<Backend> {
  ensurePrivateFile(path);
  const writer = openWriter({ path, commitDelayMs });
  const write = await connect(writer, (db) => migrate(db));
  try {
    const reader = await openReading(path);
    return {
      ...reader,
      write,
      async insertMark({ kind, key, expires_at }) {
        const [changes] = await writer.commit([{ sql: INSERT_MARK, values: [[kind, key, expires_at]] }]);
        return changes === 1;
      },
      async insertAudit(rows) {
        const values = rows.map(({ writer: by, seq, hash, payload, personal }) => [by, seq, hash, payload, personal]);
        await writer.commit([{ sql: INSERT_EVENT, values }]);
      },
      async close() {
        // The writer last: whoever closes last folds the log into the database file.
        await reader.close();
        await writer.close();
      },
    };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

/** Opens it for reading alone: SQLite refuses whatever tries to write. @throws CredenceError `configuration`. */
export async function openSqliteReadOnly(path: string): Promise<Backend> {
  requireFile(path);
  const reader = await openReading(path);
  const refuse = (): never => {
    throw new Error("the store is open for reading alone");
  };
  return { ...reader, write: reader.read, insertMark: refuse, insertAudit: refuse };
}

const INSERT_MARK = "insert into single_use (kind, key, expires_at) values (?, ?, ?) on conflict do nothing";
const INSERT_EVENT = "insert into audit_events (writer, seq, hash, payload, personal) values (?, ?, ?, ?, ?)";

type Reading = Pick<Backend, "read" | "lookup" | "organizationRevision" | "organizationChanged" | "close">;

async function openReading(path: string): Promise<Reading> {
  const connection = openReader(path);
  const read = await connect(connection, (db) => requireMigrated(db));
  // Look-ups have a connection of their own: on one that is in a transaction they would see its snapshot, and nothing newer.
  const engine = openEngine(path, true);
  const lookups = createLookups(engine);
  return {
    read,
    lookup: lookups.prepare,
    ...revisionOf(engine),
    async close() {
      engine.close();
      await connection.close();
    },
  };
}

async function connect(
  connection: SqliteConnection,
  prepare: (db: Kysely<Tables>) => Promise<void>,
): Promise<Kysely<Tables>> {
  const db = new Kysely<Tables>({ dialect: sqliteDialect(connection) });
  try {
    await prepare(db);
    return db;
  } catch (error) {
    // Not through Kysely: it closes only what it has used.
    await connection.close();
    throw error;
  }
}

/**
 * The revision, read once for all that one turn of the event loop asks. Whoever asks after a look-up does so at a turn's end, and what
 * they were told serves the next turn as well: what another process has changed is seen a turn later at the most.
 */
function revisionOf(engine: Engine): Pick<Backend, "organizationRevision" | "organizationChanged"> {
  const query = engine.prepare("select revision from organization where id = ?");
  let current: number | undefined;
  const forget = (): void => {
    current = undefined;
  };
  return {
    organizationRevision() {
      if (current !== undefined) return current;
      const [row] = query([ORGANIZATION_ROW]) as readonly { readonly revision: number }[];
      if (row === undefined) throw new Error("the store has lost its organization");
      setImmediate(forget);
      current = row.revision;
      return current;
    },
    organizationChanged: forget,
  };
}
