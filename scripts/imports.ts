import { parseAst } from "vitest/node";

/** One import of a file, in whatever form. */
export interface Import {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
  /** Gone at run time. An `import { type A }` is not: under verbatimModuleSyntax it still loads the file. */
  readonly typeOnly: boolean;
}

/**
 * Every import of a TypeScript file: static, re-exported, dynamic, and inside types.
 * @param source - The file's text. Throws where it is no TypeScript.
 */
export function importsOf(source: string): readonly Import[] {
  const found: Import[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      node.forEach(visit);
    } else if (isNode(node)) {
      const specifier = specifierOf(node);
      if (specifier !== undefined)
        found.push({ specifier, line: lineAt(source, node.start), typeOnly: isTypeOnly(node) });
      Object.values(node).forEach(visit);
    }
  };
  visit(parseAst(source, { lang: "ts" }).body);
  return found;
}

interface Node extends Readonly<Record<string, unknown>> {
  readonly type: string;
  readonly start: number;
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value
  );
}

const WITH_SOURCE = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

function specifierOf(node: Node): string | undefined {
  if (!WITH_SOURCE.has(node.type) || !isNode(node.source)) return undefined;
  return typeof node.source.value === "string" ? node.source.value : undefined;
}

function isTypeOnly(node: Node): boolean {
  return node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type";
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}
