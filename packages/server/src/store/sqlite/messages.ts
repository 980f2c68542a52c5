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

// Messages go between the threads as one text each: to clone the thousand values of a busy commit one by one costs several times what
// it costs to write and to read them. Texts, numbers and null are all that there is.

/** A question as it goes to the writing thread. */
export function writtenQuestion(question: WorkerQuestion): string {
  return question.kind === "commit" ? writtenCommit(question.units) : JSON.stringify(question);
}

/** What `writtenQuestion` wrote. */
export function readQuestion(message: string): WorkerQuestion {
  return message.startsWith("[") ? readCommit(message) : (JSON.parse(message) as WorkerQuestion);
}

/** An answer as it goes back. */
export function writtenAnswer(answer: WorkerAnswer): string {
  return JSON.stringify(answer);
}

/** What `writtenAnswer` wrote. */
export function readAnswer(message: string): WorkerAnswer {
  return JSON.parse(message) as WorkerAnswer;
}

/** A text stands as its length, and anything else in a list: each text itself comes after the shape, and needs no escapes there. */
type ValueShape = number | readonly [unknown];
/** SQL stands here itself: it is kept with what is prepared of it, and a part of the message would keep all of it. */
type StatementShape = readonly [sql: string, rows: readonly (readonly ValueShape[])[]];

function writtenCommit(units: readonly Unit[]): string {
  let texts = "";
  const shapeOf = (value: unknown): ValueShape => {
    if (typeof value !== "string") return [value];
    texts += value;
    return value.length;
  };
  const shape = units.map((unit) => unit.map(({ sql, values }) => [sql, values.map((row) => row.map(shapeOf))]));
  return `${JSON.stringify(shape)}\n${texts}`;
}

function readCommit(message: string): WorkerQuestion {
  let at = message.indexOf("\n");
  const shape = JSON.parse(message.slice(0, at)) as readonly (readonly StatementShape[])[];
  at += 1;
  const take = (length: number): string => {
    at += length;
    return message.slice(at - length, at);
  };
  const read = (one: ValueShape): unknown => (typeof one === "number" ? take(one) : one[0]);
  const units = shape.map((unit) => unit.map(([sql, rows]) => ({ sql, values: rows.map((row) => row.map(read)) })));
  return { kind: "commit", units };
}

/** What the writing thread is started with. */
export interface WorkerOptions {
  readonly path: string;
  /** Milliseconds that each commit takes longer: a slow disk, for measuring. */
  readonly commitDelayMs: number;
}
