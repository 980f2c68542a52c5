import { spawnSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "./build.ts";
import { command, tool } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");
const LIBRARIES = ["protocol", "issuer", "resource", "client"];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function manifest(library: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, "packages", library, "package.json"), "utf8"));
}

/** The machine's own Node, without the one that npm installed here; the running one where there is no other. */
function ownNode(): string {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return folders.map((folder) => join(folder, "node")).find((path) => existsSync(path)) ?? process.execPath;
}

/** A project that has installed the packed packages, and nothing of this repository. */
let project: string;

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "credence-consumer-"));
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
  expect(await build(LIBRARIES.map((library) => `packages/${library}`))).toEqual({ ok: true, output: "" });
  for (const library of LIBRARIES) await install(library);
}, 120_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

async function install(library: string): Promise<void> {
  const { name, version, dependencies, peerDependencies } = manifest(library);
  const packed = spawnSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", project], {
    cwd: join(ROOT, "packages", library),
    encoding: "utf8",
  });
  expect(packed).toMatchObject({ status: 0 });
  const folder = join(project, "node_modules", name);
  mkdirSync(folder, { recursive: true });
  const tarball = join(project, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  expect(await command("tar", ["-xzf", tarball, "--strip-components=1", "-C", folder])).toEqual({
    ok: true,
    output: "",
  });
  const others = Object.keys({ ...dependencies, ...peerDependencies }).filter(
    (other) => !other.startsWith("@credence/"),
  );
  for (const other of others) link(other, library);
}

/** Packages of others come from this repository's installation. */
function link(name: string, library: string): void {
  const path = join(project, "node_modules", name);
  if (existsSync(path)) return;
  mkdirSync(join(path, ".."), { recursive: true });
  const places = [join(ROOT, "packages", library, "node_modules", name), join(ROOT, "node_modules", name)];
  symlinkSync(places.find((place) => existsSync(place)) ?? "", path, "junction");
}

function specifiers(library: string): readonly string[] {
  const { name, exports } = manifest(library);
  return Object.keys(exports).map((subpath) => name + subpath.slice(1));
}

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
       const names = ${JSON.stringify(specifiers(library))}.filter((name) => !name.endsWith("/sqlite") || isBuiltin("node:sqlite"));
       for (const name of names) if (Object.keys(await import(name)).length === 0) throw new Error(name + " exports nothing");`,
    );
    expect(await command(ownNode(), [`${library}.mjs`], project)).toEqual({ ok: true, output: "" });
  });

  it("gives a project its types", async () => {
    const imports = specifiers(library).map(
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

it("the types of protocol hold without those of Node, checked to the last declaration", async () => {
  const names = specifiers("protocol").filter((name) => !name.endsWith("/node"));
  writeFileSync(
    join(project, "web.ts"),
    names.map((name, index) => `export * as a${index} from "${name}";`).join("\n"),
  );
  const compilerOptions = { target: "es2023", module: "nodenext", strict: true, types: [], noEmit: true };
  writeFileSync(join(project, "web.json"), JSON.stringify({ compilerOptions, files: ["web.ts"] }));
  expect(await tool("typescript", "bin/tsc", ["-p", "web.json"], project)).toEqual({ ok: true, output: "" });
});
