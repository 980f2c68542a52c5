import type { Lookup, TableName } from "../backend.ts";
import type { Tables } from "../schema.ts";
import type { Engine } from "./engine.ts";

/** Look-ups on one connection. */
export interface Lookups {
  /** The names are those of our own tables, and in no need of quotes but for SQL's words among them. */
  prepare<T extends TableName>(table: T, by: readonly string[]): Lookup<Tables[T]>;
}

interface Waiting {
  /** Settles the look-up by itself: one that fails takes no other along. */
  run(): void;
  reject(cause: unknown): void;
}

/**
 * Look-ups that are asked for in one turn of the event loop are done at its end, in one transaction: what another connection
 * commits empties SQLite's cache of pages, and to read them again costs more than to find the rows in them. No look-up sees a state
 * from before it was asked for.
 */
export function createLookups(engine: Engine): Lookups {
  let waiting: Waiting[] = [];

  function look(): void {
    const turn = waiting;
    waiting = [];
    try {
      engine.execute("begin", []);
      for (const { run } of turn) run();
      // An error of the file may have ended it.
      if (engine.inTransaction) engine.execute("commit", []);
    } catch (cause) {
      // It may have been closed meanwhile. Nobody hears what is thrown here.
      for (const { reject } of turn) reject(cause);
      if (engine.inTransaction) engine.execute("rollback", []);
    }
  }

  function atTurnsEnd<R>(query: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(look);
      const run = () => {
        try {
          resolve(query());
        } catch (cause) {
          reject(cause);
        }
      };
      waiting.push({ run, reject });
    });
  }

  return {
    prepare<T extends TableName>(table: T, by: readonly string[]): Lookup<Tables[T]> {
      const condition = by.map((column) => `"${column}" = ?`).join(" and ");
      const query = engine.prepare(`select * from "${table}" where ${condition}`);
      // The rows are those of the table that was asked.
      return (...values) => atTurnsEnd(() => query(values) as readonly Tables[T][]);
    },
  };
}
