import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { generateSigningKey, importSigner } from "@credence/protocol/jws";
import { CommanderError } from "commander";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { permit, type RecordOnDisk, recordOnDisk } from "../audit/audit.testing.ts";
import { rowHash } from "../audit/chain.ts";
import { entryHash, signHead, signWriter } from "../audit/signatures.ts";
import { openStore } from "../store/open.ts";
import { createTestSchema, type TestSchema } from "../store/postgresql.testing.ts";
import { auditCommand } from "./audit.ts";

/** Drops the second event and signs what is left as if it had always been so: all that write access to the store gives. */
async function forge(disk: RecordOnDisk): Promise<void> {
  const { privateJwk, publicJwk } = await generateSigningKey("ES256");
  const signer = await importSigner(privateJwk);
  const [first] = await disk.store.auditWriters();
  if (first === undefined) throw new Error("nobody wrote");
  const { writer, startedAt } = first;
  const entry = await signWriter({ position: 1, writer, startedAt }, signer);
  const rows = (await disk.store.auditRows(writer, 0, 100)).filter(({ seq }) => seq !== 2);
  let hash = entryHash(entry);
  const statements = rows.map(({ payload, seq: before }, i) => {
    hash = rowHash(writer, i + 1, hash, payload);
    return `update audit_events set seq = ${i + 1}, hash = '${hash}' where seq = ${before};`;
  });
  const head = await signHead({ writer, seq: rows.length, hash, signedAt: startedAt }, signer);
  disk.tamper(`delete from audit_events where seq = 2; delete from audit_heads;
    ${statements.join("\n")}
    update audit_writers set signature = '${entry.signature}';
    insert into audit_heads values ('${writer}', ${head.seq}, '${hash}', ${head.signedAt}, '${head.signature}');
    update keys set kid = '${privateJwk.kid}', public_jwk = '${JSON.stringify(publicJwk)}' where use = 'audit';`);
}

describe("credence audit", () => {
  let disk: RecordOnDisk;
  beforeEach(async () => {
    disk = await recordOnDisk();
    const audit = await disk.openAudit();
    await audit.record(permit(1));
    await audit.record({ ...permit(2, "bob"), code: "exchange.denied", reasons: [{ id: "no-connection" }] });
    await audit.signHead();
    await audit.record({ code: "sign-out", person: { id: "alice" } });
    await audit.close();
  });
  afterEach(() => disk.dispose());

  interface Run {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }
  /** Runs the command as `credence audit ARGS` would; `while` runs until it is done, for a command that goes on. */
  async function run(args: readonly string[], during?: (out: () => string) => Promise<void>, env = {}): Promise<Run> {
    const out = collect();
    const err = collect();
    let code = 0;
    const controller = new AbortController();
    const command = auditCommand({
      stdout: Object.assign(out.stream, { isTTY: "COLOUR" in env }),
      stderr: err.stream,
      env,
      now: () => 1_800_000_010,
      exit: (given) => {
        code = given;
      },
      interrupted: () => controller.signal,
    });
    const done = command.parseAsync([...args], { from: "user" }).catch((error: unknown) => {
      if (!(error instanceof CommanderError)) throw error;
      code = error.exitCode;
    });
    if (during) await during(out.text).finally(() => controller.abort());
    await done;
    return { code, out: out.text(), err: err.text() };
  }
  const data = () => ["--data", disk.dataDir];
  const lines = (text: string) => text.split("\n").filter((line) => line !== "");

  describe("list", () => {
    it("prints a line for each event, beside a running server", async () => {
      const { code, out, err } = await run(["list", ...data()]);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(lines(out)).toHaveLength(3);
      expect(lines(out)[1]).toMatch(
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}exchange\.denied +bob@acme\.example → assistant → ledger +deny +\[ledger\.read\] no-connection +decision-2$/,
      );
    });
    it("says so when no event fits, and leaves stdout empty", async () => {
      for (const json of [[], ["--json"]]) {
        const { code, out, err } = await run(["list", ...data(), "--decision", "nonsense", ...json]);
        expect([code, out, err]).toEqual([0, "", expect.stringContaining("No event fits.")]);
      }
    });

    it("reads the record of a stopped server", async () => {
      await disk.store.close();
      expect(lines((await run(["list", ...data()])).out)).toHaveLength(3);
      expect((await run(["verify", ...data()])).code).toBe(0);
    });
    it("prints JSON alone on stdout", async () => {
      const { out, err } = await run(["list", ...data(), "--json", "--limit", "2"]);
      expect(err).toBe("");
      expect(lines(out).map((line) => JSON.parse(line))).toMatchObject([
        { code: "exchange.denied", decision_id: "decision-2", person: { id: "bob" } },
        { code: "sign-out", person: { id: "alice" } },
      ]);
    });
    it.each<[readonly string[], number]>([
      [["--code", "exchange"], 2],
      [["--person", "bob"], 1],
      [["--agent", "assistant", "--app", "ledger"], 2],
      [["--decision", "decision-1"], 1],
      [["--since", "1h"], 3],
      [["--since", "1s"], 0],
      [["--since", "2027-01-15T08:00:00Z"], 3],
      [["--since", "2027-01-15T09:00:00Z"], 0],
    ])("filters by %j", async (filters, count) => {
      const { code, out } = await run(["list", ...data(), ...filters]);
      expect({ code, count: lines(out).length }).toEqual({ code: 0, count });
    });
    it("is coloured on a terminal, unless NO_COLOR is set", async () => {
      expect((await run(["list", ...data()], undefined, { COLOUR: "" })).out).toContain("\u001b[");
      expect((await run(["list", ...data()], undefined, { COLOUR: "", NO_COLOR: "1" })).out).not.toContain("\u001b[");
    });
  });

  it("tail prints the latest events, then each new one, until interrupted", async () => {
    const { code, out } = await run(["tail", ...data(), "--json", "--limit", "1"], async (text) => {
      await expect.poll(() => lines(text())).toHaveLength(1);
      const audit = await disk.openAudit();
      await audit.record(permit(7));
      await audit.close();
      await expect.poll(() => lines(text()), { timeout: 5_000 }).toHaveLength(2);
    });
    expect(code).toBe(0);
    expect(lines(out).map((line) => JSON.parse(line).code)).toEqual(["sign-out", "exchange.permitted"]);
  });

  describe("verify", () => {
    it("exits 0 for a record that nobody touched", async () => {
      const { code, out } = await run(["verify", ...data()]);
      expect({ code, out }).toEqual({
        code: 0,
        out: "The record is as it was written: 3 events of 1 start, 2 signed heads compared.\n",
      });
    });
    it.each<[string, string, RegExp]>([
      [
        "an event changed",
        "update audit_events set payload = replace(payload, 'decision-2', 'x') where seq = 2",
        /^changed {2}writer \S+, record 2: /,
      ],
      ["an event removed", "delete from audit_events where seq = 2", /^missing {2}writer \S+, record 2: /],
      [
        "a tail cut after a signed head",
        "delete from audit_events where seq = 3",
        /^tail-cut {2}writer \S+, record 3: /,
      ],
      [
        "a head's signature changed",
        "update audit_heads set signature = 'x' where seq = 2",
        /^head-signature {2}writer \S+, record 2: /,
      ],
      ["a register entry removed", "delete from audit_writers", /^register-missing {2}writer \S+: /],
      [
        "the public key replaced",
        "update keys set public_jwk = '{}' where use = 'audit'",
        /^register-changed {2}writer \S+: /,
      ],
    ])("names it and exits 1: %s", async (_, sql, message) => {
      disk.tamper(sql);
      const plain = await run(["verify", ...data()]);
      expect(plain.code).toBe(1);
      expect(plain.out).toMatch(message);
      expect(plain.out).toContain("NOT as it was written");
      const json = await run(["verify", ...data(), "--json"]);
      expect(json.code).toBe(1);
      expect(JSON.parse(json.out)).toMatchObject({ ok: false });
      expect(json.err).toMatch(message);
    });
    it("is not deceived by a record that was written and signed anew, with a key of somebody else's", async () => {
      await forge(disk);
      const found = await run(["verify", ...data()]);
      expect(found.code).toBe(1);
      expect(found.err).toMatch(/does not open the record's key/);
      expect(found.out).toMatch(/^register-changed {2}writer /);
    });
    it("says so when there is no key file to tell the record's keys by", async () => {
      const keyFile = `${disk.dataDir}.key`;
      renameSync(keyFile, `${keyFile}.kept-apart`);
      const bare = await run(["verify", ...data()]);
      expect(bare).toMatchObject({ code: 0, err: expect.stringMatching(/^note: There is no key file/) });
      expect(await run(["verify", ...data(), "--key-file", `${keyFile}.kept-apart`])).toMatchObject({
        code: 0,
        err: "",
      });
      expect(await run(["verify", ...data(), "--key-file", keyFile])).toMatchObject({ code: 2 });
    });
    it("compares heads that were kept elsewhere, as `heads` printed them", async () => {
      const { out } = await run(["heads", ...data()]);
      expect(lines(out)).toHaveLength(1);
      expect(lines((await run(["heads", ...data(), "--all"])).out)).toHaveLength(2);
      const file = join(disk.dataDir, "heads.jsonl");
      writeFileSync(file, out);
      expect(await run(["verify", ...data(), "--head", file])).toMatchObject({ code: 0 });
      disk.tamper("delete from audit_events where seq = 3; delete from audit_heads where seq = 3");
      expect(await run(["verify", ...data()])).toMatchObject({ code: 0 });
      const found = await run(["verify", ...data(), "--head", file]);
      expect(found.code).toBe(1);
      expect(found.out).toMatch(/^tail-cut {2}writer \S+, record 3: .*published head/);
      writeFileSync(file, out.replace('"seq":3', '"seq":2'));
      expect(await run(["verify", ...data(), "--head", file])).toMatchObject({ code: 1 });
    });
  });

  describe("on a PostgreSQL database", () => {
    let schema: TestSchema;
    beforeEach(async () => {
      schema = await createTestSchema();
      const store = await openStore({ kind: "postgresql", url: schema.url });
      await store.changeKeyRing(await disk.store.keyRing(), 0);
      const audit = await disk.openAudit({ store });
      await audit.record(permit(7, "carol"));
      await audit.close();
      await store.close();
    });
    afterEach(() => schema.drop());

    it.each<[string, () => readonly string[], () => object]>([
      ["named by a flag", () => ["--store", schema.url], () => ({})],
      ["named by a variable", () => [], () => ({ CREDENCE_STORE: schema.url })],
      ["of the deployment", () => [], () => ({ CREDENCE_CONFIG: configFile() })],
    ])("reads and verifies the record, %s", async (_, flags, env) => {
      // The directory need not be there: the record is elsewhere.
      const list = await run(["list", "--data", "/nowhere", ...flags()], undefined, env());
      expect(list).toMatchObject({ code: 0, out: expect.stringContaining("carol") });
      expect(list.out).not.toContain("alice");
      const verify = await run(["verify", ...data(), "--key-file", keyFile(), ...flags()], undefined, env());
      expect(verify).toMatchObject({ code: 0, out: expect.stringMatching(/as it was written: \d event/) });
    });
    it("sees what somebody changed there", async () => {
      await schema.query(`update audit_events set payload = replace(payload, '"exchange.permitted"', '"sign-out"')`);
      expect((await run(["verify", ...data(), "--store", schema.url])).code).toBe(1);
    });
    it("repeats no password of a database that can not be had", async () => {
      for (const url of ["postgresql://u:hunter2@127.0.0.1:1/d", "postgres//u:hunter2@h/d"]) {
        const { code, err } = await run(["list", "--store", url]);
        expect(code).toBe(2);
        expect(err).not.toContain("hunter2");
      }
    });
    const keyFile = () => `${disk.dataDir}.key`;
    const configFile = () => {
      const file = join(disk.dataDir, "credence.yaml");
      writeFileSync(file, JSON.stringify({ store: schema.url }));
      return file;
    };
  });

  describe("usage", () => {
    it.each<[string, readonly string[], RegExp]>([
      ["no data directory", ["list"], /--data/],
      ["an unknown flag", ["verify", "--data", "x", "--what"], /--what/],
      ["an unknown command", ["what"], /what/],
      ["a wrong limit", ["list", "--data", "x", "--limit", "0"], /from 1 to/],
      ["a wrong time", ["list", "--data", "x", "--since", "yesterday"], /duration/],
      ["no such directory", ["verify", "--data", "/nowhere/at/all"], /There is no directory/],
    ])("exits 2 and says why, on stderr: %s", async (_, args, message) => {
      const { code, out, err } = await run(args);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toMatch(message);
    });
    it("exits 2 for a directory without a store, and for heads that are none", async () => {
      const empty = join(disk.dataDir, "empty");
      mkdirSync(empty);
      expect(await run(["list", "--data", empty])).toMatchObject({
        code: 2,
        err: expect.stringMatching(/no Credence store/),
      });
      const file = join(disk.dataDir, "heads.jsonl");
      writeFileSync(file, '\n{"writer":5}\n');
      expect(await run(["verify", ...data(), "--head", file])).toMatchObject({ code: 2 });
      expect((await run(["verify", ...data(), "--head", file])).err).toContain("heads.jsonl:2:");
      expect(await run(["verify", ...data(), "--head", join(disk.dataDir, "none")])).toMatchObject({ code: 2 });
    });
    it.each([[], ["list"], ["tail"], ["verify"], ["heads"]])(
      "has help with an example: audit %s",
      async (...command) => {
        const { code, out } = await run([...command, "--help"]);
        expect(code).toBe(0);
        expect(out).toContain("Example:\n  credence audit ");
      },
    );
  });
});

function collect(): { readonly stream: PassThrough; readonly text: () => string } {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}
