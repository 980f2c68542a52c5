import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storeConformance } from "./conformance.testing.ts";
import { CODE, type StorePlace } from "./data.testing.ts";
import { storePath } from "./files.ts";
import { storeLocation } from "./location.ts";
import { lockDataDirectory } from "./lock.ts";
import { openStore } from "./open.ts";
import { killAfterFirstOutput, nodeArguments } from "./process.testing.ts";
import { sharedStoreConformance } from "./shared.testing.ts";

async function temporaryPlace(): Promise<StorePlace> {
  const directory = mkdtempSync(join(tmpdir(), "credence-store-"));
  return {
    location: storeLocation(directory),
    dispose: async () => rmSync(directory, { recursive: true }),
  };
}

storeConformance("SQLite", temporaryPlace);
sharedStoreConformance("SQLite", temporaryPlace);

describe("the SQLite store", () => {
  let parent: string;
  let data: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "credence-data-"));
    data = join(parent, "data");
  });
  afterEach(() => rmSync(parent, { recursive: true }));
  const mode = (path: string) => statSync(path).mode & 0o777;

  it("lets nobody but its owner read its files", async () => {
    const store = await openStore(storeLocation(data));
    await store.consume("jti", "one", 2_000);
    expect(mode(data)).toBe(0o700);
    for (const suffix of ["", "-wal", "-shm"]) expect(mode(storePath(data) + suffix)).toBe(0o600);
    await store.close();
    chmodSync(storePath(data), 0o644);
    await (await openStore(storeLocation(data))).close();
    expect(mode(storePath(data))).toBe(0o600);
  });

  it("may be read beside its writer, sees each write that resolved, and can not be written by readers", async () => {
    const store = await openStore(storeLocation(data));
    const reader = await openStore(storeLocation(data), { readOnly: true });
    await store.appendAudit([{ writer: "w", seq: 1, hash: "h", payload: "{}", personal: "" }]);
    expect(await reader.auditRows("w", 0, 10)).toHaveLength(1);
    await expect(reader.consume("jti", "one", 2_000)).rejects.toMatchObject({ reason: "store-unavailable" });
    await reader.close();
    await store.close();
  });

  it("keeps the personal fields of a record whose fields were rows of their own", async () => {
    await (await openStore(storeLocation(data))).close();
    const raw = new DatabaseSync(storePath(data));
    raw.exec(`
      delete from kysely_migration where name >= '0006';
      alter table audit_events drop column personal;
      create table audit_personal (writer text, seq integer, field text, salt text, value text);
      insert into audit_events values ('w', 1, 'h1', '{}'), ('w', 2, 'h2', '{}'), ('v', 1, 'h1', '{}');
      insert into audit_personal values ('w', 1, 'person', 's1', '{"id":"a\\\\l\\"ice ☃"}'), ('w', 1, 'source', 's2', '203.0.113.7'),
        ('v', 1, 'source', 's3', '203.0.113.8');
    `);
    raw.close();
    // Two at once: one of them brings the record up to date.
    const [store, other] = await Promise.all([openStore(storeLocation(data)), openStore(storeLocation(data))]);
    const rows = [...(await store.auditRows("w", 0, 10)), ...(await other.auditRows("v", 0, 10))];
    expect(rows.map(({ personal }) => personal && JSON.parse(personal))).toEqual([
      [
        ["person", "s1", '{"id":"a\\\\l\\"ice ☃"}'],
        ["source", "s2", "203.0.113.7"],
      ],
      "",
      [["source", "s3", "203.0.113.8"]],
    ]);
    await other.close();
    await store.close();
  });

  it("may be read after its writer ended", async () => {
    const store = await openStore(storeLocation(data));
    await store.appendAudit([{ writer: "w", seq: 1, hash: "h", payload: "{}", personal: "" }]);
    await store.close();
    const reader = await openStore(storeLocation(data), { readOnly: true });
    expect(await reader.auditRows("w", 0, 10)).toHaveLength(1);
    await reader.close();
  });

  it.each<[string, () => void, RegExp]>([
    ["missing", () => {}, /no Credence store/],
    [
      "no database",
      () => writeFileSync(storePath(data), "not a database, just text ".repeat(100)),
      /can not be opened/,
    ],
    ["empty", () => writeFileSync(storePath(data), ""), /another version/],
  ])("refuses to be read when its file is %s, and changes nothing", async (_, prepare, message) => {
    mkdirSync(data);
    prepare();
    await expect(openStore(storeLocation(data), { readOnly: true })).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringMatching(message),
    });
  });

  it("refuses a file that is no database", async () => {
    mkdirSync(data);
    writeFileSync(storePath(data), "not a database, just text ".repeat(100));
    await expect(openStore(storeLocation(data))).rejects.toMatchObject({ code: "configuration" });
  });

  it("refuses a store from a newer version, for writers and readers", async () => {
    await (await openStore(storeLocation(data))).close();
    const raw = new DatabaseSync(storePath(data));
    raw.exec("insert into kysely_migration values ('9999-later', '2030-01-01T00:00:00Z')");
    raw.close();
    await expect(openStore(storeLocation(data))).rejects.toMatchObject({ code: "configuration" });
    await expect(openStore(storeLocation(data), { readOnly: true })).rejects.toMatchObject({ code: "configuration" });
  });

  it("rejects a write that the disk does not take, and stays usable", async () => {
    const store = await openStore(storeLocation(data));
    const full = new DatabaseSync(storePath(data));
    // A trigger stands for the full disk: the statement fails in the engine, in the middle of the transaction.
    full.exec("create trigger full before insert on audit_events begin select raise(abort, 'disk full'); end");
    const row = { writer: "w", seq: 1, hash: "h", payload: "{}", personal: "alice" };
    await expect(store.appendAudit([row])).rejects.toMatchObject({ reason: "store-unavailable" });
    expect(await store.auditRows("w", 0, 10)).toEqual([]);
    full.exec("drop trigger full");
    full.close();
    await store.appendAudit([row]);
    expect(await store.auditRows("w", 0, 10)).toEqual([row]);
    await store.close();
  });

  it("answers a look-up though another one of the same moment fails", async () => {
    const store = await openStore(storeLocation(data));
    await store.putArtifact(CODE);
    const other = new DatabaseSync(storePath(data));
    other.exec("drop table app_names");
    other.close();
    const [before, failed, after] = await Promise.allSettled([
      store.artifact(CODE.model, CODE.key),
      store.appByRelyingParty("ledger"),
      store.artifact(CODE.model, CODE.key),
    ]);
    expect(failed).toMatchObject({ status: "rejected", reason: { reason: "store-unavailable" } });
    for (const one of [before, after]) expect(one).toEqual({ status: "fulfilled", value: CODE });
    // Nor is a transaction left open, whose state they would see for ever.
    await store.deleteArtifact(CODE.model, CODE.key);
    expect(await store.artifact(CODE.model, CODE.key)).toBeUndefined();
    await store.close();
  });

  it("has kept what resolved when its process is killed", async () => {
    const script = `
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, "open.ts"))};
      const store = await openStore(${JSON.stringify(storeLocation(data))});
      for (let n = 0; n < 20; n += 1) await store.consume("jti", String(n), 2000);
      process.stdout.write("done");
      setInterval(() => {}, 1000);
    `;
    await killAfterFirstOutput(script);
    const store = await openStore(storeLocation(data));
    for (let n = 0; n < 20; n += 1) expect(await store.consume("jti", String(n), 2_000)).toBe("again");
    await store.close();
  });

  it("does not keep a process alive, and does not lose a write that is under way when nothing else does", () => {
    const script = `
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, "open.ts"))};
      const store = await openStore(${JSON.stringify(storeLocation(data))});
      store.consume("jti", "one", 2000).then((outcome) => console.log(outcome));
    `;
    expect(String(execFileSync(process.execPath, nodeArguments(script)))).toBe("first\n");
  });

  describe("lock of the data directory", () => {
    it("refuses a second server, in this process and in another, until the first releases it", async () => {
      const lock = lockDataDirectory(data);
      expect(mode(data)).toBe(0o700);
      expect(() => lockDataDirectory(data)).toThrow(/Another Credence server runs on/);
      expect(() => execFileSync(process.execPath, nodeArguments(lockScript(data)), { stdio: "pipe" })).toThrow(
        /Another Credence server runs on/,
      );
      lock.release();
      lockDataDirectory(data).release();
    });

    it("is released by the operating system when the process is killed", async () => {
      await killAfterFirstOutput(`${lockScript(data)}; process.stdout.write("locked"); setInterval(() => {}, 1000);`);
      lockDataDirectory(data).release();
    });

    it("narrows an empty directory, and refuses an open one with other people's files", () => {
      mkdirSync(data, { mode: 0o755 });
      lockDataDirectory(data).release();
      expect(mode(data)).toBe(0o700);
      const shared = join(parent, "shared");
      mkdirSync(shared, { mode: 0o755 });
      writeFileSync(join(shared, "theirs.txt"), "");
      expect(() => lockDataDirectory(shared)).toThrow(/chmod 700/);
      expect(mode(shared)).toBe(0o755);
    });
  });

  function lockScript(directory: string): string {
    return `import { lockDataDirectory } from ${JSON.stringify(join(import.meta.dirname, "lock.ts"))};
      lockDataDirectory(${JSON.stringify(directory)})`;
  }
});
