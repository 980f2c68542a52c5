import type { Kysely, Transaction } from "kysely";
import type { Tables } from "./schema.ts";
import type { AttemptLimit, AttemptMark, Store } from "./store.ts";

type AttemptStore = Pick<Store, "beginAttempt" | "attemptSucceeded">;

/** Counts of one kind that a sweep leaves: some 10 MB, whoever guesses from wherever. */
const REMEMBERED = 50_000;

/** What stops an attempt inside its transaction, so that nothing of it is counted. */
class HasToWait extends Error {}

/** Counts of attempts to sign in, for all processes on this store. */
export function attemptStore(read: Kysely<Tables>, write: Kysely<Tables>): AttemptStore {
  return {
    async beginAttempt(limits, now) {
      const wait = await longestWait(read, limits, now);
      if (wait > 0) return { wait };
      try {
        return { wait: 0, marks: await write.transaction().execute((db) => countAll(db, limits, now)) };
      } catch (error) {
        if (!(error instanceof HasToWait)) throw error;
        // Another attempt came in between: its wait holds for this one.
        return { wait: Math.max(1, await longestWait(write, limits, now)) };
      }
    },
    attemptSucceeded: ([own, ...others]) =>
      write.transaction().execute(async (db) => {
        if (own === undefined) return;
        const removal = db.deleteFrom("attempts").where("kind", "=", own.kind).where("key", "=", own.key);
        const { failures = 0 } = (await removal.returning("failures").executeTakeFirst()) ?? {};
        for (const { kind, key, until } of others) {
          await db
            .updateTable("attempts")
            .set((eb) => ({
              failures: eb
                .case()
                .when("failures", ">", failures)
                .then(eb("failures", "-", failures))
                .else(eb.lit(0))
                .end(),
              blocked_until: until,
            }))
            .where("kind", "=", kind)
            .where("key", "=", key)
            .execute();
        }
      }),
  };
}

/** Forgets counts that are over; and, of each kind, the oldest beyond what is kept: one kind can not push out another. */
export async function sweepAttempts(write: Kysely<Tables>, now: number): Promise<void> {
  await write.deleteFrom("attempts").where("expires_at", "<", now).execute();
  for (const { kind } of await write.selectFrom("attempts").select("kind").distinct().execute()) {
    const newest = write
      .selectFrom("attempts as kept")
      .select("kept.last_at")
      .where("kept.kind", "=", kind)
      .orderBy("kept.last_at", "desc");
    await write
      .deleteFrom("attempts")
      .where("kind", "=", kind)
      .where("last_at", "<", newest.limit(1).offset(REMEMBERED))
      .execute();
  }
}

async function longestWait(db: Kysely<Tables>, limits: readonly AttemptLimit[], now: number): Promise<number> {
  let wait = 0;
  for (const { kind, key } of limits) {
    const query = db.selectFrom("attempts").select("blocked_until").where("kind", "=", kind).where("key", "=", key);
    const row = await query.executeTakeFirst();
    wait = Math.max(wait, Math.ceil((row?.blocked_until ?? 0) - now));
  }
  return wait;
}

/** All or none, each by a statement that takes the row's lock: of many at once, no more than the limit pass. */
async function countAll(
  db: Transaction<Tables>,
  limits: readonly AttemptLimit[],
  now: number,
): Promise<readonly AttemptMark[]> {
  const marks: AttemptMark[] = [];
  for (const limit of limits) {
    const { kind, key, free, longest } = limit;
    const counted = await countOne(db, limit, now);
    if (counted === undefined) throw new HasToWait();
    const beyond = counted.failures - free;
    if (beyond >= 0) {
      const blocked_until = now + Math.min(longest, 2 ** beyond);
      await db.updateTable("attempts").set({ blocked_until }).where("kind", "=", kind).where("key", "=", key).execute();
    }
    marks.push({ kind, key, until: counted.blocked_until });
  }
  return marks;
}

/** @returns how many now, and until when it was blocked before; `undefined` where it is blocked still. */
function countOne(
  db: Transaction<Tables>,
  { kind, key, forget }: AttemptLimit,
  now: number,
): Promise<Pick<Tables["attempts"], "failures" | "blocked_until"> | undefined> {
  const forgotten = now - forget;
  return db
    .insertInto("attempts")
    .values({ kind, key, failures: 1, blocked_until: 0, last_at: now, expires_at: now + forget })
    .onConflict((conflict) =>
      conflict
        .columns(["kind", "key"])
        .doUpdateSet((eb) => ({
          failures: eb
            .case()
            .when("attempts.last_at", "<", forgotten)
            .then(eb.lit(1))
            .else(eb("attempts.failures", "+", eb.lit(1)))
            .end(),
          last_at: now,
          expires_at: now + forget,
        }))
        .where("attempts.blocked_until", "<=", now),
    )
    .returning(["failures", "blocked_until"])
    .executeTakeFirst();
}

/** The table. */
export async function attemptsTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("attempts")
    .addColumn("kind", "text", (column) => column.notNull())
    // A hash: who was tried, and from where, is nobody's business.
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("failures", "integer", (column) => column.notNull())
    .addColumn("blocked_until", "double precision", (column) => column.notNull())
    .addColumn("last_at", "double precision", (column) => column.notNull())
    .addColumn("expires_at", "double precision", (column) => column.notNull())
    .addPrimaryKeyConstraint("attempts_key", ["kind", "key"])
    .execute();
  await db.schema.createIndex("attempts_expiry").on("attempts").column("expires_at").execute();
  await db.schema.createIndex("attempts_last").on("attempts").columns(["kind", "last_at"]).execute();
}
