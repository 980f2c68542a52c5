import { CredenceError } from "@credence/protocol";
import { Kysely } from "kysely";
import { artifactStore } from "./artifacts.ts";
import { factorStore } from "./factors.ts";
import { ensurePrivateFile, requireFile } from "./files.ts";
import { migrate, requireMigrated } from "./migrations.ts";
import { organizationStore } from "./organization.ts";
import { recordStore } from "./record.ts";
import type { Tables } from "./schema.ts";
import { connectHere, connectOnThread, type SqliteConnection } from "./sqlite/connection.ts";
import { sqliteDialect } from "./sqlite/dialect.ts";
import type { Store } from "./store.ts";

/** How a store is opened. */
export interface OpenStoreOptions {
  /** For the record's readers, beside a running server or without one: nothing is created, writing rejects. */
  readonly readOnly?: boolean;
}

/**
 * Opens the embedded store: SQLite in WAL mode, each commit on disk before it resolves (synchronous=FULL). Writes run on
 * a thread of their own; reads run here and see every write that has resolved.
 *
 * @param path - The database file (see `storePath`); created with mode 0600, its directory with 0700, when missing.
 * @returns the store; each of its operations rejects with a CredenceError `temporarily_unavailable`, reason
 *   `store-unavailable`, when the database does not do it.
 * @throws CredenceError `configuration` when the file is missing (read-only), is no database, or is another version's.
 */
export async function openStore(path: string, options: OpenStoreOptions = {}): Promise<Store> {
  return options.readOnly ? openReader(path) : openWriter(path);
}

async function openWriter(path: string): Promise<Store> {
  const write = await opening(path, async () => {
    ensurePrivateFile(path);
    return connect(connectOnThread(path), migrate);
  });
  const read = await opening(path, () => connect(connectHere(path), requireMigrated)).catch(async (error) => {
    await write.destroy();
    throw error;
  });
  return compose(read, write);
}

async function openReader(path: string): Promise<Store> {
  requireFile(path);
  const read = await opening(path, () => connect(connectHere(path), requireMigrated));
  // The reader's own connection was opened read-only: SQLite refuses whatever tries to write through it.
  return compose(read, read);
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

async function opening<T>(path: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (cause instanceof CredenceError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CredenceError(`The store ${path} can not be opened: ${why}`, { code: "configuration", cause });
  }
}

function compose(read: Kysely<Tables>, write: Kysely<Tables>): Store {
  let closing: Promise<void> | undefined;
  return {
    ...guarded({
      ...organizationStore(read, write),
      ...artifactStore(read, write),
      ...factorStore(read, write),
      ...recordStore(read, write),
    }),
    close() {
      // The writer last: whoever closes last folds the log into the database file.
      closing ??= read === write ? read.destroy() : read.destroy().then(() => write.destroy());
      return closing;
    },
  };
}

type Operations = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;

/** The same operations, whose every failure is the one error that callers answer with 503. */
function guarded<O extends Operations>(operations: O): O {
  const guard = ([name, operation]: [string, Operations[string]]) => [
    name,
    async (...args: never[]) => {
      try {
        return await operation(...args);
      } catch (cause) {
        throw new CredenceError(`The store could not do "${name}".`, {
          code: "temporarily_unavailable",
          reason: "store-unavailable",
          status: 503,
          cause,
        });
      }
    },
  ];
  // Object.fromEntries forgets the names; they are the same, and so are the signatures.
  return Object.fromEntries(Object.entries(operations).map(guard)) as O;
}
