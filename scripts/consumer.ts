/**
 * The libraries as their users get them: built, packed and unpacked in a project of its own, which has nothing else of this
 * repository. What is published is checked there: that it is imported, typed, bundled, and runs on every runtime.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.ts";
import { command } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");

/** The packages that others build on, by folder. */
export const LIBRARIES = ["protocol", "issuer", "resource", "client"] as const;

/** One of {@link LIBRARIES}. */
export type Library = (typeof LIBRARIES)[number];

/** As much of a package.json as is looked at. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A project with the packed libraries installed. */
export interface Consumer extends AsyncDisposable {
  readonly folder: string;
  /** Path of a library's tarball, as it would be published. */
  tarball(library: Library): string;
}

/** Reads a library's package.json. */
export function manifestOf(library: Library): Manifest {
  return JSON.parse(readFileSync(join(ROOT, "packages", library, "package.json"), "utf8"));
}

/** Every name that a library is imported by. */
export function specifiersOf(library: Library): readonly string[] {
  const { name, exports } = manifestOf(library);
  return Object.keys(exports).map((subpath) => name + subpath.slice(1));
}

/**
 * Builds and packs the libraries, and installs them in a new project, ES modules as its code.
 * @returns the project; disposing of it removes it.
 */
export async function createConsumer(): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), "credence-consumer-"));
  const tarball = (library: Library): string => {
    const { name, version } = manifestOf(library);
    return join(folder, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  };
  const consumer: Consumer = {
    folder,
    tarball,
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    must("The libraries could not be built", await build(LIBRARIES.map((library) => `packages/${library}`)));
    for (const library of LIBRARIES) await install(library, consumer);
    return consumer;
  } catch (error) {
    await consumer[Symbol.asyncDispose]();
    throw error;
  }
}

async function install(library: Library, { folder, tarball }: Consumer): Promise<void> {
  const { name, dependencies, peerDependencies } = manifestOf(library);
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  must(`npm pack of ${name} failed`, await command("npm", pack, join(ROOT, "packages", library)));
  const target = join(folder, "node_modules", name);
  mkdirSync(target, { recursive: true });
  const unpack = ["-xzf", tarball(library), "--strip-components=1", "-C", target];
  must(`The tarball of ${name} could not be unpacked`, await command("tar", unpack));
  for (const other of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (!other.startsWith("@credence/")) link(other, library, folder);
  }
}

/** Packages of others come from this repository's installation. */
function link(name: string, library: Library, folder: string): void {
  const path = join(folder, "node_modules", name);
  if (existsSync(path)) return;
  mkdirSync(join(path, ".."), { recursive: true });
  const places = [join(ROOT, "packages", library, "node_modules", name), join(ROOT, "node_modules", name)];
  symlinkSync(places.find((place) => existsSync(place)) ?? "", path, "junction");
}

function must(what: string, { ok, output }: { readonly ok: boolean; readonly output: string }): void {
  if (!ok) throw new Error(`${what}:\n${output.trim()}`);
}
