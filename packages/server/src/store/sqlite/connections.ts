import { createBatches } from "../batches.ts";
import { openEngine } from "./engine.ts";
import type { Outcome, StatementResult, Unit, WorkerOptions } from "./messages.ts";
import { startWriterThread } from "./thread.ts";

/** A SQLite connection as the dialect uses it, wherever it runs. */
export interface SqliteConnection {
  /** The statement that begins a transaction. */
  readonly begin: "begin" | "begin immediate";
  /** Whether it lines up itself what is asked of it at once. */
  readonly takesTurns: boolean;
  /** One statement, in a commit that may be shared. */
  execute(sql: string, values: readonly unknown[]): Promise<StatementResult>;
  /** The connection alone, until it is released. */
  transaction(): Promise<SqliteTransaction>;
  close(): Promise<void>;
}

/** A transaction that its owner conducts, statement by statement. */
export interface SqliteTransaction {
  execute(sql: string, values: readonly unknown[]): Promise<StatementResult>;
  release(): void;
}

/** Writes on a thread of its own. */
export interface SqliteWriter extends SqliteConnection {
  /** All statements or none, in a commit that is shared with what else is waiting. */
  commit(unit: Unit): Promise<readonly StatementResult[]>;
}

/**
 * Opens a connection for reading, on this thread: a look-up by an index takes microseconds and waits for nobody's commit.
 * @throws the engine's own error.
 */
export function openReader(path: string): SqliteConnection {
  const engine = openEngine(path, true);
  const execute = async (sql: string, values: readonly unknown[]) => plain(engine.execute(sql, values));
  return {
    begin: "begin",
    takesTurns: false,
    execute,
    transaction: async () => ({ execute, release: () => {} }),
    close: async () => engine.close(),
  };
}

/** The engine's rows have no prototype; those that come from a thread do. Callers shall not see a difference. */
function plain(result: StatementResult): StatementResult {
  return typeof result === "number" ? result : result.map((row) => Object.assign({}, row));
}

/**
 * Opens a connection for writing. What is given to it while a commit is under way shares the next one.
 * When the thread ends unasked, what waits for it and everything after it is rejected.
 */
export function openWriter(options: WorkerOptions): SqliteWriter {
  const thread = startWriterThread(options);
  const commits = createBatches<Unit, readonly StatementResult[]>(async (units) =>
    (await thread.ask({ kind: "commit", units })).map(resultsOf),
  );
  let closed = false;
  const commit = async (unit: Unit) => {
    if (closed) throw new Error("the store is closed");
    return commits.add(unit);
  };
  return {
    // Immediate: who began to write only after reading could find that another process wrote in between.
    begin: "begin immediate",
    takesTurns: true,
    commit,
    async execute(sql, values) {
      const [result = 0] = await commit([{ sql, values: [values] }]);
      return result;
    },
    async transaction() {
      if (closed) throw new Error("the store is closed");
      const release = await commits.hold();
      return {
        async execute(sql, values) {
          const [outcome] = await thread.ask({ kind: "execute", sql, values });
          const results = outcome && resultsOf(outcome);
          if (results instanceof Error) throw results;
          return results?.[0] ?? 0;
        },
        release,
      };
    },
    async close() {
      closed = true;
      await commits.hold();
      await thread.close();
    },
  };
}

function resultsOf(outcome: Outcome): readonly StatementResult[] | Error {
  return outcome.ok ? outcome.results : new Error(outcome.message);
}
