/** The bundler of the example for workers, which depends on it: one is enough. */
import { createRequire } from "node:module";
import { join } from "node:path";

const worker = createRequire(join(import.meta.dirname, "../examples/worker/package.json"));

/** Loads esbuild. */
export function loadEsbuild(): Promise<typeof import("esbuild")> {
  return import(worker.resolve("esbuild"));
}

/** Loads Miniflare, which brings workerd. */
export function loadMiniflare(): Promise<typeof import("miniflare")> {
  return import(worker.resolve("miniflare"));
}
