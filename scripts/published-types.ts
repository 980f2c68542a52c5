/** Whether the published types are those of the published code, wherever they are imported: are-the-types-wrong, on the tarballs. */
import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { createConsumer, LIBRARIES } from "./consumer.ts";

/**
 * The packages are ES modules, with entries by `exports`. A resolution that knows no `exports` (TypeScript's `node10`) finds none
 * of them, and CommonJS gets them by `import()`, or by `require` from Node 20.19 on, as TypeScript says itself.
 */
const BY_DESIGN: readonly (readonly [kind: Problem["kind"], resolution: string])[] = [
  ["NoResolution", "node10"],
  ["UntypedResolution", "node10"],
  ["CJSResolvesToESM", "node16-cjs"],
];

/**
 * Checks every entry of every library.
 * @returns what is wrong, a sentence each; empty when nothing is.
 */
export async function checkPublishedTypes(): Promise<readonly string[]> {
  await using consumer = await createConsumer();
  const found = await Promise.all(
    LIBRARIES.map(async (library) => {
      const tarball = createPackageFromTarballData(new Uint8Array(readFileSync(consumer.tarball(library))));
      const result = await checkPackage(tarball);
      if (result.types === false) return [`${tarball.packageName} has no types`];
      return result.problems
        .filter((problem) => !isByDesign(problem))
        .map((one) => `${tarball.packageName}: ${tell(one)}`);
    }),
  );
  return found.flat();
}

function isByDesign(problem: Problem): boolean {
  if (!("resolutionKind" in problem)) return false;
  return BY_DESIGN.some(([kind, resolution]) => problem.kind === kind && problem.resolutionKind === resolution);
}

function tell({ kind, ...where }: Problem): string {
  return `${kind} ${JSON.stringify(where)}`;
}
