import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { readGroup, writeGroup } from "./sqlite-group.ts";

function opened() {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE TABLE marks (key TEXT PRIMARY KEY, at INTEGER)");
  const insert = db.prepare("INSERT INTO marks VALUES (?, 0)");
  const transactions: boolean[] = [];
  const group = writeGroup(db, (transaction) => {
    transactions.push(db.isTransaction);
    transaction();
  });
  const rows = (): number => Number(db.prepare("SELECT count(*) AS n FROM marks").get()?.n);
  return { db, transactions, rows, write: (key: string) => group.write(() => insert.run(key).changes), group };
}

describe("writes of one turn", () => {
  test("are one transaction, and each has its own result after it", async () => {
    const { transactions, rows, group } = opened();
    const inside: number[] = [];
    const results = await Promise.all(
      ["a", "b", "c"].map((name) =>
        group.write(() => {
          inside.push(rows());
          return name;
        }),
      ),
    );
    expect(results).toEqual(["a", "b", "c"]);
    expect([inside, transactions]).toEqual([[0, 0, 0], [false]]);
  });

  test("fail together, and leave nothing: an answer to one of them would have been given for nothing", async () => {
    const { db, rows, write } = opened();
    const outcomes = await Promise.allSettled([write("a"), write("b"), write("a")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect([rows(), db.isTransaction]).toEqual([0, false]);
    expect(await write("a")).toBe(1);
  });

  test("are several transactions when they are very many", async () => {
    const { transactions, rows, write } = opened();
    await Promise.all(Array.from({ length: 1_200 }, (_, number) => write(`key-${number}`)));
    expect([rows(), transactions.length]).toEqual([1_200, 3]);
  });

  test("reject when there may be no transaction", async () => {
    const db = new DatabaseSync(":memory:");
    const group = writeGroup(db, () => {
      throw new Error("not now");
    });
    await expect(group.write(() => 1)).rejects.toThrow("not now");
  });
});

describe("reads of one turn", () => {
  test("are one transaction, and each has its own result", async () => {
    const { db, transactions, rows, write } = opened();
    await write("a");
    const { read } = readGroup(db, (transaction) => {
      transactions.push(db.isTransaction);
      transaction();
    });
    const inside = () => [rows(), db.isTransaction];
    transactions.length = 0;
    expect(await Promise.all([read(inside), read(rows)])).toEqual([[1, true], 1]);
    expect([transactions, db.isTransaction]).toEqual([[false], false]);
  });

  test("see what was written before they were asked", async () => {
    const { db, rows, write } = opened();
    const { read } = readGroup(db, (transaction) => transaction());
    for (const known of [1, 2, 3]) {
      await write(`key-${known}`);
      expect(await read(rows)).toBe(known);
    }
  });

  test("fail together, and leave no transaction open", async () => {
    const { db, rows } = opened();
    const { read } = readGroup(db, (transaction) => transaction());
    const broken = () => {
      throw new Error("no such table");
    };
    const outcomes = await Promise.allSettled([read(rows), read(broken)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect([db.isTransaction, await read(rows)]).toEqual([false, 0]);
  });
});
