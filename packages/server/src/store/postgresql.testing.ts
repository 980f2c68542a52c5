import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

/** A place of one test's own in the PostgreSQL that listens on this machine. */
export interface TestSchema {
  /** For `openStore`: its tables go into this schema. */
  readonly url: string;
  /** Runs SQL in it, beside the store. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  drop(): Promise<void>;
}

const SERVER = process.env.CREDENCE_TEST_POSTGRESQL ?? "postgresql://postgres@127.0.0.1:5432/test";

/** Makes a schema that holds nothing yet. */
export async function createTestSchema(): Promise<TestSchema> {
  const name = `credence_${randomBytes(8).toString("hex")}`;
  const url = `${SERVER}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create schema ${name}`);
  return {
    url,
    query: async (sql) => (await client.query(sql)).rows,
    async drop() {
      await client.query(`drop schema ${name} cascade`);
      await client.end();
    },
  };
}

/** A PostgreSQL of one test's own, that it may stop and start. */
export interface TestCluster {
  readonly url: string;
  start(): void;
  /** As an operator would who can not wait: sessions are cut. */
  stop(): void;
  /** Stops its processes in their tracks: connections stay, and new ones are made by the kernel, but nobody answers. */
  pause(): void;
  /** Lets them go on. */
  resume(): void;
  dispose(): void;
}

/** Makes and starts one. */
export async function createTestCluster(): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), "credence-cluster-"));
  const data = join(directory, "data");
  const port = await freePort();
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--"] : [];
  if (user.length > 0) execFileSync("chown", ["postgres", directory]);
  const run = (program: string, args: readonly string[]): void => {
    const [command = "", ...rest] = [...user, join(programs(), program), ...args];
    execFileSync(command, rest, { cwd: directory, stdio: "ignore" });
  };
  run("initdb", ["-D", data, "-U", "credence", "--auth=trust", "--no-sync"]);
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`;
  const start = () => run("pg_ctl", ["-D", data, "-o", options, "-l", join(directory, "log"), "-w", "start"]);
  const stop = () => run("pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"]);
  start();
  let paused: readonly number[] = [];
  const resume = (): void => {
    for (const pid of paused.toReversed()) process.kill(pid, "SIGCONT");
    paused = [];
  };
  return {
    url: `postgresql://credence@127.0.0.1:${port}/postgres`,
    start,
    stop,
    pause() {
      const [postmaster = ""] = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
      // First the one that makes the others: each of them is a group of its own.
      process.kill(Number(postmaster), "SIGSTOP");
      const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8")
        .split(" ")
        .filter(Boolean);
      for (const pid of children) process.kill(Number(pid), "SIGSTOP");
      paused = [postmaster, ...children].map(Number);
    },
    resume,
    dispose() {
      resume();
      try {
        stop();
      } catch {
        // It was stopped already.
      }
      rmSync(directory, { recursive: true });
    },
  };
}

function programs(): string {
  const [newest] = globSync("/usr/lib/postgresql/*/bin").toSorted().toReversed();
  return newest ?? execFileSync("pg_config", ["--bindir"], { encoding: "utf8" }).trim();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
