import type { Kysely } from "kysely";
import { KEY_RING_ROW, type Tables } from "./schema.ts";
import { KEY_STATES, type KeyState, type Store, type StoredKey, type WrappedDataKey } from "./store.ts";

type KeyRingStore = Pick<Store, "keyRing" | "keyRingRevision" | "changeKeyRing">;

/** The signing keys and the sealed data key, changed as one thing. */
export function keyRingStore(read: Kysely<Tables>, write: Kysely<Tables>): KeyRingStore {
  return {
    async keyRing() {
      // The revision first: keys that are newer than it make the next change conflict, older ones would go unseen.
      const { revision, wrapped_by: by, wrapped_data_key: wrapped } = await ringRow(read);
      const rows = await read.selectFrom("keys").selectAll().orderBy("created_at").orderBy("kid").execute();
      const dataKey: WrappedDataKey | undefined = by === null || wrapped === null ? undefined : { by, wrapped };
      return { revision, keys: rows.map(keyOf), ...(dataKey === undefined ? {} : { dataKey }) };
    },
    async keyRingRevision() {
      const { revision } = await read
        .selectFrom("key_ring")
        .select("revision")
        .where("id", "=", KEY_RING_ROW)
        .executeTakeFirstOrThrow();
      return revision;
    },
    changeKeyRing: ({ dataKey, keys = [] }, expectedRevision) =>
      write.transaction().execute(async (db) => {
        const { numUpdatedRows } = await db
          .updateTable("key_ring")
          .set({
            revision: expectedRevision + 1,
            ...(dataKey && { wrapped_by: dataKey.by, wrapped_data_key: dataKey.wrapped }),
          })
          .where("id", "=", KEY_RING_ROW)
          .where("revision", "=", expectedRevision)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return { conflict: (await ringRow(db)).revision };
        for (const key of keys) {
          const { kid, ...members } = rowOf(key);
          await db
            .insertInto("keys")
            .values({ kid, ...members })
            .onConflict((conflict) => conflict.column("kid").doUpdateSet(members))
            .execute();
        }
        return { revision: expectedRevision + 1 };
      }),
  };
}

function ringRow(db: Kysely<Tables>): Promise<Tables["key_ring"]> {
  return db.selectFrom("key_ring").selectAll().where("id", "=", KEY_RING_ROW).executeTakeFirstOrThrow();
}

function keyOf(row: Tables["keys"]): StoredKey {
  return {
    kid: row.kid,
    use: row.use,
    alg: row.alg,
    state: stateOf(row.state),
    publicJwk: row.public_jwk,
    sealed: row.sealed_private_jwk,
    createdAt: row.created_at,
    ...(row.activated_at === null ? {} : { activatedAt: row.activated_at }),
    ...(row.retiring_at === null ? {} : { retiringAt: row.retiring_at }),
    ...(row.ends_at === null ? {} : { endsAt: row.ends_at }),
  };
}

/** A state that nobody knows is that of a key that must not count. */
function stateOf(text: string): KeyState {
  return KEY_STATES.find((state) => state === text) ?? "revoked";
}

function rowOf(key: StoredKey): Tables["keys"] {
  return {
    kid: key.kid,
    use: key.use,
    alg: key.alg,
    state: key.state,
    public_jwk: key.publicJwk,
    sealed_private_jwk: key.sealed,
    created_at: key.createdAt,
    activated_at: key.activatedAt ?? null,
    retiring_at: key.retiringAt ?? null,
    ends_at: key.endsAt ?? null,
  };
}
