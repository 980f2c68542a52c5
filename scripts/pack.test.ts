import { cpSync, existsSync, globSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installed } from "../test/runtimes/runtimes.ts";
import { type Consumer, createConsumer, LIBRARIES, specifiersOf } from "./consumer.ts";
import { command, tool } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");

/** The machine's own Node, without the one that npm installed here; the running one where there is no other. */
function ownNode(): string {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return folders.map((folder) => join(folder, "node")).find((path) => existsSync(path)) ?? process.execPath;
}

let consumer: Consumer;
let project: string;
beforeAll(async () => {
  consumer = await createConsumer();
  project = consumer.folder;
}, 180_000);
afterAll(() => consumer?.[Symbol.asyncDispose]());

describe.each(LIBRARIES)("the packed package %s", (library) => {
  it("holds neither sources nor tests", () => {
    const files = globSync("**/*", { cwd: join(project, "node_modules", "@credence", library) });
    expect(files).toContain(join("dist", "index.js"));
    expect(files).toContain(join("dist", "index.d.ts"));
    expect(files.filter((file) => /\.(test|testing)\.|[\\/]testing[\\/]|\.tsbuildinfo$|^src\b/.test(file))).toEqual([]);
  });

  it("is imported by a plain Node, by every name that it exports", async () => {
    writeFileSync(
      join(project, `${library}.mjs`),
      // node:sqlite came with Node 22.5: the store that is made of it says so.
      `import { isBuiltin } from "node:module";
       const names = ${JSON.stringify(specifiersOf(library))}.filter((name) => !name.endsWith("/sqlite") || isBuiltin("node:sqlite"));
       for (const name of names) if (Object.keys(await import(name)).length === 0) throw new Error(name + " exports nothing");`,
    );
    expect(await command(ownNode(), [`${library}.mjs`], project)).toEqual({ ok: true, output: "" });
  });

  it("gives a project its types", async () => {
    const imports = specifiersOf(library).map(
      (name, index) => `import * as a${index} from "${name}"; a${index} satisfies object;`,
    );
    writeFileSync(join(project, `${library}.ts`), imports.join("\n"));
    const compilerOptions = {
      ...{ target: "es2023", module: "nodenext", strict: true, exactOptionalPropertyTypes: true, noEmit: true },
      ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules", "@types")], skipLibCheck: true },
    };
    writeFileSync(join(project, `${library}.json`), JSON.stringify({ compilerOptions, files: [`${library}.ts`] }));
    expect(await tool("typescript", "bin/tsc", ["-p", `${library}.json`], project)).toEqual({ ok: true, output: "" });
  });
});

/** TypeScript as this repository has it, and the oldest that is supported. */
const COMPILERS = [
  ["TypeScript 7", async () => join(ROOT, "node_modules/typescript/bin/tsc")],
  ["TypeScript 5.9", () => installed("typescript-5.9/bin/tsc", "TypeScript 5.9")],
] as const;

describe.each(COMPILERS)("with %s", (name, compiler) => {
  it.each(LIBRARIES)(
    "what may be written with %s compiles, and what may not does not",
    async (library) => {
      // Every line that must not compile says so itself; one that does compile is an error then.
      const file = `may-${library}.ts`;
      cpSync(join(ROOT, "test/types", `${library}.ts`), join(project, file));
      const compilerOptions = {
        ...{ target: "es2023", lib: ["es2023", "dom", "dom.iterable"], module: "nodenext", noEmit: true },
        ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: true },
        ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules", "@types")] },
      };
      const config = `may-${library}-${name.replaceAll(" ", "-")}.json`;
      writeFileSync(join(project, config), JSON.stringify({ compilerOptions, files: [file] }));
      const compiled = await command(process.execPath, [await compiler(), "-p", config, "--pretty", "false"], project);
      expect(compiled).toEqual({ ok: true, output: "" });
    },
    120_000,
  );
});

it("the types of protocol hold without those of Node, checked to the last declaration", async () => {
  const names = specifiersOf("protocol").filter((name) => !name.endsWith("/node"));
  writeFileSync(
    join(project, "web.ts"),
    names.map((name, index) => `export * as a${index} from "${name}";`).join("\n"),
  );
  const compilerOptions = { target: "es2023", module: "nodenext", strict: true, types: [], noEmit: true };
  writeFileSync(join(project, "web.json"), JSON.stringify({ compilerOptions, files: ["web.ts"] }));
  expect(await tool("typescript", "bin/tsc", ["-p", "web.json"], project)).toEqual({ ok: true, output: "" });
});
