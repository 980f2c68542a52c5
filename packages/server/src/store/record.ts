import type { Backend } from "./backend.ts";
import type { Store } from "./store.ts";

type RecordStore = Pick<
  Store,
  "appendAudit" | "addAuditWriter" | "addAuditHead" | "auditWriters" | "auditHeads" | "auditRows" | "auditExtents"
>;

/** The record: rows that are added and never changed. */
export function recordStore(backend: Backend): RecordStore {
  const { read, write } = backend;
  return {
    appendAudit: (rows) => backend.insertAudit(rows),
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
    auditExtents(writer) {
      const extents = read
        .selectFrom("audit_events")
        .select((eb) => ["writer", eb.fn.max("seq").as("lastSeq")])
        .groupBy("writer");
      return (writer === undefined ? extents : extents.where("writer", "=", writer)).execute();
    },
  };
}
