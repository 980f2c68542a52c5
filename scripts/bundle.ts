/**
 * What each entry of the libraries brings into a browser or a worker: bundled from the packed packages as an app would, without the
 * peers that the app brings itself. None but those that say so uses a module of Node, none has what a web platform lacks,
 * and each stays within its size.
 */
import { builtinModules } from "node:module";
import { gzipSync } from "node:zlib";
import type { Metafile, Plugin } from "esbuild";
import { loadEsbuild } from "./bundler.ts";
import { createConsumer, LIBRARIES, type Library, manifestOf, specifiersOf } from "./consumer.ts";

/** What an entry may be. */
interface Budget {
  /** Bytes of the minified bundle under gzip, at the most. */
  readonly bytes: number;
  /** Modules of Node that the entry may use; none by default. */
  readonly node?: readonly string[];
}

/** Every entry of every library. A size that grows for a good reason is raised here, in the change that makes it grow. */
export const BUDGETS: Readonly<Record<string, Budget>> = {
  "@credence/protocol": { bytes: 10_500 },
  "@credence/protocol/authorization-details": { bytes: 1_500 },
  "@credence/protocol/client-auth": { bytes: 3_500 },
  "@credence/protocol/dpop": { bytes: 7_500 },
  "@credence/protocol/fetch": { bytes: 3_000 },
  "@credence/protocol/id-jag": { bytes: 2_800 },
  "@credence/protocol/jws": { bytes: 6_200 },
  "@credence/protocol/jwt-bearer": { bytes: 2_300 },
  "@credence/protocol/metadata": { bytes: 4_500 },
  "@credence/protocol/mtls": { bytes: 1_200 },
  "@credence/protocol/node": {
    bytes: 6_500,
    node: ["node:crypto", "node:dns", "node:http", "node:https", "node:stream"],
  },
  "@credence/protocol/oidc-provider": { bytes: 9_500 },
  "@credence/protocol/proof-of-possession": { bytes: 6_500 },
  "@credence/protocol/reasons": { bytes: 9_000 },
  "@credence/protocol/token-exchange": { bytes: 2_800 },
  "@credence/issuer": { bytes: 19_500 },
  "@credence/issuer/oidc-provider": { bytes: 22_000 },
  "@credence/resource": { bytes: 36_500 },
  "@credence/resource/express": { bytes: 3_300, node: ["node:tls"] },
  "@credence/resource/fastify": { bytes: 3_300, node: ["node:tls"] },
  "@credence/resource/hono": { bytes: 1_300 },
  "@credence/resource/mcp": { bytes: 9_500 },
  "@credence/resource/mcp-v1": { bytes: 11_000, node: ["node:tls"] },
  "@credence/resource/node": {
    bytes: 9_000,
    node: ["node:crypto", "node:dns", "node:http", "node:https", "node:stream", "node:tls"],
  },
  "@credence/resource/oidc-provider": { bytes: 33_000 },
  "@credence/resource/postgresql": { bytes: 2_500 },
  "@credence/resource/redis": { bytes: 1_700 },
  "@credence/resource/sqlite": { bytes: 2_600, node: ["node:fs", "node:sqlite"] },
  "@credence/resource/testing": { bytes: 17_500 },
  "@credence/client": { bytes: 42_500 },
  "@credence/client/mcp": { bytes: 18_000 },
  "@credence/client/mcp-v1": { bytes: 18_000 },
  "@credence/client/node": {
    bytes: 15_500,
    node: [
      ...["node:child_process", "node:crypto", "node:dns", "node:fs/promises", "node:http", "node:https", "node:path"],
      ...["node:stream", "node:timers/promises"],
    ],
  },
};

/** What no bundle has in it, and why. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/\beval\s*\(|\bnew Function\b/, "code made of text, which a content security policy forbids"],
  [/\bMath\.random\b/, "randomness that can be guessed"],
  [/\bdebugger\b|\bconsole\.\w/, "a trace of debugging"],
  [/@credence\/source|\.testing\b|\bvitest\b/, "something of this repository's own"],
  [/\/(home|Users|work|tmp)\//, "a path of the machine that built it"],
];

/** What none has that may run elsewhere than on Node. */
const FORBIDDEN_ON_THE_WEB: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w$.])Buffer\b(?!\s*[:=])/, "Node's Buffer"],
  [/(?<![\w$.])process\.\w/, "Node's process"],
  [
    /(?<![\w$.])global\.\w|\b__dirname\b|\b__filename\b|(?<![\w$.])setImmediate\b|(?<![\w$.])require\b(?!\s*:)/,
    "a global of Node",
  ],
];

/** A bundle, and what was met on the way. */
export interface Bundled {
  readonly text: string;
  readonly bytes: number;
  /** Modules of Node, each with the files that lead to it. */
  readonly builtins: ReadonlyMap<string, readonly string[]>;
}

/**
 * Checks every entry of every library.
 * @returns what is wrong, a sentence each; empty when nothing is.
 */
export async function checkBundles(): Promise<readonly string[]> {
  await using consumer = await createConsumer();
  const faults: string[] = [];
  const entries = LIBRARIES.flatMap((library) => specifiersOf(library).map((name) => [library, name] as const));
  for (const [library, name] of entries) {
    const budget = BUDGETS[name];
    if (budget === undefined) faults.push(`${name} has no budget: give it one in scripts/bundle.ts`);
    else faults.push(...faultsOf(name, await bundle(name, library, consumer.folder), budget));
  }
  const names = new Set(entries.map(([, name]) => name));
  const gone = Object.keys(BUDGETS).filter((name) => !names.has(name));
  return [...faults, ...gone.map((name) => `${name} is no entry any more: remove its budget from scripts/bundle.ts`)];
}

/** Bundles one entry for the web. Modules of Node are left outside and noted, and so is whatever an app brings itself. */
export async function bundle(name: string, library: Library, folder: string): Promise<Bundled> {
  const { build } = await loadEsbuild();
  const builtins = new Set<string>();
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    stdin: { contents: `export * from ${JSON.stringify(name)};`, resolveDir: folder, sourcefile: "an app" },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: Object.keys(manifestOf(library).peerDependencies ?? {}),
    logLevel: "silent",
    plugins: [noting(builtins)],
  });
  const text = outputFiles[0]?.text ?? "";
  const chains = [...builtins].sort().map((builtin) => [builtin, chainTo(builtin, metafile)] as const);
  return { text, bytes: gzipSync(text, { level: 9 }).byteLength, builtins: new Map(chains) };
}

function noting(builtins: Set<string>): Plugin {
  return {
    name: "modules of Node",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path }) => {
        const bare = path.replace(/^node:/, "");
        if (bare === path && !builtinModules.includes(path)) return undefined;
        builtins.add(`node:${bare}`);
        return { path: `node:${bare}`, external: true };
      });
    },
  };
}

/** The shortest way of imports from the entry to a module. */
function chainTo(module: string, { inputs }: Metafile): readonly string[] {
  const importers = new Map<string, string>();
  const waiting = ["an app"];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    for (const { path } of inputs[file]?.imports ?? []) {
      if (importers.has(path)) continue;
      importers.set(path, file);
      waiting.push(path);
    }
  }
  const chain = [module];
  for (let file = importers.get(module); file !== undefined; file = importers.get(file)) chain.unshift(file);
  return chain;
}

/** What is wrong with a bundle. */
export function faultsOf(name: string, { text, bytes, builtins }: Bundled, budget: Budget): readonly string[] {
  const { node } = budget;
  const foreign = [...builtins].filter(([module]) => !node?.includes(module));
  const idle = (node ?? []).filter((module) => !builtins.has(module));
  const forbidden = [...FORBIDDEN, ...(node === undefined ? FORBIDDEN_ON_THE_WEB : [])];
  return [
    ...foreign.map(([module, chain]) => `${name} uses ${module}:\n    ${chain.join("\n    imports ")}`),
    ...idle.map((module) => `${name} no longer uses ${module}: take it out of scripts/bundle.ts`),
    ...forbidden.flatMap(([pattern, what]) => {
      const found = pattern.exec(text);
      return found === null ? [] : [`${name} has ${what} in it: ${around(text, found.index)}`];
    }),
    ...(bytes > budget.bytes ? [`${name} has ${bytes} bytes under gzip, more than its ${budget.bytes}`] : []),
  ];
}

function around(text: string, index: number): string {
  return JSON.stringify(text.slice(Math.max(0, index - 60), index + 60));
}
