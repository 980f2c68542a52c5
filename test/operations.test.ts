/** What an operator sees of the real command: readiness while its store is away, and metrics that nobody else sees. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { findPort } from "../examples/demo/src/processes.ts";
import { createTestCluster } from "../packages/server/src/store/postgresql.testing.ts";
import { SECRETS } from "./house.testing.ts";
import {
  type Answered,
  exchangeAt,
  idTokenAt,
  type ServerProcess,
  startServerProcess,
  until,
} from "./server-process.testing.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const connections = new Agent({ keepAlive: true });
afterAll(() => connections.destroy());

const answerOf = async (url: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
};
const readiness = async ({ issuer }: ServerProcess): Promise<{ status: number; body: unknown }> => {
  const { status, text } = await answerOf(`${issuer}/readyz`);
  return { status, body: JSON.parse(text) };
};

describe("metrics", () => {
  let server: ServerProcess;
  let operations: string;
  let exchanged: Answered;
  beforeAll(async () => {
    const port = await findPort(0);
    operations = `http://127.0.0.1:${port}`;
    server = await startServerProcess({ flags: ["--ops-port", String(port), "--log-level", "debug"] });
    exchanged = await exchangeAt(server.issuer, await idTokenAt(server.issuer), connections);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("count what was done, and name nobody who did it", async () => {
    const { status, text } = await answerOf(`${operations}/metrics`);
    expect(status).toBe(200);
    expect(text).toMatch(
      /^credence_exchanges_total\{outcome="permitted",error="",reason="[a-z-]+",process="server"\} 1$/m,
    );
    expect(text).toMatch(/^credence_sign_ins_total\{outcome="succeeded",reason="",process="server"\} 1$/m);
    expect(text).toMatch(/^credence_exchange_duration_seconds_count\{process="server"\} 1$/m);
    expect(text).toMatch(/^credence_record_commits_total\{outcome="kept",process="server"\} [1-9]/m);
    expect(text).toMatch(/^credence_http_requests_total\{endpoint="token",status="200",process="server"\} 2$/m);
    expect(text).not.toMatch(/alice|assistant|ledger/i);
  });

  test("are on the operators' listener alone", async () => {
    expect((await answerOf(`${server.issuer}/metrics`)).status).toBe(404);
    expect((await answerOf(`${operations}/token`)).status).toBe(404);
    expect((await answerOf(`${operations}/healthz`)).status).toBe(200);
  });

  test("stand beside a log that shows requests at debug, and no secret, token or code of any of them", () => {
    expect(exchanged.status).toBe(200);
    expect(server.said()).toMatch(/"endpoint":"token","status":200,"ms":[\d.]+,"msg":"request"/);
    expect(server.said()).toMatch(/"endpoint":"authorize"/);
    for (const secret of [...Object.values(SECRETS), "correct horse", "eyJ", "code="]) {
      expect(server.said()).not.toContain(secret);
    }
  });
});

/** Until the store is gone for the server: it may have had room for a few more. @returns what was answered meanwhile. */
async function exchangesUntilNotReady(server: ServerProcess, idToken: string): Promise<Answered[]> {
  const answers: Answered[] = [];
  await until(async () => {
    answers.push(await exchangeAt(server.issuer, idToken, connections));
    return (await readiness(server)).status !== 200;
  });
  return answers;
}

async function expectAway(server: ServerProcess, idToken: string): Promise<void> {
  expect(await readiness(server)).toEqual({
    status: 503,
    body: { status: "not-ready", parts: { store: "failed", keys: "ok" } },
  });
  expect((await answerOf(`${server.issuer}/healthz`)).status).toBe(200);
  expect(await exchangeAt(server.issuer, idToken, connections)).toMatchObject({
    status: 503,
    body: { error: "temporarily_unavailable" },
  });
  expect(server.said()).toMatch(/"part":"store".*not ready for requests/);
}

async function expectBack(server: ServerProcess, idToken: string, ...store: string[]): Promise<void> {
  await until(async () => (await readiness(server)).status === 200);
  expect((await exchangeAt(server.issuer, idToken, connections)).status).toBe(200);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  expect(await server.credence("audit", "verify", ...store)).toMatchObject({ code: 0 });
}

// A disk of our own, to fill: that takes the rights of root.
describe.runIf(process.getuid?.() === 0)("a full disk", () => {
  let disk: string;
  beforeAll(() => {
    disk = mkdtempSync(join(tmpdir(), "credence-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", disk]);
  });
  afterAll(() => {
    execFileSync("umount", ["--lazy", disk]);
    rmSync(disk, { recursive: true });
  });

  test("makes the server not ready and its exchanges fail, and with room on it all is well again", async () => {
    await using server = await startServerProcess({ parent: disk });
    const idToken = await idTokenAt(server.issuer);
    expect((await exchangeAt(server.issuer, idToken, connections)).status).toBe(200);
    const filler = join(disk, "filler");
    fill(filler);
    await exchangesUntilNotReady(server, idToken);
    await expectAway(server, idToken);
    rmSync(filler);
    await expectBack(server, idToken);
  });

  function fill(path: string): void {
    for (const size of [1_048_576, 65_536, 4_096]) {
      try {
        for (;;) writeFileSync(path, Buffer.alloc(size), { flag: "a" });
      } catch {
        // Full, for pieces of this size.
      }
    }
  }
});

describe("a PostgreSQL that is stopped", () => {
  let folder: string;
  let port: number;
  const asPostgres = (command: string, ...args: string[]): void => {
    const bin = execFileSync("sh", ["-c", "ls -d /usr/lib/postgresql/*/bin | tail -1"], { encoding: "utf8" }).trim();
    const whole = [join(bin, command), ...args];
    // PostgreSQL does not run as root.
    const run = process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--", ...whole] : whole;
    execFileSync(run[0] ?? "", run.slice(1), { stdio: "ignore", cwd: folder });
  };
  const start = () =>
    asPostgres(
      "pg_ctl",
      "-D",
      join(folder, "data"),
      "-w",
      "-o",
      `-p ${port} -k ${folder}`,
      "-l",
      join(folder, "log"),
      "start",
    );
  const stop = () => asPostgres("pg_ctl", "-D", join(folder, "data"), "-m", "immediate", "stop");
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "credence-pg-"));
    chmodSync(folder, 0o777);
    port = await findPort(0);
    asPostgres("initdb", "-D", join(folder, "data"), "-A", "trust", "-U", "postgres");
    start();
  });
  afterAll(() => {
    stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("makes the server not ready and its exchanges fail, and when it runs again all is well again", async () => {
    const store = `postgresql://postgres@127.0.0.1:${port}/postgres`;
    await using server = await startServerProcess({ flags: ["--store", store] });
    const idToken = await idTokenAt(server.issuer);
    expect((await exchangeAt(server.issuer, idToken, connections)).status).toBe(200);
    stop();
    await exchangesUntilNotReady(server, idToken);
    await expectAway(server, idToken);
    start();
    await expectBack(server, idToken, "--store", store);
  });
});

test("a PostgreSQL that hangs makes the server not ready in time and its exchanges fail, and when it goes on all is well again", async () => {
  const cluster = await createTestCluster();
  try {
    const store = cluster.url;
    await using server = await startServerProcess({ flags: ["--store", store] });
    const idToken = await idTokenAt(server.issuer);
    expect((await exchangeAt(server.issuer, idToken, connections)).status).toBe(200);
    await until(async () => (await readiness(server)).status === 200);
    // What was answered a moment ago counts no more.
    await sleep(1_100);

    cluster.pause();
    const pausedAt = performance.now();
    const answers = Promise.all(Array.from({ length: 12 }, () => exchangeAt(server.issuer, idToken, connections)));
    const { status } = await readiness(server);
    const waited = performance.now() - pausedAt;
    for (const answer of await answers) {
      expect(answer).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
      expect(answer.body).not.toHaveProperty("access_token");
    }
    expect(status).toBe(503);
    // Three seconds, on a machine that is busy.
    expect(waited).toBeLessThan(4_000);
    await expectAway(server, idToken);

    cluster.resume();
    await expectBack(server, idToken, "--store", store);
  } finally {
    cluster.dispose();
  }
});
