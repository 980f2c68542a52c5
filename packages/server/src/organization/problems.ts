/** Something in an organization file, at its place. */
export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Like `connections[0].scopes[1]`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, without any value that could be a secret. */
  readonly message: string;
  /** How to mend it. */
  readonly mend: string;
}

/** A place in the data of a file. */
export type Path = readonly PropertyKey[];

/** A problem before its place is known as line and column. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly mend: string;
  /** The place is the key rather than the value. */
  readonly atKey?: boolean;
}

/** A path for people: `people[0].email`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const key = String(step);
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(key)) return `${text}[${JSON.stringify(cut(key))}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** Salt and hash of a password, to the end: without its quotes a hash falls apart at its commas, and this becomes a key. */
const SALT_AND_HASH = /\$[A-Za-z0-9+/]{8,}\$.*$/;

/** Text from a file as part of a message: bounded, on one line, and nothing of a password's hash. */
export function cut(text: string): string {
  const line = text.replace(/\p{Cc}/gu, "�").replace(SALT_AND_HASH, "$$…");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

/** The word nearest to a mistyped one, as ` Did you mean "…"?`; empty when none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  // Beyond this the comparison costs more than it helps.
  if (word.length > 100) return "";
  // Two letters turned round are two edits.
  const allowed = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3));
  let best: string | undefined;
  let least = allowed + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best === undefined ? "" : ` Did you mean "${best}"?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
