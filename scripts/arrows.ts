/**
 * The import arrows of the design: which file may import which. Packages and the server's rooms have one direction, so that
 * each can be read, tested and used without what stands above it. Tests are exempt.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { type Import, importsOf } from "./imports.ts";

/** One import that the design forbids. */
export interface Violation {
  /** Path from the repository's folder, and line. */
  readonly at: string;
  readonly specifier: string;
  /** The rule, and where such code may stand instead. */
  readonly why: string;
}

/** Which of our packages a package may import, beside itself. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  issuer: ["protocol"],
  resource: ["protocol"],
  client: ["protocol"],
  server: ["protocol", "issuer", "resource"],
  // It talks to the admin API alone.
  console: [],
  // A black box: a bug that it shared with us would certify itself.
  conformance: [],
};

/** Packages from others that a package may import; everybody else may import what their package.json declares. */
const ONLY_DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  protocol: ["jose"],
  conformance: ["jose"],
};

/** Libraries also for runtimes without Node's modules: those stand behind a subpath of their own. */
const PORTABLE = new Set(["protocol", "issuer", "resource", "client"]);
const NODE_ONLY_FILE = /(^|\/)(node|sqlite|[\w-]+\.node)\.ts$|(^|\/)node\//;

/** The server's rooms, by height: a room imports what stands lower. `config` is read by main.ts alone and handed down. */
const ROOMS: Readonly<Record<string, number>> = {
  store: 0,
  keys: 1,
  policy: 2,
  directory: 2,
  revocation: 2,
  audit: 2,
  organization: 3,
  admin: 4,
  "sign-in": 4,
  idp: 4,
  gateway: 4,
  http: 5,
  operations: 6,
  config: 6,
  cli: 7,
  // Composition too: of one process, and of several.
  process: 7,
  workers: 7,
};
/** These know everyone. Files beside main.ts are of its height. */
const TOP = 7;
/** The nouns: types that every room may name. */
const NOUNS = "directory/types.ts";
/** A pure order of values, without anything beneath: who signs in and who decides read the same one. */
const ACR = "directory/acr.ts";

/**
 * Every forbidden import under `root`.
 * @param root - Folder that holds `packages/` and `examples/`.
 * @returns in the order of the files.
 */
export function arrows(root: string): readonly Violation[] {
  return globSync(["packages/*/src/**/*.ts", "examples/*/src/**/*.ts"], { cwd: root })
    .map((file) => file.split(sep).join("/"))
    .filter((file) => !isTest(file))
    .sort()
    .flatMap((file) => violationsOf(file, readFileSync(join(root, file), "utf8")));
}

/**
 * The forbidden imports of one file.
 * @param file - Its path from the repository's folder, with `/`.
 * @param source - Its text.
 */
export function violationsOf(file: string, source: string): readonly Violation[] {
  return importsOf(source).flatMap((found) => {
    const why = objection(file, found);
    return why === undefined ? [] : [{ at: `${file}:${found.line}`, specifier: found.specifier, why }];
  });
}

function objection(file: string, found: Import): string | undefined {
  const { specifier } = found;
  if (specifier.startsWith(".")) return objectionToFile(file, posix.join(posix.dirname(file), specifier), found);
  if (specifier.startsWith("node:")) return objectionToNode(file, found);
  if (specifier.startsWith("@credence/")) return objectionToOurs(file, specifier);
  return objectionToOthers(file, found);
}

function objectionToFile(file: string, target: string, found: Import): string | undefined {
  if (isTest(target)) return "Code that is published never imports a test or its helpers.";
  const from = placeOf(file);
  const to = placeOf(target);
  const bothExamples = from.home === "examples" && to.home === "examples";
  if (!bothExamples && (from.home !== to.home || from.name !== to.name)) {
    return "Another package is imported by its name, never by a path into it.";
  }
  return from.home === "packages" && from.name === "server" ? objectionToRoom(from.path, to.path, found) : undefined;
}

function objectionToRoom(file: string, target: string, found: Import): string | undefined {
  const from = roomOf(file);
  const to = roomOf(target);
  if (from.height === undefined) return `The room ${from.name}/ has no height yet: give it one in scripts/arrows.ts.`;
  if (to.height === undefined) return `The room ${to.name}/ has no height yet: give it one in scripts/arrows.ts.`;
  if (from.name === to.name || from.height === TOP) return undefined;
  if ((found.typeOnly && target === NOUNS) || target === ACR) return undefined;
  if (from.name === "policy")
    return "policy/ is pure: it imports @credence/protocol, and the types of directory/types.ts.";
  if (to.height < from.height) return undefined;
  return to.height === from.height
    ? `${from.name}/ and ${to.name}/ stand side by side: pass it in as an argument, from main.ts.`
    : `${from.name}/ stands below ${to.name}/: pass it in as an argument, from above.`;
}

function objectionToNode(file: string, found: Import): string | undefined {
  const { home, name, path } = placeOf(file);
  if (home !== "packages") return undefined;
  if (name === "server")
    return roomOf(path).name === "policy" ? "policy/ is pure: it imports nothing of Node." : undefined;
  if (!PORTABLE.has(name) || NODE_ONLY_FILE.test(path) || found.typeOnly) return undefined;
  return "A library runs without Node too: what needs Node's modules stands in node.ts, sqlite.ts or node/, behind its own subpath.";
}

function objectionToOurs(file: string, specifier: string): string | undefined {
  const { home, name, path } = placeOf(file);
  const [target = "", ...subpath] = specifier.slice("@credence/".length).split("/");
  if (home === "examples") {
    const internal = target === "server" && subpath.length > 0;
    return internal ? "Examples use what the server exports, never its inside." : undefined;
  }
  if (target === name) return "Inside a package files are imported by their path.";
  if (name === "server" && roomOf(path).name === "policy" && target !== "protocol") {
    return "policy/ is pure: it imports @credence/protocol, and the types of directory/types.ts.";
  }
  const allowed = PACKAGES[name];
  if (allowed === undefined) return `The package ${name} has no arrows yet: give it some in scripts/arrows.ts.`;
  if (allowed.includes(target)) return undefined;
  const may = allowed.length === 0 ? "none of our packages" : allowed.join(", ");
  return `${name} imports ${may}: each package is usable alone, with somebody else's counterpart.`;
}

function objectionToOthers(file: string, found: Import): string | undefined {
  const { home, name, path } = placeOf(file);
  if (home !== "packages") return undefined;
  const dependency = dependencyOf(found.specifier);
  const allowed = ONLY_DEPENDENCIES[name];
  if (allowed !== undefined && !allowed.includes(dependency)) return `${name} depends on ${allowed.join(", ")} alone.`;
  if (name === "server" && roomOf(path).name === "policy") return "policy/ is pure: it imports no package of others.";
  return undefined;
}

/** `@scope/name/sub` and `name/sub` without their subpath. */
function dependencyOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** `packages/server/src/http/router.ts` is in packages, of server, at http/router.ts. */
function placeOf(file: string): { readonly home: string; readonly name: string; readonly path: string } {
  const [home = "", name = "", , ...path] = file.split("/");
  return { home, name, path: path.join("/") };
}

function roomOf(path: string): { readonly name: string; readonly height: number | undefined } {
  const folder = dirname(path).split("/")[0] ?? ".";
  // The operator's log is at everybody's service.
  if (path === "log.ts") return { name: "log.ts", height: 0 };
  if (folder === ".") return { name: "main.ts", height: TOP };
  return { name: folder, height: ROOMS[folder] };
}

/** `x.test.ts`, and the helpers of tests: `x.testing.ts` and what stands in a folder `testing/`. */
function isTest(file: string): boolean {
  return /\.(test|testing)\.tsx?$|\/src\/(.*\/)?testing\//.test(file);
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const violations = arrows(root);
  for (const { at, specifier, why } of violations)
    console.error(`${relative(process.cwd(), join(root, at))}: "${specifier}"\n  ${why}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
