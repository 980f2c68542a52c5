import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqliteStore } from "./sqlite.ts";
import { storeConformance } from "./stores/conformance.testing.ts";
import { contend } from "./stores/contend.testing.ts";

const temporary = (): string => mkdtempSync(join(tmpdir(), "credence-resource-"));

storeConformance(
  "SQLite",
  async () => {
    const directory = temporary();
    const path = join(directory, "store.db");
    const [one, two] = [sqliteStore(path), sqliteStore(path)];
    const beside = new DatabaseSync(path);
    return {
      stores: [one, two],
      async plantEpoch(key, epoch) {
        beside.prepare("INSERT INTO credence_epochs VALUES (?, ?)").run(key, epoch);
      },
      table: {
        sweep: () => one.sweep(),
        rows: async () =>
          Number(
            beside
              .prepare("SELECT (SELECT count(*) FROM credence_marks) + (SELECT count(*) FROM credence_values) AS n")
              .get()?.n,
          ),
      },
      async dispose() {
        for (const each of [one, two, beside]) each.close();
        rmSync(directory, { recursive: true });
      },
    };
  },
  { rounds: 50, sweeps: true },
);

describe("a SQLite file", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = temporary();
    path = join(directory, "store.db");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("that two processes make and use at once: exactly one of them is first, for each of 50 keys", async () => {
    const firsts = await contend("sqlite", path, { keys: 50, uses: 20 });
    expect(firsts).toEqual(Array<number>(50).fill(1));
  });

  test("keeps marks and epochs over a restart", async () => {
    const until = Date.now() / 1_000 + 300;
    const before = sqliteStore(path);
    await before.consume("a", until);
    const epoch = await before.raiseEpoch("a");
    before.close();
    const after = sqliteStore(path);
    expect(await after.consume("a", until)).toBe("again");
    expect(await after.epochs(["a"])).toEqual([epoch]);
    after.close();
  });

  test("is its owner's alone, journalled ahead and written through", async () => {
    const store = sqliteStore(path);
    await store.consume("a", 1);
    for (const suffix of ["", "-wal", "-shm"]) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
    const beside = new DatabaseSync(path);
    expect(beside.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    beside.close();
    store.close();
  });

  test("takes a clock of one's own", async () => {
    const clock = { now: 1_000.9 };
    const store = sqliteStore(path, { now: () => clock.now });
    expect(await store.raiseEpoch("a")).toBe(1_000);
    expect(await store.consume("a", 1_001)).toBe("first");
    expect(await store.consume("a", 1_001)).toBe("again");
    clock.now = 1_001;
    expect(await store.consume("a", 1_010)).toBe("first");
    clock.now = 500;
    expect(await store.raiseEpoch("a")).toBe(1_000);
    store.close();
  });

  test("that somebody else keeps locked: the store rejects after its time, and marks nothing", async () => {
    const store = sqliteStore(path, { timeout: 0.05 });
    const holder = new DatabaseSync(path);
    holder.exec("BEGIN IMMEDIATE");
    const unavailable = { code: "temporarily_unavailable", reason: "store-unavailable" };
    await expect(store.consume("a", 9e9)).rejects.toMatchObject(unavailable);
    holder.exec("ROLLBACK");
    expect(await store.consume("a", 9e9)).toBe("first");
    holder.close();
    store.close();
    await expect(store.consume("b", 9e9)).rejects.toMatchObject(unavailable);
  });

  test("where there can be none: the store is not made", () => {
    expect(() => sqliteStore(join(directory, "missing", "store.db"))).toThrow(
      expect.objectContaining({ reason: "store-unavailable", message: expect.stringContaining("missing") }),
    );
  });

  test("of the app's own, beside its tables: it stays the app's to close, and its transactions are not joined", async () => {
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE credence_accounts (id TEXT)");
    const store = sqliteStore(database, { prefix: "idjag_" });
    expect(await store.consume("a", 9e9)).toBe("first");
    database.exec("BEGIN");
    await expect(store.consume("b", 9e9)).rejects.toThrow("inside a transaction");
    database.exec("ROLLBACK");
    expect(await store.consume("b", 9e9)).toBe("first");
    store.close();
    expect(database.prepare("SELECT count(*) AS n FROM idjag_marks").get()).toEqual({ n: 2 });
    database.close();
  });

  test.each(["", "1a", "a b", 'a"', "ü", "a".repeat(41)])("is not made with tables under the prefix %j", (prefix) => {
    expect(() => sqliteStore(path, { prefix })).toThrow(expect.objectContaining({ code: "configuration" }));
  });
});
