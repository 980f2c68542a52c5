import { Buffer } from "node:buffer";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from "yaml";
import { cut, type Finding, formatPath, type Path, type Problem } from "./problems.ts";

/** Largest organization file in bytes. */
export const FILE_LIMIT = 4 * 1024 * 1024;

/** Deeper than any organization file is. */
const DEPTH_LIMIT = 20;
/** How often anchors may be used, counted with what they themselves use. */
const ALIAS_LIMIT = 100;

/** A YAML file's data, and where each part of it stands. */
export interface YamlSource {
  readonly data: unknown;
  /** The finding at its line and column. What is missing stands where it should have been. */
  problem(finding: Finding): Problem;
}

/** Reads YAML 1.2. What a parser would mend silently (doubled keys, tags, several documents) is a problem here. */
export function readYaml(
  text: string,
): { readonly ok: true; readonly source: YamlSource } | { readonly ok: false; readonly problems: readonly Problem[] } {
  if (Buffer.byteLength(text) > FILE_LIMIT)
    return whole("The file is too large.", "An organization file has at most 4 MiB.");
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof ReferenceError)
      return whole("Anchors are used too often.", "Write out what the aliases stand for.");
    // The parser itself recurses: a file nested thousands deep ends there.
    if (error instanceof RangeError) return tooDeep();
    throw error;
  }
}

function parse(text: string): ReturnType<typeof readYaml> {
  const lines = new LineCounter();
  // The parser's own check of doubled keys is quadratic, and its pretty errors quote the file, secrets included.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const locate = locator(document, lines);
  const flaws = [...document.errors, ...document.warnings];
  // The parser recurses, and tells its own exhausted stack as a flaw of the file.
  if (flaws.some(({ message }) => message.includes("call stack"))) return tooDeep();
  if (flaws.length > 0) return { ok: false, problems: flawProblems(flaws, lines) };
  const findings = structureFindings(document);
  if (findings === "too-deep") return tooDeep();
  if (findings.length > 0) return { ok: false, problems: findings.map(locate) };
  return { ok: true, source: { data: document.toJS({ maxAliasCount: ALIAS_LIMIT }), problem: locate } };
}

/** One flaw of the YAML per line: the parser's further complaints about a line are consequences of the first. */
function flawProblems(flaws: readonly YAMLError[], lines: LineCounter): Problem[] {
  const byLine = new Map<number, Problem>();
  for (const { code, message, pos } of flaws) {
    const position = positionAt(lines, pos[0]);
    if (byLine.has(position.line)) continue;
    byLine.set(position.line, {
      ...position,
      path: "",
      message: `The YAML can not be read: ${cut(message.split(/[:;]/)[0] ?? code)}.`,
      mend: "Mend indentation, quotes or brackets here; text with special characters stands in quotes.",
    });
  }
  return [...byLine.values()];
}

function whole(message: string, mend: string): { ok: false; problems: Problem[] } {
  return { ok: false, problems: [{ line: 1, column: 1, path: "", message, mend }] };
}

function tooDeep(): { ok: false; problems: Problem[] } {
  return whole("The file is nested too deeply.", `An organization file is at most ${DEPTH_LIMIT} levels deep.`);
}

/** Keys that stand twice in a mapping, and keys that no mapping of ours has. Iterative, so that depth costs no stack. */
function structureFindings(document: Document): Finding[] | "too-deep" {
  const findings: Finding[] = [];
  const open: { node: unknown; path: Path }[] = [{ node: document.contents, path: [] }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node, path } = next;
    if (path.length > DEPTH_LIMIT) return "too-deep";
    if (isSeq(node)) for (const [i, item] of node.items.entries()) open.push({ node: item, path: [...path, i] });
    if (!isMap(node)) continue;
    const seen = new Set<string>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : undefined;
      if (name === undefined || name === "__proto__") {
        findings.push({ path, message: "A key is not a plain word.", mend: "Write the key as text." });
        continue;
      }
      // A second pair of the same name can not be found by its path: it is told at its mapping's first pair of the name.
      if (seen.has(name)) findings.push(doubled([...path, name], key));
      seen.add(name);
      open.push({ node: value, path: [...path, name] });
    }
  }
  return findings;
}

interface FindingAtNode extends Finding {
  readonly node: unknown;
}

function doubled(path: Path, node: unknown): FindingAtNode {
  return { path, node, message: "The key stands here a second time.", mend: "Keep one of the two." };
}

function locator(document: Document, lines: LineCounter): (finding: Finding) => Problem {
  return (finding) => {
    const node = "node" in finding ? finding.node : nodeAt(document, finding.path, finding.atKey ?? false);
    const { path, message, mend } = finding;
    return { ...positionAt(lines, startOf(node)), path: formatPath(path), message, mend };
  };
}

function positionAt(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** The node at a path, or the innermost one on the way to it. */
function nodeAt(document: Document, path: Path, atKey: boolean): unknown {
  let node: unknown = document.contents;
  for (const [index, step] of path.entries()) {
    const inner: unknown = isAlias(node) ? node.resolve(document) : node;
    if (isSeq(inner)) {
      const item: unknown = inner.items[Number(step)];
      if (item === undefined) return node;
      node = item;
      continue;
    }
    const pair = isMap(inner)
      ? inner.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      : undefined;
    if (pair === undefined) return node;
    if (atKey && index === path.length - 1) return pair.key;
    // A key without a value has an empty node, and where the parser made none the key stands for it.
    node = pair.value ?? pair.key;
  }
  return node;
}

function startOf(node: unknown): number {
  // Every node of a parsed document has a range.
  return (node as Node | null)?.range?.[0] ?? 0;
}
