import type { Kysely } from "kysely";
import { chunks } from "./chunks.ts";
import type { Tables } from "./schema.ts";
import type { Store } from "./store.ts";

type RecordStore = Pick<
  Store,
  | "keys"
  | "addKey"
  | "appendAudit"
  | "addAuditWriter"
  | "addAuditHead"
  | "auditWriters"
  | "auditHeads"
  | "auditRows"
  | "auditPersonal"
  | "auditExtents"
>;

/** The record and the keys: rows that are added and never changed. */
export function recordStore(read: Kysely<Tables>, write: Kysely<Tables>): RecordStore {
  return {
    async keys() {
      const rows = await read.selectFrom("keys").selectAll().orderBy("created_at").orderBy("kid").execute();
      return rows.map((row) => ({
        kid: row.kid,
        use: row.use,
        alg: row.alg,
        publicJwk: row.public_jwk,
        sealedPrivateJwk: row.sealed_private_jwk,
        createdAt: row.created_at,
      }));
    },
    async addKey(key) {
      const { kid, use, alg, publicJwk: public_jwk, sealedPrivateJwk: sealed_private_jwk, createdAt: created_at } = key;
      const row = { kid, use, alg, public_jwk, sealed_private_jwk, created_at };
      await write.insertInto("keys").values(row).execute();
    },
    appendAudit: (rows, personal) =>
      write.transaction().execute(async (db) => {
        for (const chunk of chunks(rows)) await db.insertInto("audit_events").values(chunk).execute();
        for (const chunk of chunks(personal)) await db.insertInto("audit_personal").values(chunk).execute();
      }),
    async addAuditWriter({ position, writer, startedAt, signature }) {
      await write.insertInto("audit_writers").values({ position, writer, started_at: startedAt, signature }).execute();
    },
    async addAuditHead({ writer, seq, hash, signedAt, signature }) {
      await write.insertInto("audit_heads").values({ writer, seq, hash, signed_at: signedAt, signature }).execute();
    },
    async auditWriters() {
      const rows = await read.selectFrom("audit_writers").selectAll().orderBy("position").execute();
      return rows.map(({ started_at: startedAt, ...row }) => ({ ...row, startedAt }));
    },
    async auditHeads() {
      const rows = await read.selectFrom("audit_heads").selectAll().orderBy("writer").orderBy("seq").execute();
      return rows.map(({ signed_at: signedAt, ...row }) => ({ ...row, signedAt }));
    },
    auditRows: (writer, after, limit) =>
      read
        .selectFrom("audit_events")
        .selectAll()
        .where("writer", "=", writer)
        .where("seq", ">", after)
        .orderBy("seq")
        .limit(limit)
        .execute(),
    auditPersonal: (writer, fromSeq, toSeq) =>
      read
        .selectFrom("audit_personal")
        .selectAll()
        .where("writer", "=", writer)
        .where("seq", ">=", fromSeq)
        .where("seq", "<=", toSeq)
        .orderBy("seq")
        .orderBy("field")
        .execute(),
    auditExtents(writer) {
      const extents = read
        .selectFrom("audit_events")
        .select((eb) => ["writer", eb.fn.max("seq").as("lastSeq")])
        .groupBy("writer");
      return (writer === undefined ? extents : extents.where("writer", "=", writer)).execute();
    },
  };
}
