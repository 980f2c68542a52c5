/** Reads the tables of docs/interop.md, so that the document and the tests are one. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const document = fileURLToPath(new URL("../../docs/interop.md", import.meta.url));

/**
 * The rows of the table below a heading.
 *
 * @returns the cells of each row, trimmed, without the head.
 * @throws Error when there is no such heading or no table below it.
 */
export async function readTable(heading: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(document, "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  const lines = section?.split("\n").filter((line) => line.startsWith("|")) ?? [];
  if (lines.length < 3) throw new Error(`docs/interop.md has no table under "${heading}"`);
  return lines.slice(2).map((line) =>
    line
      .slice(1, line.lastIndexOf("|"))
      .split("|")
      .map((cell) => cell.trim()),
  );
}
