/**
 * Builds the packages as they are published: JavaScript, types and the files that go with them, in each package's `dist`.
 * What is left there of sources that are gone is removed first.
 */
import { cpSync, existsSync, globSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { lock } from "./lib/install.mjs";
import { type Outcome, tool } from "./tool.ts";

const ROOT = join(import.meta.dirname, "..");
const OF_A_TEST = /\.(test|testing)\.|[\\/]dist[\\/](.*[\\/])?testing[\\/]/;
const OF_A_SOURCE = /(\.d\.ts|\.js)(\.map)?$/;

/**
 * Builds packages, and those that they stand on. One build at a time: two would write the same files.
 * @param projects - Their folders or configurations, from the repository's folder; all packages by default.
 */
export async function build(projects: readonly string[] = ["tsconfig.build.json"]): Promise<Outcome> {
  const release = await lock(join(ROOT, ".build.lock"));
  try {
    removeOrphans();
    const compiled = await tool("typescript", "bin/tsc", ["-b", ...projects, "--pretty", "false"], ROOT);
    copyAssets();
    return compiled;
  } finally {
    release();
  }
}

/** A file in `dist` whose source was removed or renamed would be published all the same. */
function removeOrphans(): void {
  for (const built of globSync("packages/*/dist/**/*", { cwd: ROOT })) {
    const path = join(ROOT, built);
    if (!statSync(path).isFile() || built.endsWith(".tsbuildinfo")) continue;
    const source = built.replace(/([\\/])dist([\\/])/, "$1src$2");
    const origin = OF_A_SOURCE.test(source) ? source.replace(OF_A_SOURCE, ".ts") : source;
    if (!existsSync(join(ROOT, origin)) || OF_A_TEST.test(built)) rmSync(path);
  }
}

/** Style sheets, schemas and pictures stand among the sources and are read at run time. */
function copyAssets(): void {
  for (const source of globSync("packages/*/src/**/*.{css,svg,png,ico,woff2,json,html,sql}", { cwd: ROOT })) {
    const target = source.replace(/([\\/])src([\\/])/, "$1dist$2");
    cpSync(join(ROOT, source), join(ROOT, target), { recursive: true });
  }
}

if (import.meta.main) {
  const { ok, output } = await build();
  process.stderr.write(output);
  process.exitCode = ok ? 0 : 1;
}
