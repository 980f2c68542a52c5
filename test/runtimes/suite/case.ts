/** A test runner of thirty lines: what is left when every runtime must have it. */

/** One thing that holds on every runtime. */
export interface Case {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** How a case ended. */
export interface Outcome {
  readonly name: string;
  /** What was wrong; absent when nothing was. */
  readonly fault?: string;
}

/** Runs cases one after the other; one that fails leaves the others alone. */
export async function runCases(cases: readonly Case[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { name, run } of cases) {
    try {
      await run();
      outcomes.push({ name });
    } catch (error) {
      outcomes.push({ name, fault: describe(error) });
    }
  }
  return outcomes;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // JavaScriptCore's stacks do not begin with the message.
  const stack = error.stack ?? "";
  const text = stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
  return error.cause === undefined ? text : `${text}\nCaused by: ${describe(error.cause)}`;
}

/** Fails unless both are the same JSON, members in any order and those that are `undefined` left out. */
export function same(actual: unknown, expected: unknown, what = "value"): void {
  const [is, should] = [canonical(actual), canonical(expected)];
  if (is !== should) throw new Error(`${what}: expected ${should}, got ${is}`);
}

/** Fails unless it is true. */
export function yes(condition: boolean, what: string): void {
  if (!condition) throw new Error(`expected: ${what}`);
}

/** What something fails with. @throws Error when it does not fail. */
export async function thrown(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("expected a failure, and nothing failed");
}

/** Fails unless the error has these members. */
export function has(actual: unknown, expected: Readonly<Record<string, unknown>>): void {
  const members = Object(actual);
  for (const [name, value] of Object.entries(expected)) same(members[name], value, name);
}

function canonical(value: unknown): string {
  return String(
    JSON.stringify(value, (_, member: unknown) =>
      typeof member === "object" && member !== null && !Array.isArray(member)
        ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
        : member,
    ),
  );
}
