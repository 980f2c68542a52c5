/** A store in SQLite, for the processes of one machine. Needs `node:sqlite`: Node 22.13 and later. */
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { CredenceError } from "@credence/protocol";
import type { ResourceStore } from "./store.ts";
import { checkKey, checkValue, storeFault, wholeSecond } from "./stores/limits.ts";
import { readGroup, writeGroup } from "./stores/sqlite-group.ts";
import { SWEEP_ROWS, sweeper, type TableNames, tableNames } from "./stores/tables.ts";

/** How a store keeps itself in SQLite. */
export interface SqliteStoreOptions {
  /** Of the names of its tables; `credence_` by default. */
  readonly prefix?: string;
  /** Seconds to wait for another process that writes, 2 by default; of a database that you opened, its own setting counts. */
  readonly timeout?: number;
  /** Seconds since the epoch; by default as SQLite says. */
  readonly now?: () => number;
}

/** A store in SQLite. */
export interface SqliteStore extends ResourceStore {
  /**
   * Removes what has expired, at most 1,000 rows of each table; it happens by itself while marks are made.
   * @returns how many rows are gone.
   */
  sweep(): Promise<number>;
  /** Closes the database, where the store opened it. */
  close(): void;
}

/**
 * Keeps everything in a SQLite database. Any number of processes of one machine may share its file; it must not lie on a
 * network share. A write has reached the disk when its promise resolves; those of one turn of the event loop go there
 * together, and block this process for that time.
 *
 * @param database - Path of the file (made with mode 0600, in WAL mode with synchronous FULL), or a database that you opened:
 * its settings stay yours, and no transaction of yours may be open when the store is called.
 * @throws CredenceError `store-unavailable` when the database can not be opened.
 */
export function sqliteStore(database: string | DatabaseSync, options: SqliteStoreOptions = {}): SqliteStore {
  const { prefix = "credence_", timeout = 2, now } = options;
  const tables = tableNames(prefix);
  const db = typeof database === "string" ? attempt(() => open(database, timeout), `open ${database}`) : database;
  const run = attempt(() => statements(db, tables));
  /** `null`: by the clock of SQLite, read once the lock is held. */
  const clock = (): number | null => (now ? Math.floor(now()) : null);
  const guard = <T>(work: () => T): T =>
    attempt(() => {
      // What is written in somebody's open transaction is undone with it, and a mark would count twice.
      if (db.isTransaction) throw storeFault("The SQLite store was called inside a transaction of its caller");
      return work();
    });
  const guarded = async <T>(work: () => T): Promise<T> => guard(work);
  const { write } = writeGroup(db, guard);
  const { read } = readGroup(db, guard);

  const sweep = (): Promise<number> =>
    guarded(() => {
      const removed = [run.sweepMarks, run.sweepValues].map((one) => one.run(clock(), SWEEP_ROWS).changes);
      return removed.reduce<number>((sum, changes) => sum + Number(changes), 0);
    });
  const written = sweeper(sweep);
  return {
    async consume(key, expiresAt) {
      checkKey(key);
      const until = wholeSecond(expiresAt);
      const marked = await write(() => run.consume.run(key, until, clock()));
      await written();
      return Number(marked.changes) === 0 ? "again" : "first";
    },
    async epochs(keys) {
      keys.forEach(checkKey);
      const rows = await read(() => run.epochs.all(JSON.stringify(keys)));
      const known = new Map(rows.map(({ key, epoch }) => [key, Number(epoch)]));
      return keys.map((key) => known.get(key));
    },
    async raiseEpoch(key) {
      checkKey(key);
      return Number((await write(() => run.raise.get(key, clock())))?.epoch);
    },
    async put(key, value, expiresAt) {
      checkKey(key);
      checkValue(value);
      const until = wholeSecond(expiresAt);
      await write(() => run.put.run(key, value, until));
      await written();
    },
    async get(key) {
      checkKey(key);
      const value = (await read(() => run.get.get(key, clock())))?.value;
      return typeof value === "string" ? value : undefined;
    },
    async delete(key) {
      checkKey(key);
      await write(() => run.delete.run(key));
    },
    sweep,
    close() {
      if (typeof database === "string") db.close();
    },
  };
}

/**
 * Pages of the log (of 4 KB) after which they go into the database itself: marks are hashes, and change the same pages again and
 * again. Four times SQLite's own number.
 */
const CHECKPOINT_PAGES = 4_000;

function open(path: string, timeout: number): DatabaseSync {
  // The journal's files take the mode of the database's.
  if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
  const db = new DatabaseSync(path, { timeout: timeout * 1_000 });
  // SQLite does not wait by itself for the one moment in which the mode of a new file changes.
  untilFree(() => db.exec("PRAGMA journal_mode = WAL"), timeout);
  db.exec("PRAGMA synchronous = FULL");
  db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  return db;
}

/** Only at the start: it blocks. */
function untilFree(work: () => void, timeout: number): void {
  const end = Date.now() + timeout * 1_000;
  for (;;) {
    try {
      work();
      return;
    } catch (cause) {
      if (Date.now() >= end || !(cause instanceof Error && /locked|busy/.test(cause.message))) throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/**
 * Marks are rows in the order in which they come, so that of the table and of the index by expiry the last pages change, and only
 * the index by key, a hash, changes anywhere.
 *
 * Each is one statement, so each is atomic. `coalesce(?, unixepoch())`: the clock of the options, else SQLite's.
 */
function statements(db: DatabaseSync, { marks, values, epochs }: TableNames) {
  db.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS ${marks} (key TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS ${indexOf(marks)} ON ${marks} (expires_at);
    CREATE TABLE IF NOT EXISTS ${values} (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS ${indexOf(values)} ON ${values} (expires_at);
    CREATE TABLE IF NOT EXISTS ${epochs} (key TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    COMMIT`);
  const sweep = (table: string) =>
    db.prepare(`DELETE FROM ${table} WHERE key IN (
      SELECT key FROM ${table} WHERE expires_at <= coalesce(?, unixepoch()) ORDER BY expires_at LIMIT ?)`);
  return {
    consume: db.prepare(`INSERT INTO ${marks} (key, expires_at) VALUES (?, ?)
      ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE expires_at <= coalesce(?, unixepoch())`),
    epochs: db.prepare(`SELECT key, epoch FROM ${epochs} WHERE key IN (SELECT value FROM json_each(?))`),
    raise: db.prepare(`INSERT INTO ${epochs} (key, epoch) VALUES (?, coalesce(?, unixepoch()))
      ON CONFLICT (key) DO UPDATE SET epoch = max(epoch, excluded.epoch) RETURNING epoch`),
    put: db.prepare(`INSERT INTO ${values} (key, value, expires_at) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`),
    get: db.prepare(`SELECT value FROM ${values} WHERE key = ? AND expires_at > coalesce(?, unixepoch())`),
    delete: db.prepare(`DELETE FROM ${values} WHERE key = ?`),
    sweepMarks: sweep(marks),
    sweepValues: sweep(values),
  };
}

function indexOf(table: string): string {
  return table.replace(/"$/, '_by_expiry"');
}

/** Whatever goes wrong in SQLite is a store that is not there. */
function attempt<T>(work: () => T, what?: string): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof CredenceError) throw cause;
    throw storeFault(`The SQLite store ${what === undefined ? "failed" : `could not ${what}`}`, cause);
  }
}
