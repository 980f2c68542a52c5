/** What we read of Stryker's report. @see https://github.com/stryker-mutator/mutation-testing-elements */
export interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
  readonly location: { readonly start: Place; readonly end: Place };
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** What became of mutants: ignored ones and programs that do not load do not count. */
export interface Tally {
  readonly killed: number;
  readonly survived: number;
  readonly uncovered: number;
  readonly valid: number;
  /** Ended in an error outside of any test: neither killed nor not. */
  readonly faults: number;
  /** Percent; 100 where there was nothing to kill. */
  readonly score: number;
}

export function tally(mutants: readonly Mutant[]): Tally {
  const count = (...statuses: readonly string[]) => mutants.filter(({ status }) => statuses.includes(status)).length;
  const killed = count("Killed", "Timeout");
  const survived = count("Survived");
  const uncovered = count("NoCoverage");
  const valid = killed + survived + uncovered;
  const faults = count("RuntimeError", "CompileError");
  return { killed, survived, uncovered, valid, faults, score: valid === 0 ? 100 : (100 * killed) / valid };
}

/** One line per file: percent killed, how many were, how many survived, how many no test reaches. */
export function tableOf({ files }: Report): string {
  const rows = Object.entries(files).map(([file, { mutants }]) => {
    const { score, killed, survived, uncovered } = tally(mutants);
    return [file, score.toFixed(1), killed, survived, uncovered];
  });
  const table = [["file", "%", "killed", "survived", "not reached"], ...rows].map((row) => row.map(String));
  const widths = table[0]?.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row.map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  "),
    )
    .join("\n");
}

/** The mutants that no test noticed: where, and what stood there became what. */
export function survivorsOf({ files }: Report): string {
  const lines = Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants
      .filter(({ status }) => status === "Survived" || status === "NoCoverage")
      .sort((a, b) => a.location.start.line - b.location.start.line)
      .map(({ mutatorName, status, location, replacement = "" }) => {
        const change = `${oneLine(textAt(source, location))}  →  ${oneLine(replacement)}`;
        const unreached = status === "NoCoverage" ? " (not reached)" : "";
        return `${file}:${location.start.line}:${location.start.column} ${mutatorName}${unreached}\n    ${change}\n`;
      }),
  );
  return lines.join("");
}

/** Lines and columns count from 1. */
function textAt(source: string, { start, end }: Mutant["location"]): string {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  lines.push((lines.pop() ?? "").slice(0, end.column - 1));
  lines.unshift((lines.shift() ?? "").slice(start.column - 1));
  return lines.join("\n");
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > 160 ? `${line.slice(0, 120)} … ${line.slice(-35)}` : line;
}
