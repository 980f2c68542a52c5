import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ACME, acme, BROKEN, NOW } from "../organization/organization.testing.ts";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { type AdminEvent, adminApp } from "./app.ts";
import { type AdminQuestion, askAdmin } from "./client.ts";
import { listenOnSocket, type SocketListener, socketPath } from "./socket.ts";

let directory: string;
let store: Store;
let listener: SocketListener;
let recorded: AdminEvent[];
let recordFails: boolean;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "admin-"));
  store = await openStore(storeLocation(directory));
  [recorded, recordFails] = [[], false];
  const record = async (event: AdminEvent) => {
    if (recordFails) throw new Error("no space left on device");
    recorded.push(event);
  };
  const app = adminApp({
    store,
    record,
    now: () => NOW,
    issuerIsLoopback: true,
  });
  listener = await listenOnSocket(app, socketPath(directory));
});

afterEach(async () => {
  await listener.close();
  await store.close();
  rmSync(directory, { recursive: true });
});

const ask = (question: AdminQuestion) => askAdmin(directory, question);
const put = (body: string, revision: number) =>
  ask({ method: "PUT", path: "/v1/organization", headers: { "if-match": `"${revision}"` }, body });
const plan = (body: string) => ask({ method: "POST", path: "/v1/organization/plan", body });
const patch = (path: string, body: unknown) => ask({ method: "PATCH", path, body: JSON.stringify(body) });
const exported = async () =>
  (await ask({ method: "GET", path: "/v1/organization" })).body as { text: string; revision: number };

describe("applying an organization file", () => {
  it("makes the organization equal to it, and puts that on record", async () => {
    expect(await put(ACME, 0)).toMatchObject({
      status: 200,
      body: { revision: 1, summary: "8 to add, 1 to change, 0 to remove." },
    });
    expect((await store.organization()).document).toEqual(acme());
    expect(recorded).toMatchObject([{ code: "organization.changed", revision: 1 }]);
    expect(recorded[0]).toMatchObject({
      changes: expect.arrayContaining([{ action: "add", kind: "connection", id: "assistant-ledger" }]),
    });
  });

  it("a second time changes nothing and records nothing", async () => {
    await put(ACME, 0);
    expect(await put(ACME, 1)).toMatchObject({ status: 200, body: { revision: 1, changes: [] } });
    expect(recorded).toHaveLength(1);
  });

  it("removes what the file lacks, after a plan that says so", async () => {
    await put(ACME, 0);
    const without = ACME.slice(0, ACME.indexOf("  - { id: demo-ledger"));
    expect((await plan(without)).body).toMatchObject({
      revision: 1,
      changes: [{ action: "remove", kind: "connection", id: "demo-ledger" }],
    });
    await put(without, 1);
    expect(await store.connections("demo-agent", "ledger")).toEqual([]);
  });

  it("export then plan is empty, and then apply, too", async () => {
    await put(ACME, 0);
    const { text, revision } = await exported();
    expect(text).not.toContain("only for the demo");
    expect((await plan(text)).body).toMatchObject({ changes: [], warnings: [] });
    expect(await put(text, revision)).toMatchObject({ status: 200, body: { changes: [] } });
    expect((await store.organization()).document).toEqual(acme());
  });

  it("shows drift", async () => {
    await put(ACME, 0);
    await patch("/v1/connections/assistant-ledger", { enabled: false });
    expect((await plan(ACME)).body).toMatchObject({
      changes: [{ action: "change", id: "assistant-ledger", fields: [{ field: "enabled", from: "false" }] }],
    });
  });

  it("is refused with its place, and changes nothing, however it is broken", async () => {
    await put("name: Before\npeople: [{ id: carol, email: carol@acme.example, name: Carol }]\n", 0);
    const before = await store.organization();
    for (const { why, text, line, column } of BROKEN) {
      const answer = await put(text, 1);
      expect.soft([why, answer.status]).toEqual([why, 422]);
      expect.soft(answer.body, why).toHaveProperty("problems.0.line", line);
      expect.soft(answer.body, why).toHaveProperty("problems.0.column", column);
      expect.soft(await store.organization(), why).toEqual(before);
    }
    expect(BROKEN.length).toBeGreaterThanOrEqual(10);
    expect(recorded).toHaveLength(1);
  });

  it("is taken back when the record does not take it", async () => {
    await put(ACME, 0);
    recordFails = true;
    expect(await put(ACME.replace("name: Acme", "name: Other"), 1)).toMatchObject({ status: 503 });
    expect((await store.organization()).document).toEqual(acme());
  });
});

describe("two changes at once", () => {
  it("of the whole: one is made, the others are conflicts and change nothing", async () => {
    const names = Array.from({ length: 10 }, (_, i) => `Acme ${i}`);
    const answers = await Promise.all(names.map((name) => put(ACME.replace("name: Acme", `name: ${name}`), 0)));
    const winners = answers.flatMap(({ status }, i) => (status === 200 ? [names[i]] : []));
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ type: "urn:credence:problem:conflict" });
    expect((await store.organization()).document.name).toBe(winners[0]);
    expect(recorded).toHaveLength(1);
  });

  it("of a revision that is no longer", async () => {
    await put(ACME, 0);
    expect(await put(ACME.replace("name: Acme", "name: Late"), 0)).toMatchObject({
      status: 409,
      body: { revision: 1 },
    });
  });

  it("of one entry each: all are made", async () => {
    await put(ACME, 0);
    const paths = ["/v1/people/alice", "/v1/agents/assistant", "/v1/apps/ledger", "/v1/connections/assistant-ledger"];
    const answers = await Promise.all(paths.map((path) => patch(path, { enabled: false })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { document } = await store.organization();
    expect([document.people[0], document.agents[0], document.apps[0], document.connections[0]]).toMatchObject(
      Array(4).fill({ enabled: false }),
    );
  });
});

describe("switching off", () => {
  it("a connection holds at once, and is on record", async () => {
    await put(ACME, 0);
    expect(await patch("/v1/connections/assistant-ledger", { enabled: false })).toMatchObject({
      status: 200,
      body: { revision: 2 },
    });
    expect(await store.connections("assistant", "ledger")).toMatchObject([{ enabled: false }]);
    expect(recorded[1]).toMatchObject({
      revision: 2,
      changes: [{ action: "change", kind: "connection", id: "assistant-ledger" }],
    });
  });

  it("what is not there is not found", async () => {
    await put(ACME, 0);
    expect(await patch("/v1/connections/other", { enabled: false })).toMatchObject({ status: 404 });
    expect(recorded).toHaveLength(1);
  });

  it("finds an agent whose id is a URL", async () => {
    await put(ACME.replace("id: worker", "id: https://worker.example/client.json"), 0);
    const path = `/v1/agents/${encodeURIComponent("https://worker.example/client.json")}`;
    expect(await patch(path, { enabled: false })).toMatchObject({ status: 200 });
  });

  it.each([{}, { enabled: "no" }, { enabled: false, name: "x" }, [], null])("does not take %j", async (body) => {
    await put(ACME, 0);
    expect(await patch("/v1/people/alice", body)).toMatchObject({ status: 400 });
    expect((await store.person("alice"))?.enabled).toBe(true);
  });
});

describe("resetting what somebody has beside a password", () => {
  const factor = { kind: "totp", key: "k", person: "alice", payload: "sealed", counter: 0, createdAt: NOW };

  it("removes all of it, of that person alone", async () => {
    await put(ACME, 0);
    await store.addFactor(factor);
    await store.addFactor({ ...factor, key: "other", person: "bob" });
    const answer = await ask({ method: "DELETE", path: "/v1/people/alice/factors" });
    expect(answer).toMatchObject({ status: 200, body: { removed: 1 } });
    expect(await store.factorsOf("alice")).toEqual([]);
    expect(await store.factorsOf("bob")).toHaveLength(1);
    expect(recorded.at(-1)).toEqual({ code: "factors.reset", person: { id: "alice" } });
  });

  it("does not happen when it can not be put on record, nor to nobody", async () => {
    await put(ACME, 0);
    await store.addFactor(factor);
    recordFails = true;
    expect((await ask({ method: "DELETE", path: "/v1/people/alice/factors" })).status).toBe(500);
    expect(await store.factorsOf("alice")).toHaveLength(1);
    expect((await ask({ method: "DELETE", path: "/v1/people/nobody/factors" })).status).toBe(404);
  });
});

describe("the admin API refuses", () => {
  const cases: readonly [string, AdminQuestion, number][] = [
    ["a change without a revision", { method: "PUT", path: "/v1/organization", body: ACME }, 428],
    [
      "a revision that is none",
      { method: "PUT", path: "/v1/organization", headers: { "if-match": "*" }, body: ACME },
      400,
    ],
    ["more than 4 MiB", { method: "POST", path: "/v1/organization/plan", body: "x".repeat(4 * 1024 * 1024 + 1) }, 413],
    ["what is not UTF-8", { method: "POST", path: "/v1/organization/plan", body: Buffer.from([0x61, 0xff]) }, 400],
    ["a body that is no JSON", { method: "PATCH", path: "/v1/people/alice", body: "{" }, 400],
    ["a path that is not there", { method: "GET", path: "/v2/organization" }, 404],
  ];

  it.each(cases)("%s", async (_, question, status) => {
    expect(await ask(question)).toMatchObject({ status, body: { status, title: expect.any(String) } });
    expect((await store.organization()).revision).toBe(0);
  });

  it("everything when the store is gone, and tells nothing of it", async () => {
    await store.close();
    expect(await plan(ACME)).toMatchObject({ status: 503, body: { type: "urn:credence:problem:unavailable" } });
  });
});

describe("the status", () => {
  it("counts what there is", async () => {
    await put(ACME, 0);
    expect((await ask({ method: "GET", path: "/v1/status" })).body).toEqual({
      status: "ok",
      time: NOW,
      organization: { name: "Acme", demo: true, revision: 1, people: 2, agents: 3, apps: 1, connections: 2 },
    });
  });
});

describe("the admin socket", () => {
  const app = adminApp({} as never);

  it("is its owner's alone", () => {
    expect(statSync(socketPath(directory)).mode & 0o777).toBe(0o600);
  });

  it.each(["18446744073709551616", "a b", "evil.example", ""])(
    "answers whoever says that it is the host %j",
    async (host) => {
      const status = await new Promise((resolve, reject) => {
        const asked = request({ socketPath: socketPath(directory), path: "/v1/status", headers: { host } });
        asked.once("response", (answer) => resolve(answer.resume().statusCode)).once("error", reject);
        asked.end();
      });
      expect(status).toBe(200);
    },
  );

  it("ends whoever does not finish the headers in ten seconds", async () => {
    const started = Date.now();
    const socket = connect(socketPath(directory)).setEncoding("latin1");
    let answer = "";
    socket.on("data", (text: string) => {
      answer += text;
    });
    socket.write("GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx: ");
    await once(socket, "close");
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    const seconds = (Date.now() - started) / 1_000;
    expect(seconds).toBeGreaterThan(9);
    expect(seconds).toBeLessThan(20);
  }, 60_000);

  it("goes when the server does", async () => {
    await listener.close();
    expect(existsSync(socketPath(directory))).toBe(false);
    await expect(ask({ method: "GET", path: "/v1/status" })).rejects.toThrow(/No Credence server runs on/);
  });

  it("does not push aside a server that answers", async () => {
    await expect(listenOnSocket(app, socketPath(directory))).rejects.toThrow(/Another server answers/);
    expect(await ask({ method: "GET", path: "/v1/status" })).toMatchObject({ status: 200 });
  });

  it("replaces one that a killed server left behind", async () => {
    await listener.close();
    const script = `require("node:net").createServer().listen(${JSON.stringify(socketPath(directory))}, () => process.kill(process.pid, "SIGKILL"))`;
    const { spawnSync } = await import("node:child_process");
    spawnSync(process.execPath, ["-e", script]);
    expect(existsSync(socketPath(directory))).toBe(true);
    const again = await listenOnSocket(app, socketPath(directory));
    await again.close();
  });

  it("does not remove another file", async () => {
    await listener.close();
    writeFileSync(socketPath(directory), "precious");
    await expect(listenOnSocket(app, socketPath(directory))).rejects.toThrow(/is no socket/);
    expect(existsSync(socketPath(directory))).toBe(true);
  });

  it("is not opened in a directory that others may enter", async () => {
    await listener.close();
    chmodSync(directory, 0o755);
    await expect(listenOnSocket(app, socketPath(directory))).rejects.toThrow(/chmod 700/);
  });

  it("says when its path is too long", async () => {
    await expect(listenOnSocket(app, `/${"d".repeat(120)}/admin.sock`)).rejects.toThrow(/shorter --data/);
  });

  it("says when what answers is no Credence server", async () => {
    await listener.close();
    const server = createServer((_, res) => res.end("hi"));
    await new Promise<void>((resolve) => server.listen(socketPath(directory), resolve));
    await expect(ask({ method: "GET", path: "/v1/status" })).rejects.toThrow(/no Credence server/);
    await new Promise((resolve) => server.close(resolve));
  });
});
