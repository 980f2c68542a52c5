import type { Kysely } from "kysely";
import { chunks } from "./chunks.ts";
import type { Tables } from "./schema.ts";
import type { EndedSignIns, Store } from "./store.ts";
import { subjectKey } from "./subject-key.ts";

/** Under these models what has ended leaves a tombstone, by its hashed name: whoever writes of it later takes that back. */
export const ENDED_SESSION = "EndedSession";
export const ENDED_GRANT = "EndedGrant";

/** Seconds that a tombstone outlives what ended: of that nothing is left, only requests in flight may still write of it. */
const OUTLIVES = 86_400;

type SignInStore = Pick<Store, "endSignIns" | "resetFactors">;

/** Ending what people are signed in by. */
export function signInStore(write: Kysely<Tables>): SignInStore {
  return {
    async endSignIns(person) {
      const ended = await write.transaction().execute((db) => endSignInsOf(db, [person]));
      await removeStragglers(write, [person]);
      return ended;
    },
    async resetFactors(person) {
      const ended = await write.transaction().execute(async (db) => {
        const { numDeletedRows } = await db.deleteFrom("factors").where("person", "=", person).executeTakeFirst();
        return { removed: Number(numDeletedRows), ...(await endSignInsOf(db, [person])) };
      });
      await removeStragglers(write, [person]);
      return ended;
    },
  };
}

/**
 * Ends everything that people are signed in by: sessions, sign-ins under way, and what agents hold for them. To be done in one
 * transaction with what it is done for; {@link removeStragglers} belongs after its commit.
 *
 * @param people - Their ids.
 */
export async function endSignInsOf(db: Kysely<Tables>, people: readonly string[]): Promise<EndedSignIns> {
  let [sessions, grants] = [0, 0];
  for (const chunk of chunks(people.map(subjectKey))) {
    sessions += await bury(db, ENDED_SESSION, "uid", chunk, "Session");
    await bury(db, ENDED_GRANT, "grant_id", chunk);
    grants += await countGrants(db, chunk);
    const theirGrants = db
      .selectFrom("artifacts")
      .select("grant_id")
      .where("subject", "in", chunk)
      .where("grant_id", "is not", null);
    await db.deleteFrom("artifacts").where("grant_id", "in", theirGrants).execute();
    await db.deleteFrom("artifacts").where("subject", "in", chunk).execute();
  }
  return { sessions, grants };
}

/** Leaves a tombstone for each name in a column. @returns how many there were not yet. */
async function bury(
  db: Kysely<Tables>,
  tombstone: string,
  name: "uid" | "grant_id",
  subjects: readonly string[],
  model?: string,
): Promise<number> {
  let named = db
    .selectFrom("artifacts")
    .select((eb) => [
      eb.val(tombstone).as("model"),
      // Rows without a name are left out below.
      eb.ref(name).$notNull().as("key"),
      eb.val("").as("payload"),
      eb(eb.fn.max("expires_at"), "+", eb.lit(OUTLIVES)).as("expires_at"),
    ])
    .where("subject", "in", subjects)
    .where(name, "is not", null);
  if (model !== undefined) named = named.where("model", "=", model);
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("artifacts")
    .columns(["model", "key", "payload", "expires_at"])
    .expression(named.groupBy(name))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return Number(numInsertedOrUpdatedRows ?? 0n);
}

/** What agents can still renew. */
async function countGrants(db: Kysely<Tables>, subjects: readonly string[]): Promise<number> {
  const { grants } = await db
    .selectFrom("artifacts")
    .select((eb) => eb.fn.count<number | string>("grant_id").distinct().as("grants"))
    .where("subject", "in", subjects)
    .where("model", "=", "RefreshToken")
    .where("consumed_at", "is", null)
    .executeTakeFirstOrThrow();
  return Number(grants);
}

/**
 * Removes what was written between the two statements that end things and their commit, by whoever could not see a tombstone
 * yet. Who writes after the commit sees it, and takes back what they wrote.
 */
export async function removeStragglers(write: Kysely<Tables>, people: readonly string[]): Promise<void> {
  for (const chunk of chunks(people.map(subjectKey))) {
    const ended = (tombstone: string) => write.selectFrom("artifacts").select("key").where("model", "=", tombstone);
    await write
      .deleteFrom("artifacts")
      .where("subject", "in", chunk)
      .where((eb) =>
        eb.or([
          eb.and([eb("model", "=", "Session"), eb("uid", "in", ended(ENDED_SESSION))]),
          eb("grant_id", "in", ended(ENDED_GRANT)),
        ]),
      )
      .execute();
  }
}
