import type { Kysely, Selectable } from "kysely";
import type { Tables } from "./schema.ts";
import type { Factor, Store } from "./store.ts";

type FactorStore = Pick<
  Store,
  "addFactor" | "factor" | "factorsOf" | "changeFactor" | "useFactor" | "removeFactors" | "replaceFactors"
>;

/** What people have enrolled to sign in with. */
export function factorStore(read: Kysely<Tables>, write: Kysely<Tables>): FactorStore {
  return {
    async addFactor(factor) {
      const { numInsertedOrUpdatedRows } = await write
        .insertInto("factors")
        .values(toRow(factor))
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n ? "added" : "exists";
    },
    async factor(kind, key) {
      const query = read.selectFrom("factors").selectAll().where("kind", "=", kind).where("key", "=", key);
      const row = await query.executeTakeFirst();
      return row && fromRow(row);
    },
    async factorsOf(person) {
      const query = read.selectFrom("factors").selectAll().where("person", "=", person);
      const rows = await query.orderBy("created_at").orderBy("kind").orderBy("key").execute();
      return rows.map(fromRow);
    },
    async changeFactor(person, kind, key, payload) {
      const { numUpdatedRows } = await write
        .updateTable("factors")
        .set({ payload })
        .where("person", "=", person)
        .where("kind", "=", kind)
        .where("key", "=", key)
        .executeTakeFirst();
      return numUpdatedRows === 1n ? "changed" : "gone";
    },
    async useFactor(kind, key, counter, now) {
      const update = write
        .updateTable("factors")
        .set({ counter, used_at: now })
        .where("kind", "=", kind)
        .where("key", "=", key);
      const { numUpdatedRows } = await update.where("counter", counter === 0 ? "=" : "<", counter).executeTakeFirst();
      return numUpdatedRows === 1n ? "first" : "again";
    },
    async removeFactors(person, kind, key) {
      let removal = write.deleteFrom("factors").where("person", "=", person);
      if (kind !== undefined) removal = removal.where("kind", "=", kind);
      if (key !== undefined) removal = removal.where("key", "=", key);
      const { numDeletedRows } = await removal.executeTakeFirst();
      return Number(numDeletedRows);
    },
    replaceFactors: (person, kind, factors) =>
      write.transaction().execute(async (db) => {
        // Takes the person's row, changed or not: who replaces at the same time waits here, and then sees what was put.
        await db
          .updateTable("people")
          .set((eb) => ({ id: eb.ref("id") }))
          .where("id", "=", person)
          .execute();
        await db.deleteFrom("factors").where("person", "=", person).where("kind", "=", kind).execute();
        if (factors.length > 0) await db.insertInto("factors").values(factors.map(toRow)).execute();
      }),
  };
}

function toRow({ createdAt: created_at, usedAt, ...factor }: Factor): Tables["factors"] {
  return { ...factor, created_at, used_at: usedAt ?? null };
}

function fromRow({ created_at, used_at, ...row }: Selectable<Tables["factors"]>): Factor {
  return { ...row, createdAt: created_at, ...(used_at === null ? {} : { usedAt: used_at }) };
}
