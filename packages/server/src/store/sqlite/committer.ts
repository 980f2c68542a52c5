import type { Engine } from "./engine.ts";
import type { Outcome, Statement, StatementResult, Unit } from "./messages.ts";

/** Writes through one connection that shares its file with others. */
export interface Committer {
  /** Takes units in order into one commit. One that the database refuses does not take the others along. */
  commit(units: readonly Unit[]): readonly Outcome[];
  /** Executes a statement as it is, within a transaction or without. */
  execute(sql: string, values: readonly unknown[]): Outcome;
}

/** How long to wait for another process' commit, in milliseconds. */
const PATIENCE = 5_000;
/** Between two looks whether it is over, in milliseconds. */
const SHORTEST_PAUSE = 0.1;
const LONGEST_PAUSE = 1;

/** Codes of SQLite's that speak of the file, not of a statement: what failed so once fails so again. */
const OF_THE_FILE: ReadonlySet<number> = new Set([
  5, // BUSY
  7, // NOMEM
  8, // READONLY
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  15, // PROTOCOL
  26, // NOTADB
]);

/** @param commitDelayMs - Milliseconds that each commit takes longer. */
export function createCommitter(engine: Engine, commitDelayMs: number): Committer {
  function commit(units: readonly Unit[]): readonly Outcome[] {
    try {
      patiently(() => engine.execute("begin immediate", []));
      const outcomes = units.map((unit): Outcome => ({ ok: true, results: unit.map(run) }));
      // As the disk does it: while others wait for the lock.
      pause(commitDelayMs);
      engine.execute("commit", []);
      return outcomes;
    } catch (error) {
      rollBack();
      if (units.length === 1 || isOfTheFile(error)) return units.map(() => failure(error));
      return units.flatMap((unit) => commit([unit]));
    }
  }

  function run({ sql, values }: Statement): StatementResult {
    const [only] = values;
    if (values.length === 1 && only !== undefined) return engine.execute(sql, only);
    return values.reduce((changes, row) => changes + Number(engine.execute(sql, row)), 0);
  }

  function rollBack(): void {
    if (engine.inTransaction) engine.execute("rollback", []);
  }

  return {
    commit,
    execute(sql, values) {
      try {
        // A failed commit may have rolled back already; to roll back again would hide the first error behind a second.
        if (sql === "rollback" && !engine.inTransaction) return { ok: true, results: [0] };
        const result = engine.inTransaction
          ? engine.execute(sql, values)
          : patiently(() => engine.execute(sql, values));
        if (sql === "commit") pause(commitDelayMs);
        return { ok: true, results: [result] };
      } catch (error) {
        return failure(error);
      }
    },
  };
}

/** Tries again while another process commits: its commits are short, and so are the pauses. */
function patiently<T>(attempt: () => T): T {
  const last = performance.now() + PATIENCE;
  for (let length = SHORTEST_PAUSE; ; length = Math.min(length * 1.5, LONGEST_PAUSE)) {
    try {
      return attempt();
    } catch (error) {
      if (primaryCode(error) !== 5 || performance.now() >= last) throw error;
      // Not of one length, so that two processes do not keep step.
      pause(length * (0.5 + Math.random()));
    }
  }
}

const nobody = new Int32Array(new SharedArrayBuffer(4));

/** This thread does nothing but write: it may sleep. */
function pause(milliseconds: number): void {
  if (milliseconds > 0) Atomics.wait(nobody, 0, 0, milliseconds);
}

function isOfTheFile(error: unknown): boolean {
  const code = primaryCode(error);
  return code !== undefined && OF_THE_FILE.has(code);
}

/** @see https://www.sqlite.org/rescode.html */
function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode & 0xff
    : undefined;
}

function failure(error: unknown): Outcome {
  return { ok: false, message: error instanceof Error ? error.message : String(error) };
}
