import type { Row } from "./seen-red.table.ts";

const BEGIN = "<!-- table: npm run seen-red -- --docs -->";
const END = "<!-- end of table -->";

/**
 * Writes the table of docs/binding-bugs.md anew.
 * @param text - The document, with the two marks that the table stands between.
 */
export function withTable(text: string, rows: readonly Row[]): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`The document has no ${BEGIN} … ${END}`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${tableOf(rows)}\n\n${text.slice(to)}`;
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const files = [...new Set(row.changes.map(({ file }) => `\`${file}\``))].join(", ");
    const tests = row.tests.map(({ file, names }) => `\`${file}\`: ${names.map(cell).join("; ")}`);
    return `| ${cell(row.bug)} | ${cell(row.check)} (${files}) | ${tests.join("<br>")} |`;
  });
  return ["| bug | what stops it here | which tests see it |", "| --- | --- | --- |", ...lines].join("\n");
}

/** Text in a table's cell: no character of it is Markdown, but for the code that stands between backticks. */
function cell(text: string): string {
  const [plain, code] = [/[<_*]/g, /`[^`]*`/];
  const parts = text.replaceAll("|", "\\|").split(new RegExp(`(${code.source})`));
  return parts.map((part) => (code.test(part) ? part : part.replaceAll(plain, "\\$&"))).join("");
}
