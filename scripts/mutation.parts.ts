import { globSync } from "node:fs";
import { join } from "node:path";

/**
 * What is changed together, and the tests that have to notice: those that stand beside it. A mutant that survives costs the
 * time of all tests that reach it, so what is slow to test (databases, real time-outs) stands by itself.
 */
export interface Unit {
  readonly name: string;
  /** What the figure is told for. */
  readonly part: string;
  /** From the repository's folder. */
  readonly folder: string;
  /** Globs in the folder; the unit of a part that names none takes what the others leave. */
  readonly sources?: readonly string[];
  readonly tests?: readonly string[];
}

const UNITS: readonly Unit[] = [
  { name: "policy", part: "policy", folder: "packages/server/src/policy" },
  {
    name: "protocol-fetch",
    part: "protocol",
    folder: "packages/protocol/src",
    sources: ["fetch.ts", "node.ts"],
    tests: ["fetch*.test.ts"],
  },
  { name: "protocol-core", part: "protocol", folder: "packages/protocol/src" },
  {
    name: "issuer-oidc-provider",
    part: "issuer",
    folder: "packages/issuer/src",
    sources: ["oidc-provider.ts", "oidc-provider/*.ts"],
    tests: ["oidc-provider*.test.ts", "oidc-provider/*.test.ts"],
  },
  { name: "issuer-core", part: "issuer", folder: "packages/issuer/src" },
  {
    name: "resource-adapters",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["{express,fastify,hono,mcp,mcp-v1,mcp-auth-info,node,body,certificate}.ts", "node/*.ts"],
    tests: ["{express,fastify,hono,mcp,mcp-v1,node}.test.ts", "node/*.test.ts"],
  },
  {
    name: "resource-oidc-provider",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["oidc-provider.ts", "oidc-provider/*.ts"],
    tests: ["oidc-provider*.test.ts", "oidc-provider/*.test.ts"],
  },
  {
    name: "resource-redeem",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["redeem/*.ts", "replay.ts"],
    tests: ["redeem/*.test.ts"],
  },
  {
    name: "resource-protect",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["protect/*.ts", "access-token/*.ts"],
    tests: ["protect/*.test.ts", "access-token/*.test.ts"],
  },
  {
    name: "resource-endpoints",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["endpoints/*.ts", "revocation.ts", "fault.ts"],
    tests: ["endpoints/*.test.ts", "revocation.test.ts", "fault.test.ts"],
  },
  {
    name: "resource-testing",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["testing.ts", "test-idp/*.ts"],
    tests: ["testing.test.ts"],
  },
  {
    name: "resource-core",
    part: "resource",
    folder: "packages/resource/src",
    // What is shared by all of them: nothing stands beside it alone.
    tests: [
      "{configuration,store,revocation}.test.ts",
      "{issuer-keys,endpoints,protect}/*.test.ts",
      "redeem/{redeem,replay}.test.ts",
    ],
  },
  {
    name: "resource-stores",
    part: "resource",
    folder: "packages/resource/src",
    sources: ["sqlite.ts", "postgresql.ts", "redis.ts", "stores/*.ts"],
    tests: ["sqlite.test.ts", "postgresql.test.ts", "redis.test.ts", "stores/*.test.ts"],
  },
];

/** A unit with its files, from the repository's folder. */
export interface Work {
  readonly name: string;
  readonly part: string;
  /** All sources of the unit, and those of them that are meant. */
  readonly all: readonly string[];
  readonly sources: readonly string[];
  readonly tests: readonly string[];
}

/**
 * The units that names mean: of parts, of units, or of source files, which then are the only ones of their unit.
 *
 * @param root - The repository's folder.
 * @param names - None for everything.
 * @throws an error that says what there is, for a name that means nothing.
 */
export function workFor(root: string, names: readonly string[]): readonly Work[] {
  const all = UNITS.map((unit) => filesOf(root, unit));
  if (names.length === 0) return all;
  const strange = names.find((name) => !all.some((one) => isMeant(one, name)));
  if (strange !== undefined) {
    const known = [...new Set(all.flatMap(({ part, name }) => [part, name]))].join(", ");
    throw new Error(`${strange} is no part and no source file of one. There are: ${known}`);
  }
  return all.flatMap((work) => {
    const meant = names.filter((name) => isMeant(work, name));
    const files = meant.filter((name) => work.sources.includes(name));
    if (meant.length === 0) return [];
    return [files.length === meant.length ? { ...work, sources: files } : work];
  });
}

function isMeant({ name, part, sources }: Work, wanted: string): boolean {
  return wanted === name || wanted === part || sources.includes(wanted);
}

function filesOf(root: string, unit: Unit): Work {
  const { name, part, folder, sources, tests } = unit;
  const matching = (globs: readonly string[]) =>
    globSync([...globs], { cwd: join(root, folder) })
      .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
      .sort();
  const others = UNITS.filter((one) => one.part === part && one !== unit);
  const left = (mine: readonly string[] | undefined, theirs: (one: Unit) => readonly string[], ending: string) => {
    const taken = new Set(matching(others.flatMap(theirs)));
    return mine ? matching(mine) : matching([`**/*${ending}`]).filter((file) => !taken.has(file));
  };
  const all = left(sources, (one) => one.sources ?? [], ".ts").filter((file) => !/\.(?:test|testing)\.ts$/.test(file));
  return { name, part, all, sources: all, tests: left(tests, (one) => one.tests ?? [], ".test.ts") };
}
