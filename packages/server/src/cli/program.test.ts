import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AdminEvent, adminApp } from "../admin/app.ts";
import { listenOnSocket, type SocketListener, socketPath } from "../admin/socket.ts";
import type { Config } from "../config/config.ts";
import { ACME, acme, BROKEN, broken, NOW } from "../organization/organization.testing.ts";
import { verifyPassword } from "../sign-in/password.ts";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { runProgram } from "./program.ts";

let directory: string;
let data: string;
let store: Store;
let listener: SocketListener;
const recorded: AdminEvent[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cli-"));
  data = join(directory, "data");
  store = await openStore(storeLocation(data));
  const record = async (event: AdminEvent) => void recorded.push(event);
  listener = await listenOnSocket(
    adminApp({ store, record, now: () => NOW, issuerIsLoopback: true }),
    socketPath(data),
  );
});

beforeEach(async () => {
  const { revision } = await store.organization();
  await store.replaceOrganization(acme(), revision);
  recorded.length = 0;
});

afterAll(async () => {
  await listener.close();
  await store.close();
  rmSync(directory, { recursive: true });
});

class Output extends PassThrough {
  readonly isTTY: boolean;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  get text(): string {
    return String(this.read() ?? "");
  }
}

interface Given {
  readonly env?: Record<string, string>;
  readonly terminal?: boolean;
  /** What is on stdin; at a terminal, what is typed after each prompt. */
  readonly input?: string | readonly string[];
}

async function credence(args: readonly string[], { env = {}, terminal = false, input = "" }: Given = {}) {
  const [stdout, stderr] = [new Output(terminal), new Output(false)];
  const raw: boolean[] = [];
  const stdin = terminal
    ? Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => raw.push(on) })
    : Readable.from([Buffer.from(String(input))]);
  const lines = terminal ? [...input] : [];
  let told = "";
  stderr.on("data", (chunk: Buffer) => {
    told += chunk;
    const next = /: $/.test(String(chunk)) ? lines.shift() : undefined;
    if (next !== undefined && stdin instanceof PassThrough) setImmediate(() => stdin.write(next));
  });
  let served: Config | undefined;
  const actions = {
    async serve(config: Config) {
      served = config;
    },
  };
  const world = {
    stdin,
    stdout,
    stderr,
    env,
    now: () => NOW,
    exit: () => {},
    interrupted: () => AbortSignal.abort(),
  };
  const code = await runProgram(args, actions, world);
  await new Promise((resolve) => setImmediate(resolve));
  return { code, stdout: stdout.text, stderr: told, served, raw };
}

function file(text: string): string {
  const path = join(directory, "acme.yaml");
  writeFileSync(path, text);
  return path;
}

const changed = ACME.replace("max_age: 8h", "max_age: 1h");

describe("credence plan", () => {
  it("shows what would change, and changes nothing", async () => {
    const before = await store.organization();
    const { code, stdout } = await credence(["plan", file(changed), "--data", data]);
    expect(code).toBe(0);
    expect(stdout).toContain("~ connection assistant-ledger\n");
    expect(stdout).toContain("0 to add, 1 to change, 0 to remove.");
    expect(await store.organization()).toEqual(before);
  });

  it("takes the data directory from the environment, and the file from stdin", async () => {
    const { code, stdout } = await credence(["plan", "-"], { env: { CREDENCE_DATA: data }, input: changed });
    expect([code, stdout]).toEqual([0, expect.stringContaining("1 to change")]);
  });

  it("gives JSON alone on stdout, and people the rest on stderr", async () => {
    const { code, stdout, stderr } = await credence(["plan", file(changed), "--data", data, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, changes: [{ id: "assistant-ledger", action: "change" }] });
    expect(stderr).toContain("~ connection assistant-ledger");
  });

  it("says drift with its exit code, when asked to", async () => {
    expect(await credence(["plan", file(ACME), "--data", data, "--expect-empty"])).toMatchObject({ code: 0 });
    expect(await credence(["plan", file(changed), "--data", data, "--expect-empty"])).toMatchObject({ code: 1 });
  });

  it("colours a terminal only, and not where colours are not wanted", async () => {
    const args = ["plan", file(changed), "--data", data];
    expect((await credence(args)).stdout).not.toContain("\u001b[");
    expect((await credence(args, { terminal: true })).stdout).toContain("\u001b[33m");
    expect((await credence(args, { terminal: true, env: { NO_COLOR: "1" } })).stdout).not.toContain("\u001b[");
  });

  it.each(BROKEN.filter(({ why }) => why !== "a secret to keep that is not there"))(
    "names the place of $why",
    async ({ text, line, column }) => {
      const path = file(text);
      const { code, stdout, stderr } = await credence(["plan", path, "--data", data]);
      expect(code).toBe(1);
      expect(stdout).toBe("");
      expect(stderr.startsWith(`${path}:${line}:${column}: `)).toBe(true);
    },
  );

  it("gives problems as JSON, too", async () => {
    const { code, stdout } = await credence(["plan", file(broken("8h", "8w")), "--data", data, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, problems: [{ line: 36, column: 28 }] });
  });
});

describe("credence apply", () => {
  it("applies the plan with --yes", async () => {
    expect(await credence(["apply", file(changed), "--data", data, "--yes"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^~ connection.*Applied\. The organization is at revision/s),
    });
    expect((await store.connections("assistant", "ledger"))[0]?.conditions).toEqual({ maxAge: 3600 });
    expect(recorded).toHaveLength(1);
  });

  it("asks at a terminal, and takes yes for an answer and nothing else", async () => {
    const args = ["apply", file(changed), "--data", data];
    expect(await credence(args, { terminal: true, input: ["y\n"] })).toMatchObject({ code: 1 });
    expect(recorded).toHaveLength(0);
    expect(await credence(args, { terminal: true, input: ["yes\n"] })).toMatchObject({ code: 0 });
    expect(recorded).toHaveLength(1);
  });

  it("does not apply where nobody can be asked", async () => {
    expect(await credence(["apply", file(changed), "--data", data], { input: "yes\n" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes"),
    });
    expect(recorded).toHaveLength(0);
  });

  it("changes nothing for a broken or an empty file", async () => {
    const before = await store.organization();
    for (const text of [broken("8h", "8w"), ""]) {
      expect(await credence(["apply", file(text), "--data", data, "--yes"])).toMatchObject({ code: 1 });
    }
    expect(await store.organization()).toEqual(before);
  });
});

describe("credence export", () => {
  it("prints a file whose plan is empty", async () => {
    const { code, stdout } = await credence(["export", "--data", data]);
    expect(code).toBe(0);
    expect(await credence(["plan", file(stdout), "--data", data, "--expect-empty"])).toMatchObject({ code: 0 });
    expect(stdout).not.toContain("only for the demo");
  });

  it("gives the revision with it as JSON", async () => {
    const { stdout } = await credence(["export", "--data", data, "--json"]);
    const { revision } = await store.organization();
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, revision, document: { name: "Acme" } });
  });
});

describe("credence connection, person, agent, app", () => {
  const cases = [
    ["connection", "assistant-ledger", "connections"],
    ["person", "alice", "people"],
    ["agent", "assistant", "agents"],
    ["app", "ledger", "apps"],
  ] as const;

  it.each(cases)("%s off switches it off, and on again", async (kind, id, section) => {
    const find = async () => (await store.organization()).document[section].find((one) => one.id === id)?.enabled;
    expect(await credence([kind, "off", id, "--data", data])).toMatchObject({
      code: 0,
      stdout: `${kind} ${id} is off.\n`,
    });
    expect(await find()).toBe(false);
    expect(await credence([kind, "off", id, "--data", data])).toMatchObject({
      stdout: `${kind} ${id} was off already.\n`,
    });
    const { stdout } = await credence([kind, "on", id, "--data", data, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, changes: [{ action: "change", id }] });
    expect(await find()).toBe(true);
  });

  it("person reset-factors leaves somebody the password alone, and that is on record", async () => {
    const factor = { key: "k", person: "alice", payload: "sealed", counter: 0, createdAt: NOW };
    await store.addFactor({ ...factor, kind: "passkey" });
    await store.addFactor({ ...factor, kind: "totp" });
    expect(await credence(["person", "reset-factors", "alice", "--data", data])).toMatchObject({
      code: 0,
      stdout: "person alice signs in with the password alone now.\n",
    });
    expect(await store.factorsOf("alice")).toEqual([]);
    expect(recorded).toEqual([{ code: "factors.reset", person: { id: "alice" } }]);
    const { stdout } = await credence(["person", "reset-factors", "alice", "--data", data, "--json"]);
    expect(JSON.parse(stdout)).toEqual({ ok: true, removed: 0, sessions: 0, grants: 0 });
    expect(await credence(["person", "reset-factors", "nobody", "--data", data])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no such id in people/),
    });
    expect((await credence(["person", "reset-factors", "--help"])).stdout).toContain("Example");
  });

  it("says what is not there", async () => {
    expect(await credence(["connection", "off", "nothing", "--data", data])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no such id in connections/),
    });
  });
});

describe("credence status and schema", () => {
  it("tell what the organization holds, and how its file is written", async () => {
    expect((await credence(["status", "--data", data])).stdout).toMatch(
      /^Acme, revision \d+: 2 people, 3 agents, 1 app, /,
    );
    expect(JSON.parse((await credence(["schema"])).stdout)).toHaveProperty("properties.connections");
  });
});

describe("credence password-hash", () => {
  it("hashes what stands on stdin, without its line break", async () => {
    const { code, stdout } = await credence(["password-hash"], { input: "correct horse\n" });
    expect(code).toBe(0);
    expect(await verifyPassword(stdout.trim(), "correct horse")).toBe(true);
  });

  it("asks twice at a terminal, and shows nothing", async () => {
    const typed = ["correct hors\u007fse\r", "correct horse\r"];
    const { code, stdout, stderr, raw } = await credence(["password-hash"], { terminal: true, input: typed });
    expect(code).toBe(0);
    expect(await verifyPassword(stdout.trim(), "correct horse")).toBe(true);
    expect(stderr).not.toContain("horse");
    expect(raw).toEqual([true, false, true, false]);
  });

  it.each([
    ["the two differ", ["one\r", "two\r"], /differ/],
    ["it is interrupted", ["one\u0003"], /Interrupted/],
    ["it is empty", ["\r", "\r"], /1 to 1024 bytes/],
  ])("prints nothing when %s", async (_, input, says) => {
    expect(await credence(["password-hash"], { terminal: true, input })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(says),
    });
  });
});

describe("credence serve", () => {
  it("starts the server with the deployment that flags and environment say", async () => {
    const flags = ["--organization", "acme.yaml", "--data", data, "--issuer", "http://127.0.0.1:9", "--port", "9"];
    const { code, served } = await credence(["serve", ...flags, "--key-file", "/k"], { env: { CREDENCE_HOST: "::1" } });
    expect(code).toBe(0);
    expect(served).toMatchObject({ dataDir: data, issuer: "http://127.0.0.1:9", port: 9, host: "::1", keyFile: "/k" });
  });

  it("does not start with a deployment that can not be", async () => {
    const { code, stderr, served } = await credence(["serve", "--port", "many"]);
    expect([code, served]).toEqual([2, undefined]);
    expect(stderr).toBe("error: --port: is not a port: 0 to 65535\n");
  });
});

describe("credence", () => {
  const commands = ["serve", "plan", "apply", "export", "status", "schema", "connection", "person", "agent", "app"];

  it.each([...commands, "audit", "audit verify", "password-hash", "completion"])(
    "%s --help has an example",
    async (command) => {
      const { code, stdout } = await credence([...command.split(" "), "--help"]);
      expect([code, stdout]).toEqual([0, expect.stringContaining(`Example:\n  `)]);
      expect(stdout).toContain(`credence ${command}`);
    },
  );

  it.each([
    ["no such command", ["plam"]],
    ["no such option", ["plan", "x", "--force"]],
    ["a file missing", ["plan"]],
    ["a file that can not be read", ["plan", "/nonexistent.yaml"]],
    ["neither on nor off", ["connection", "maybe", "x"]],
    ["no such shell", ["completion", "fish"]],
  ])("ends with 2 for wrong usage: %s", async (_, args) => {
    const { code, stdout, stderr } = await credence(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/error: /);
  });

  it("says that no server runs, and how to start one", async () => {
    const { code, stdout, stderr } = await credence(["export", "--data", join(directory, "none"), "--json"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/No Credence server runs on .*credence serve/);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
  });

  it("completes itself in a shell", async () => {
    const { stdout } = await credence(["completion", "bash"]);
    const script = `${stdout}\nCOMP_WORDS=(credence audit ver); COMP_CWORD=2; _credence; echo "\${COMPREPLY[@]}"`;
    expect(spawnSync("bash", ["-c", script], { encoding: "utf8" }).stdout).toBe("verify\n");
  });
});
