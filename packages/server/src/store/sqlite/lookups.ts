import type { Lookup, TableName } from "../backend.ts";
import type { Tables } from "../schema.ts";
import type { Engine } from "./engine.ts";

/** Look-ups on one connection. */
export interface Lookups {
  /** The names are those of our own tables, and in no need of quotes but for SQL's words among them. */
  prepare<T extends TableName>(table: T, by: readonly string[]): Lookup<Tables[T]>;
}

interface Waiting {
  run(): void;
  resolve(): void;
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
      engine.execute("commit", []);
    } catch (cause) {
      if (engine.inTransaction) engine.execute("rollback", []);
      for (const { reject } of turn) reject(cause);
      return;
    }
    for (const { resolve } of turn) resolve();
  }

  function atTurnsEnd<R>(query: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      let found: R;
      if (waiting.length === 0) setImmediate(look);
      waiting.push({
        run: () => {
          found = query();
        },
        resolve: () => resolve(found),
        reject,
      });
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
