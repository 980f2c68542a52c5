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

interface Waiting {
  run(): void;
  resolve(): void;
  reject(cause: unknown): void;
}

/** Statements in one transaction: others who write to the file wait for its end. */
const LARGEST = 500;

/**
 * @param guard - Runs the transaction, or throws where there may be none.
 */
export function writeGroup(db: DatabaseSync, guard: (transaction: () => void) => void): WriteGroup {
  let waiting: Waiting[] = [];

  function commit(): void {
    const group = waiting.slice(0, LARGEST);
    waiting = waiting.slice(LARGEST);
    if (waiting.length > 0) setImmediate(commit);
    try {
      guard(() => inTransaction(db, group));
    } catch (cause) {
      for (const one of group) one.reject(cause);
      return;
    }
    for (const one of group) one.resolve();
  }

  return {
    write: (run) =>
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
      }),
  };
}

function inTransaction(db: DatabaseSync, group: readonly Waiting[]): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const one of group) one.run();
    db.exec("COMMIT");
  } catch (cause) {
    // What SQLite has rolled back by itself (a full disk) is no transaction any more.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw cause;
  }
}
