/** Runs the worker on this machine, on workerd, as the platform would. */
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

/** The worker's variables and secrets. */
export interface Bindings {
  readonly URL: string;
  readonly IDP: string;
  readonly CLIENT_ID: string;
  readonly CLIENT_SECRET: string;
  /** A private JWK, as JSON. */
  readonly SIGNING_KEY: string;
  readonly DEVELOPMENT: boolean;
}

/**
 * Bundles the worker and starts it.
 * @returns a function that ends it.
 */
export async function startWorker(port: number, bindings: Bindings): Promise<() => Promise<void>> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("main.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2023",
    // The first is this repository's own: it takes our packages from their sources.
    conditions: ["@credence/source", "workerd", "worker", "browser"],
  });
  const worker = new Miniflare({
    modules: true,
    script: bundle.outputFiles[0]?.text ?? "",
    compatibilityDate: "2026-07-01",
    bindings: { ...bindings },
    durableObjects: { STORE: { className: "StoreObject", useSQLite: true } },
    host: "127.0.0.1",
    port,
    // Else it asks the network where it is.
    cf: false,
    // The worker's log goes beside what people are told.
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      for (const stream of [stdout, stderr]) stream.pipe(process.stderr);
    },
  });
  await worker.ready;
  return () => worker.dispose();
}
