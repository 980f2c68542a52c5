import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "./open.ts";
import type { Store } from "./store.ts";

let directory: string;
let store: Store;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "credence-attempts-"));
  store = await openStore({ kind: "sqlite", path: join(directory, "credence.sqlite") });
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

describe("counts that nobody needs any more", () => {
  it("go oldest first, beyond 50,000 of each kind", async () => {
    const database = new DatabaseSync(join(directory, "credence.sqlite"));
    const add = database.prepare("insert into attempts values (?, ?, 1, 0, ?, 1e10)");
    database.exec("begin");
    for (let i = 0; i < 50_005; i += 1) add.run("many", `${i}`, 1_000 + i);
    add.run("few", "old", 900);
    database.exec("commit");
    await store.sweep(1_000);
    const left = database
      .prepare("select kind, count(*) as n, min(last_at) as oldest from attempts group by kind")
      .all();
    database.close();
    expect(left.map((row) => ({ ...row }))).toEqual([
      { kind: "few", n: 1, oldest: 900 },
      { kind: "many", n: 50_001, oldest: 1_004 },
    ]);
  });
});
