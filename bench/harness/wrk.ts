/** Load from wrk: another program, so that no event loop of ours stands between. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { BenchError } from "./error.ts";
import { cpuSeconds } from "./proc.ts";

/** One POST, as it will be sent. */
export interface Post {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What one load did. */
export interface Load {
  readonly answers: number;
  /** Wall clock, in seconds. */
  readonly seconds: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU seconds of the server, all its threads and children. */
  readonly serverCpu: number;
  /** CPU seconds of wrk. */
  readonly wrkCpu: number;
}

/** How a server is loaded. */
export interface LoadOptions {
  readonly url: string;
  /** Of the server. */
  readonly pid: number;
  readonly posts: readonly Post[];
  readonly seconds: number;
  readonly connections: number;
  /** For the file of requests. */
  readonly folder: string;
}

/** What wrk's script prints. */
type Printed = Record<"answers" | "seconds" | "refused" | "broken" | "p50" | "p99" | "ticks", number>;

/**
 * Loads a server for some seconds, each request once.
 *
 * @returns what came of it; `undefined` when there were not enough requests.
 * @throws BenchError when an answer is no 2xx.
 */
export async function load({ url, pid, posts, seconds, connections, folder }: LoadOptions): Promise<Load | undefined> {
  const file = join(folder, "requests");
  writeFileSync(file, posts.map((post) => `${rawRequest(url, post)}\0`).join(""));
  const args = [
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "-s",
    join(import.meta.dirname, "wrk.lua"),
    url,
    "--",
    file,
  ];
  const before = cpuSeconds(pid);
  const { answers, refused, broken, ticks, ...printed } = await runWrk(args);
  const serverCpu = cpuSeconds(pid) - before;
  // The last request is sent again where all were sent: whoever takes each once refuses it then.
  if (answers >= posts.length) return undefined;
  if (refused + broken > 0) {
    throw new BenchError(`${url}: ${refused} of ${answers} answers were no 2xx, ${broken} connections broke`);
  }
  return { answers, serverCpu, wrkCpu: ticks / 100, ...printed };
}

/** The whole request, with its head. */
export function rawRequest(url: string, { headers, body }: Post): string {
  const { host, pathname } = new URL(url);
  const lines = Object.entries({ host, ...headers, "content-length": String(Buffer.byteLength(body)) });
  return `POST ${pathname} HTTP/1.1\r\n${lines.map((line) => `${line.join(": ")}\r\n`).join("")}\r\n${body}`;
}

/** @throws BenchError that says how to get it, where there is no wrk. */
export async function requireWrk(): Promise<void> {
  const child = spawn("wrk", ["-v"], { stdio: "ignore" });
  await once(child, "close").catch((cause) => {
    throw new BenchError("wrk is missing. Install it: apt-get install -y --no-install-recommends wrk", { cause });
  });
}

async function runWrk(args: readonly string[]): Promise<Printed> {
  const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "inherit"] });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  const line = printed.trim().split("\n").at(-1) ?? "";
  if (code !== 0 || !line.startsWith("{")) throw new BenchError(`wrk ended with ${code}: ${printed}`);
  // Our own script has printed it.
  return JSON.parse(line) as Printed;
}
