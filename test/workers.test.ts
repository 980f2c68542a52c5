/** `credence serve --workers 2`, as processes: who answers, what a change reaches, and what becomes of one that dies. */
import { once } from "node:events";
import { Agent } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { findPort } from "../examples/demo/src/processes.ts";
import { createTestSchema, type TestSchema } from "../packages/server/src/store/postgresql.testing.ts";
import {
  childrenOf,
  exchangeAt,
  idTokenAt,
  type ServerProcess,
  startServerProcess,
  until,
} from "./server-process.testing.ts";

// Three processes start, several times, on whatever machine this is.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let server: ServerProcess;
let operations: string;
let idToken: string;
beforeAll(async () => {
  const port = await findPort(0);
  operations = `http://127.0.0.1:${port}`;
  server = await startServerProcess({ flags: ["--workers", "2", "--ops-port", String(port)] });
  idToken = await idTokenAt(server.issuer);
});
afterAll(() => server[Symbol.asyncDispose]());

/** Many at once, each over a connection of its own. @returns the status of each. */
async function exchanges(count: number, at = server): Promise<number[]> {
  const connections = new Agent({ keepAlive: false });
  const answers = await Promise.all(Array.from({ length: count }, () => exchangeAt(at.issuer, idToken, connections)));
  return answers.map(({ status }) => status);
}

/** What each process counted. */
async function counted(metric: string): Promise<ReadonlyMap<string, number>> {
  const page = await (await fetch(`${operations}/metrics`)).text();
  const sums = new Map<string, number>();
  for (const [, process = "", value] of page.matchAll(
    new RegExp(`^${metric}\\{.*process="([^"]+)"\\} (\\S+)$`, "gm"),
  )) {
    sums.set(process, (sums.get(process) ?? 0) + Number(value));
  }
  return sums;
}

describe("two workers", () => {
  test("both answer, and one page shows what each of them counted, and the process that looks after them", async () => {
    await until(async () => {
      expect(new Set(await exchanges(20))).toEqual(new Set([200]));
      const by = await counted("credence_exchanges_total");
      return (by.get("worker-1") ?? 0) > 0 && (by.get("worker-2") ?? 0) > 0;
    });
    expect([...(await counted("process_resident_memory_bytes")).keys()].sort()).toEqual([
      "primary",
      "worker-1",
      "worker-2",
    ]);
  });

  test("both know within a second what an admin changed", async () => {
    expect(await server.credence("agent", "off", "assistant")).toMatchObject({ code: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(new Set(await exchanges(30))).toEqual(new Set([401]));
    expect(await server.credence("agent", "on", "assistant")).toMatchObject({ code: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(new Set(await exchanges(30))).toEqual(new Set([200]));
  });

  test("one that is killed leaves the other answering, and comes back, told in the log and counted", async () => {
    const [victim = 0] = childrenOf(server.child.pid ?? 0);
    process.kill(victim, "SIGKILL");
    await until(() => !childrenOf(server.child.pid ?? 0).includes(victim));
    expect(new Set(await exchanges(10))).toEqual(new Set([200]));
    await until(() => /a worker takes requests again/.test(server.said()));
    expect(server.said()).toMatch(/"worker":"worker-1","how":"SIGKILL",.*a worker has ended, and is started anew/);
    expect((await counted("credence_worker_restarts_total")).get("primary")).toBe(1);
    await until(async () => {
      await exchanges(20);
      return ((await counted("credence_exchanges_total")).get("worker-1") ?? 0) > 0;
    });
    expect(await (await fetch(`${operations}/readyz`)).json()).toMatchObject({ status: "ready" });
  });

  test("keep a second server off their data directory", async () => {
    const { code, output } = await server.credence("serve", "--issuer", "http://127.0.0.1:9", "--port", "0");
    expect(code).toBe(1);
    expect(output).toMatch(/Another Credence server runs on .* Stop it first/);
  });

  test("keep a server with other data off their port", async () => {
    const elsewhere = `${server.folder}/elsewhere`;
    const port = new URL(server.issuer).port;
    const { code, output } = await server.credence("serve", "--workers", "2", "--port", port, "--data", elsewhere);
    expect(code).toBe(1);
    expect(output).toMatch(/Port \d+ on 127\.0\.0\.1 is in use by another program/);
  });
});

describe("two workers on PostgreSQL", () => {
  let schema: TestSchema;
  let first: ServerProcess;
  beforeAll(async () => {
    schema = await createTestSchema();
    first = await startServerProcess({ flags: ["--workers", "2", "--store", schema.url] });
    idToken = await idTokenAt(first.issuer);
  });
  afterAll(async () => {
    await first?.[Symbol.asyncDispose]();
    await schema.drop();
  });

  test("answer, keep one record, and know within a second what an admin changed", async () => {
    expect(childrenOf(first.child.pid ?? 0)).toHaveLength(2);
    expect(new Set(await exchanges(30, first))).toEqual(new Set([200]));
    expect(await first.credence("agent", "off", "assistant")).toMatchObject({ code: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(new Set(await exchanges(30, first))).toEqual(new Set([401]));
    expect(await first.credence("agent", "on", "assistant")).toMatchObject({ code: 0 });
    const permits = await schema.query(
      `select count(*)::integer as events, count(distinct writer)::integer as writers
         from audit_events where payload like '%"exchange.permitted"%'`,
    );
    expect(permits).toEqual([{ events: 30, writers: 2 }]);
    expect(await first.credence("audit", "verify", "--store", schema.url)).toMatchObject({ code: 0 });
  });
});

describe("a server with workers ends", () => {
  let ending: ServerProcess;
  afterEach(() => ending[Symbol.asyncDispose]());

  test("by Ctrl-C, which all its processes get, with a clean record", async () => {
    ending = await startServerProcess({ flags: ["--workers", "2"] });
    idToken = await idTokenAt(ending.issuer);
    await exchanges(10, ending);
    const workers = childrenOf(ending.child.pid ?? 0);
    const ended = once(ending.child, "exit");
    process.kill(-(ending.child.pid ?? 0), "SIGINT");
    expect(await ended).toEqual([0, null]);
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(ending.said()).not.toMatch(/"level":50/);
    expect(await ending.credence("audit", "verify")).toMatchObject({ code: 0 });
  });

  test("by a kill of the first process: its workers go with it, and it starts again", async () => {
    ending = await startServerProcess({ flags: ["--workers", "2"] });
    const workers = childrenOf(ending.child.pid ?? 0);
    expect(workers).toHaveLength(2);
    await ending.stop("SIGKILL");
    const lives = (pid: number): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await until(() => !workers.some(lives));
    await using again = await ending.again();
    idToken = await idTokenAt(again.issuer);
    expect(new Set(await exchanges(10, again))).toEqual(new Set([200]));
    expect(await again.stop()).toEqual({ code: 0, signal: null });
    expect(await again.credence("audit", "verify")).toMatchObject({ code: 0 });
  });
});
