/** A statement, executed once for each row of values. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly (readonly unknown[])[];
}

/** Statements of which all are kept, or none. */
export type Unit = readonly Statement[];

/** What one statement gave: the rows of a query, or the count of rows written. */
export type StatementResult = readonly unknown[] | number;

/** What the main thread asks of the writing thread. It asks one question at a time. */
export type WorkerQuestion =
  /** Units that share one commit. */
  | { readonly kind: "commit"; readonly units: readonly Unit[] }
  /** A statement as it is: part of a transaction that the main thread conducts. */
  | { readonly kind: "execute"; readonly sql: string; readonly values: readonly unknown[] }
  | { readonly kind: "close" };

/** What became of one unit or statement; an error's own members do not survive the way between threads. */
export type Outcome =
  | { readonly ok: true; readonly results: readonly StatementResult[] }
  | { readonly ok: false; readonly message: string };

/** One for each unit, or one alone. */
export type WorkerAnswer = readonly Outcome[];

/**
 * A message as it goes between the threads: as one text. To clone the thousand values of a busy commit one by one costs several times
 * what it costs to write and to read them as JSON, and texts, numbers and null are all that there is.
 */
export function written(message: WorkerQuestion | WorkerAnswer): string {
  return JSON.stringify(message);
}

/** What `written` wrote on the main thread. */
export function readQuestion(message: string): WorkerQuestion {
  return JSON.parse(message) as WorkerQuestion;
}

/** What `written` wrote on the writing thread. */
export function readAnswer(message: string): WorkerAnswer {
  return JSON.parse(message) as WorkerAnswer;
}

/** What the writing thread is started with. */
export interface WorkerOptions {
  readonly path: string;
  /** Milliseconds that each commit takes longer: a slow disk, for measuring. */
  readonly commitDelayMs: number;
}
