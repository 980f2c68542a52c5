import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

/** What one statement gave. `changes` counts the rows written; 0 for a query. */
export interface StatementResult {
  readonly rows: unknown[];
  readonly changes: number;
}

/** One open SQLite connection, on whichever thread it was opened. */
export interface Engine {
  execute(sql: string, parameters: readonly unknown[]): StatementResult;
  close(): void;
}

/** How long a statement waits for another connection's lock, in milliseconds. */
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
    execute(sql, parameters) {
      // A failed commit may have rolled back already; to roll back again would hide the first error behind a second.
      if (sql === "rollback" && !database.isTransaction) return { rows: [], changes: 0 };
      const statement = prepare(sql);
      // Kysely's parameters are the values of our own typed queries: strings, numbers and null.
      const values = parameters as SQLInputValue[];
      if (statement.columns().length > 0) return { rows: statement.all(...values), changes: 0 };
      return { rows: [], changes: Number(statement.run(...values).changes) };
    },
    close: () => database.close(),
  };
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
}

function cachedPrepare(database: DatabaseSync): (sql: string) => StatementSync {
  const statements = new Map<string, StatementSync>();
  return (sql) => {
    const known = statements.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    const oldest = statements.size >= CACHED_STATEMENTS ? statements.keys().next().value : undefined;
    if (oldest !== undefined) statements.delete(oldest);
    statements.set(sql, statement);
    return statement;
  };
}
