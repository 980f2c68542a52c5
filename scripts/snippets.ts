/**
 * The TypeScript of the documentation is type-checked as a reader would have it: in a file of its own, with the packages as
 * they are published. A block that cannot be is marked ```` ```ts ignore ````, and its first line is a comment that says why.
 */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { tool } from "./tool.ts";

/** One block of TypeScript in a Markdown file. */
export interface Snippet {
  /** Path of the Markdown file from the repository's folder. */
  readonly file: string;
  /** Line of the block's first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  readonly ignored: boolean;
}

/** Where documentation stands. */
export const DOCS: readonly string[] = ["README.md", "docs/**/*.md", "packages/*/README.md"];

/**
 * Type-checks every block.
 * @param root - The repository's folder; the packages in it are built.
 * @returns what is wrong, by the lines of the Markdown files; empty when nothing is.
 */
export async function checkSnippets(root: string): Promise<readonly string[]> {
  const files = globSync([...DOCS], { cwd: root }).map((file) => file.split(sep).join("/"));
  const snippets = files.sort().flatMap((file) => snippetsOf(file, readFileSync(join(root, file), "utf8")));
  const checked = snippets.filter((snippet) => !snippet.ignored);
  return [...unexplained(snippets), ...(await typeErrors(root, checked))];
}

/**
 * The blocks of one Markdown file that are `ts` or `typescript`, wherever they are indented.
 * @param file - Its path, for the messages.
 */
export function snippetsOf(file: string, markdown: string): readonly Snippet[] {
  const snippets: Snippet[] = [];
  let open: { fence: string; indent: number; info: string; line: number; code: string[] } | undefined;
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    if (open === undefined) {
      const [, indent = "", fence = "", info = ""] = /^([\s>]*)(`{3,}|~{3,})\s*([^`]*)$/.exec(text) ?? [];
      if (fence !== "") open = { fence, indent: indent.length, info: info.trim(), line: index + 2, code: [] };
    } else if (closes(text, open.fence)) {
      const [language = "", ...words] = open.info.split(/\s+/);
      if (["ts", "typescript", "mts"].includes(language.toLowerCase())) {
        snippets.push({ file, line: open.line, code: open.code.join("\n"), ignored: words.includes("ignore") });
      }
      open = undefined;
    } else {
      open.code.push(text.slice(Math.min(open.indent, text.search(/[^\s>]|$/))));
    }
  }
  return snippets;
}

function closes(text: string, fence: string): boolean {
  const mark = text.replace(/^[\s>]*/, "").trimEnd();
  return mark.length >= fence.length && mark === fence.charAt(0).repeat(mark.length);
}

/** An opt-out without its reason. */
function unexplained(snippets: readonly Snippet[]): readonly string[] {
  return snippets
    .filter(({ ignored, code }) => ignored && !/^\s*\/\/\s*\S+\s+\S+/.test(code))
    .map(({ file, line }) => `${file}:${line}: an ignored block says why, in a comment on its first line`);
}

async function typeErrors(root: string, snippets: readonly Snippet[]): Promise<readonly string[]> {
  if (snippets.length === 0) return [];
  // Inside the repository, so that the packages are found as in a project that has installed them.
  const folder = mkdtempSync(join(root, ".snippets-"));
  try {
    const names = snippets.map((snippet, index) => write(folder, snippet, index));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: AS_A_READER_HAS_IT, files: names }));
    const { ok, output } = await tool("typescript", "bin/tsc", ["-p", "tsconfig.json", "--pretty", "false"], folder);
    return ok ? [] : messages(output, names, snippets);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const AS_A_READER_HAS_IT = {
  target: "es2023",
  lib: ["es2023", "dom", "dom.iterable", "esnext.disposable"],
  module: "nodenext",
  moduleResolution: "nodenext",
  moduleDetection: "force",
  types: ["node"],
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
};

/** Empty lines before the code give it the line numbers of the Markdown file. */
function write(folder: string, { line, code }: Snippet, index: number): string {
  const name = `snippet-${index}.ts`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `${"\n".repeat(line - 1)}${code}\n`);
  return name;
}

function messages(output: string, names: readonly string[], snippets: readonly Snippet[]): readonly string[] {
  return output
    .trim()
    .split("\n")
    .map((text) => {
      const [, name = "", line = "", message = ""] = /^([\w.-]+)\((\d+),\d+\): (.*)$/.exec(text) ?? [];
      const snippet = snippets[names.indexOf(name)];
      return snippet === undefined ? text : `${snippet.file}:${line}: ${message}`;
    });
}
