import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Change, Tests } from "./seen-red.table.ts";
import { command } from "./tool.ts";

/** Longest that one run of tests may take, in milliseconds. */
const PATIENCE_MS = 300_000;

/**
 * Copies the working tree, uncommitted files included, to a folder of its own. Dependencies are links to those that are
 * installed; our own packages resolve to the copy's sources, and `real` ones are copied, to be changed.
 *
 * @param root - The repository's folder: a git work tree with its dependencies installed.
 * @param real - Names of dependencies.
 * @returns the folder; to be removed by the caller.
 */
export async function copyTree(root: string, real: ReadonlySet<string>): Promise<string> {
  const listed = await command("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], root);
  if (!listed.ok) throw new Error(`git does not list the files of ${root}: ${listed.output}`);
  const copy = mkdtempSync(join(tmpdir(), "credence-seen-red-"));
  for (const file of new Set(listed.output.split("\0"))) {
    if (file !== "" && existsSync(join(root, file))) cpSync(join(root, file), join(copy, file));
  }
  linkDependencies(root, copy, real);
  return copy;
}

function linkDependencies(root: string, copy: string, real: ReadonlySet<string>): void {
  const modules = join(copy, "node_modules");
  mkdirSync(join(modules, "@credence"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    const from = join(root, "node_modules", name);
    // Folders that begin with a dot are caches: the copy makes its own.
    if (name === "@credence" || name.startsWith(".")) continue;
    if (real.has(name)) cpSync(from, join(modules, name), { recursive: true });
    else symlinkSync(from, join(modules, name));
  }
  for (const manifest of globSync("{packages,examples}/*/package.json", { cwd: copy })) {
    const folder = dirname(manifest);
    const { name } = JSON.parse(readFileSync(join(copy, manifest), "utf8")) as { name: string };
    symlinkSync(join(copy, folder), join(modules, name));
    const own = join(root, folder, "node_modules");
    if (existsSync(own)) symlinkSync(own, join(copy, folder, "node_modules"));
  }
}

/** Where a snippet stands in a text, if it does exactly once. */
export function onlyPlace(text: string, find: string): number | undefined {
  const at = text.indexOf(find);
  return at >= 0 && text.indexOf(find, at + 1) < 0 ? at : undefined;
}

/** The snippets that do not stand exactly once in their files, each with its file. */
export function strayed(root: string, changes: readonly Change[]): readonly string[] {
  const lost = changes.filter(({ file, find }) => {
    const path = join(root, file);
    return !existsSync(path) || onlyPlace(readFileSync(path, "utf8"), find) === undefined;
  });
  return lost.map(({ file, find }) => `${file}: ${find}`);
}

/**
 * Changes files of the copy; each snippet stands in its file exactly once.
 * @returns a function that puts everything back.
 */
export function apply(copy: string, changes: readonly Change[]): () => void {
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  for (const { file, find, replace } of changes) {
    const path = join(copy, file);
    if (!before.has(path)) before.set(path, readFileSync(path, "utf8"));
    const text = after.get(path) ?? before.get(path) ?? "";
    const at = onlyPlace(text, find);
    if (at === undefined) throw new Error(`${file} does not have exactly once, or not beside the others: ${find}`);
    after.set(path, text.slice(0, at) + replace + text.slice(at + find.length));
  }
  for (const [path, text] of after) writeFileSync(path, text);
  return () => {
    for (const [path, text] of before) writeFileSync(path, text);
  };
}

/** What became of one test: its status as vitest says it, and the first line of what it failed with. */
export interface Verdict {
  readonly status: string;
  readonly why: string;
}

/**
 * Runs the named tests in the copy.
 *
 * @param signal - Ends the run.
 * @returns what became of each test that vitest knows, by {@link testKey}.
 */
export async function runTests(
  copy: string,
  tests: readonly Tests[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Verdict>> {
  const report = join(copy, ".seen-red.json");
  writeFileSync(report, "{}");
  const names = tests.flatMap((one) => one.names).map(namePattern);
  const args = ["-C", "@credence/source", join(copy, "node_modules/vitest/vitest.mjs"), "run", "--root", copy];
  const quiet = ["--reporter=json", `--outputFile.json=${report}`, "--testNamePattern", `^(?:${names.join("|")})$`];
  const files = new Set(tests.map(({ file }) => join(copy, file)));
  const child = spawn(process.execPath, [...args, ...quiet, ...files], {
    cwd: copy,
    stdio: "ignore",
    env: { ...process.env, NODE_ENV: "test" },
    timeout: PATIENCE_MS,
    signal,
  });
  await new Promise<void>((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
  return verdicts(copy, JSON.parse(readFileSync(report, "utf8")));
}

/** One string for a test of a file. */
export function testKey(file: string, name: string): string {
  return `${file} > ${name}`;
}

/** Vitest joins the parts of a name by a space to match them. */
function namePattern(name: string): string {
  return name
    .split(" > ")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("(?: > | )");
}

interface Report {
  readonly testResults?: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

function verdicts(copy: string, { testResults = [] }: Report): ReadonlyMap<string, Verdict> {
  const found = new Map<string, Verdict>();
  for (const { name, assertionResults } of testResults) {
    for (const { ancestorTitles, title, status, failureMessages = [] } of assertionResults) {
      const why = failureMessages[0]?.split("\n")[0] ?? "";
      found.set(testKey(relative(copy, name), [...ancestorTitles, title].join(" > ")), { status, why });
    }
  }
  return found;
}
