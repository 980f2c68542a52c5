/** The runtimes, and how the suite is run on each of them. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { loadEsbuild, loadMiniflare } from "../../scripts/bundler.ts";
import { ensureInstalled } from "../../scripts/lib/install.mjs";
import type { Outcome } from "./suite/case.ts";

const HERE = import.meta.dirname;
/** Milliseconds until a runtime that does not end is ended. */
const PATIENCE = 120_000;

/** A runtime that the libraries are tested on. */
export interface Runtime {
  readonly name: string;
  /** Whether it has Node's modules, so that the subpaths for Node run there too. */
  readonly node: boolean;
  /** Whether it has `node:sqlite`. */
  readonly sqlite: boolean;
  /** Whether there is one for this machine. */
  readonly available: boolean;
  /** @param folder - A project with the packed libraries. */
  run(folder: string): Promise<Ran>;
}

/** What a run gave. */
export interface Ran {
  readonly versions?: Readonly<Record<string, string>>;
  readonly outcomes: readonly Outcome[];
}

const { arch, platform } = process;
const onLinux = platform === "linux" && (arch === "x64" || arch === "arm64");
const linuxNode = (major: number) => `node-${major}-linux-${arch}/bin/node`;
const bun = `@oven/bun-linux-${arch === "arm64" ? "aarch64" : arch}/bin/bun`;

/** All of them; Node 24 is the one that runs this. */
export const RUNTIMES: readonly Runtime[] = [
  ofNpm("Node 20", linuxNode(20), [], false),
  ofNpm("Node 22", linuxNode(22), [], true),
  {
    name: "Node 24",
    node: true,
    sqlite: true,
    available: true,
    run: (folder) => spawned(process.execPath, [], folder, true),
  },
  ofNpm("Deno", `@deno/linux-${arch}-glibc/deno`, ["run", "--allow-all", "--no-prompt", "--cached-only"], true),
  ofNpm("Bun", bun, [], true),
  { name: "workerd", node: false, sqlite: false, available: true, run: onWorkerd },
];

/** A runtime that npm brings along, into a folder of its own. */
function ofNpm(name: string, path: string, args: readonly string[], sqlite: boolean): Runtime {
  const run = async (folder: string): Promise<Ran> => {
    return spawned(await installed(path, name), args, folder, sqlite);
  };
  return { name, node: true, sqlite, available: onLinux, run };
}

/**
 * What npm brings along for these tests alone, installed when it is needed.
 * @param path - In `node_modules`.
 * @param name - For people.
 * @returns the whole path. Rejects with a sentence for people when it can not be had.
 */
export async function installed(path: string, name: string): Promise<string> {
  await ensureInstalled(HERE, (line) => process.stderr.write(`${line}\n`), "what the libraries are tested on");
  const whole = join(HERE, "node_modules", path);
  if (existsSync(whole)) return whole;
  throw new Error(`${name} is not at ${whole}. To mend it: npm ci in test/runtimes, with a network.`);
}

async function spawned(binary: string, args: readonly string[], folder: string, sqlite: boolean): Promise<Ran> {
  const file = join(folder, "suite.mjs");
  if (!existsSync(file))
    writeFileSync(file, await bundled("process.ts", folder, { platform: "node", packages: "external" }));
  const child = spawn(binary, [...args, file, ...(sqlite ? ["sqlite"] : [])], {
    cwd: folder,
    // The conditions and preloads of whoever runs the tests are not the runtime's.
    env: { PATH: process.env.PATH, HOME: folder, TMPDIR: process.env.TMPDIR, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE,
    killSignal: "SIGKILL",
  });
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)]);
  const line = output.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{"))
    throw new Error(`The suite did not come to its end (${code}):\n${errors}\n${output}`.slice(0, 8_000));
  return JSON.parse(line);
}

function ended(child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(String(code ?? signal)));
  });
}

async function text(stream: Readable | null): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function onWorkerd(folder: string): Promise<Ran> {
  const { Miniflare } = await loadMiniflare();
  const script = await bundled("worker.ts", folder, { conditions: ["workerd", "worker", "browser"] });
  // `cf: false`: else it asks the network where it is.
  const workerd = new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2026-07-01",
    cf: false,
    host: "127.0.0.1",
    port: 0,
  });
  try {
    const answer = await workerd.dispatchFetch("http://worker.example/");
    const body = await answer.text();
    if (!answer.ok) throw new Error(`The worker answered ${answer.status}: ${body.slice(0, 8_000)}`);
    return JSON.parse(body);
  } finally {
    await workerd.dispose();
  }
}

/** One entry of the suite, moved into that project so that it finds the libraries as the project has them. */
async function bundled(entry: string, folder: string, options: import("esbuild").BuildOptions): Promise<string> {
  const { build } = await loadEsbuild();
  cpSync(join(HERE, "suite"), join(folder, "suite"), { recursive: true });
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: [join("suite", entry)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    ...options,
  });
  return outputFiles?.[0]?.text ?? "";
}
