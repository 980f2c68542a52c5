import type { DatabaseSync } from "node:sqlite";

/** Writes that come in one turn of the event loop, in one transaction: they wait for the disk together. */
export interface WriteGroup {
  /**
   * Runs a statement with the others of this turn.
   *
   * @returns what it gives, once all of them are on disk. Rejects, and nothing of the turn is written, when one of them fails.
   */
  write<T>(run: () => T): Promise<T>;
}

/** Reads that come in one turn of the event loop, in one transaction: to begin and end one costs more than to read. */
export interface ReadGroup {
  /**
   * Runs a query with the others of this turn, once all that came with the turn's requests has been read.
   *
   * @returns what it gives. Rejects when one of them fails.
   */
  read<T>(run: () => T): Promise<T>;
}

interface Waiting {
  run(): void;
  resolve(): void;
  reject(cause: unknown): void;
}

/** Statements in one transaction: others who write to the file wait for its end. */
const LARGEST = 500;

/** Runs a transaction, or throws where there may be none. */
type Guard = (transaction: () => void) => void;

export function writeGroup(db: DatabaseSync, guard: Guard): WriteGroup {
  return { write: grouped(db, "BEGIN IMMEDIATE", guard) };
}

export function readGroup(db: DatabaseSync, guard: Guard): ReadGroup {
  return { read: grouped(db, "BEGIN", guard) };
}

function grouped(db: DatabaseSync, begin: string, guard: Guard): <T>(run: () => T) => Promise<T> {
  const [first, last] = [db.prepare(begin), db.prepare("COMMIT")];
  let waiting: Waiting[] = [];

  function transaction(group: readonly Waiting[]): void {
    first.run();
    try {
      for (const one of group) one.run();
      last.run();
    } catch (cause) {
      // What SQLite has rolled back by itself (a full disk) is no transaction any more.
      if (db.isTransaction) db.exec("ROLLBACK");
      throw cause;
    }
  }

  function commit(): void {
    const group = waiting.slice(0, LARGEST);
    waiting = waiting.slice(LARGEST);
    if (waiting.length > 0) setImmediate(commit);
    try {
      guard(() => transaction(group));
    } catch (cause) {
      for (const one of group) one.reject(cause);
      return;
    }
    for (const one of group) one.resolve();
  }

  return (run) =>
    new Promise((resolve, reject) => {
      let result: ReturnType<typeof run>;
      // All that came with this turn's requests has been read by then.
      if (waiting.length === 0) setImmediate(commit);
      waiting.push({
        run: () => {
          result = run();
        },
        resolve: () => resolve(result),
        reject,
      });
    });
}
