import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { storedValues } from "../text.ts";
import type { StatementResult } from "./messages.ts";

/** One open SQLite connection, on whichever thread it was opened. */
export interface Engine {
  execute(sql: string, values: readonly unknown[]): StatementResult;
  /** A query, prepared once. */
  prepare(sql: string): (values: readonly unknown[]) => readonly unknown[];
  /** Never when it is closed. */
  readonly inTransaction: boolean;
  close(): void;
}

/** How long opening, and a reading statement, waits for another connection's lock, in milliseconds. */
const BUSY_TIMEOUT = 5_000;
const CACHED_STATEMENTS = 200;

/**
 * Opens a SQLite file.
 *
 * @param path - An existing file; an empty one becomes a database when `readOnly` is off.
 * @throws the engine's own error when the file is no database or cannot be opened.
 */
export function openEngine(path: string, readOnly: boolean): Engine {
  const database = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT });
  try {
    configure(database, readOnly);
  } catch (error) {
    database.close();
    throw error;
  }
  const prepare = cachedPrepare(database);
  return {
    execute(sql, values) {
      const { statement, gives } = prepare(sql);
      if (gives) return statement.all(...bound(values));
      return Number(statement.run(...bound(values)).changes);
    },
    prepare(sql) {
      const statement = database.prepare(sql);
      return (values) => statement.all(...bound(values));
    },
    get inTransaction() {
      return database.isOpen && database.isTransaction;
    },
    close: () => database.close(),
  };
}

/** The values of our own typed queries: strings, numbers and null. */
function bound(values: readonly unknown[]): SQLInputValue[] {
  return storedValues(values) as SQLInputValue[];
}

function configure(database: DatabaseSync, readOnly: boolean): void {
  database.exec("pragma trusted_schema = off");
  if (readOnly) {
    // Reads a page now, so that what is no database is refused here and not in the middle of something.
    database.prepare("select count(*) from sqlite_schema").get();
    return;
  }
  database.exec("pragma journal_mode = wal");
  // FULL, not NORMAL: a permit must survive a power cut that comes right after its answer left.
  database.exec("pragma synchronous = full");
  // Whoever writes waits in its own way: SQLite's would sleep for tens of milliseconds.
  database.exec("pragma busy_timeout = 0");
}

interface Prepared {
  readonly statement: StatementSync;
  /** Whether it gives rows. */
  readonly gives: boolean;
}

function cachedPrepare(database: DatabaseSync): (sql: string) => Prepared {
  const cached = new Map<string, Prepared>();
  return (sql) => {
    const known = cached.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    const prepared = { statement, gives: statement.columns().length > 0 };
    const oldest = cached.size >= CACHED_STATEMENTS ? cached.keys().next().value : undefined;
    if (oldest !== undefined) cached.delete(oldest);
    cached.set(sql, prepared);
    return prepared;
  };
}
