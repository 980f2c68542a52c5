import type { DeleteResult, Kysely, Selectable } from "kysely";
import { sweepAttempts } from "./attempts.ts";
import type { Backend } from "./backend.ts";
import type { Tables } from "./schema.ts";
import type { Artifact, Store } from "./store.ts";

type ArtifactStore = Pick<
  Store,
  | "consume"
  | "putArtifact"
  | "artifact"
  | "artifactByUid"
  | "artifactsOf"
  | "consumeArtifact"
  | "deleteArtifact"
  | "deleteGrant"
  | "sweep"
>;

/** Marks of single use, and what the sign-in half keeps. */
export function artifactStore(backend: Backend): ArtifactStore {
  const { read, write } = backend;
  const byKey = backend.lookup("artifacts", ["model", "key"]);
  const byUid = backend.lookup("artifacts", ["model", "uid"]);
  return {
    async consume(kind, key, expiresAt) {
      return (await backend.insertMark({ kind, key, expires_at: expiresAt })) ? "first" : "again";
    },
    async putArtifact(artifact) {
      await write
        .insertInto("artifacts")
        .values(toRow(artifact))
        .onConflict((conflict) =>
          conflict.columns(["model", "key"]).doUpdateSet((eb) => ({
            uid: eb.ref("excluded.uid"),
            grant_id: eb.ref("excluded.grant_id"),
            subject: eb.ref("excluded.subject"),
            payload: eb.ref("excluded.payload"),
            expires_at: eb.ref("excluded.expires_at"),
            // Set once: saving an artifact that was read before it was used must not make it fresh again.
            consumed_at: eb.fn.coalesce("artifacts.consumed_at", "excluded.consumed_at"),
          })),
        )
        .execute();
    },
    async artifact(model, key) {
      const [row] = await byKey(model, key);
      return row && fromRow(row);
    },
    async artifactByUid(model, uid) {
      const [row] = await byUid(model, uid);
      return row && fromRow(row);
    },
    async artifactsOf(subject, model) {
      const query = read.selectFrom("artifacts").selectAll().where("subject", "=", subject).where("model", "=", model);
      const rows = await query.where("consumed_at", "is", null).orderBy("key").execute();
      return rows.map(fromRow);
    },
    async consumeArtifact(model, key, now) {
      const { numUpdatedRows } = await write
        .updateTable("artifacts")
        .set({ consumed_at: now })
        .where("model", "=", model)
        .where("key", "=", key)
        .where("consumed_at", "is", null)
        .executeTakeFirst();
      return numUpdatedRows === 1n ? "first" : "again";
    },
    async deleteArtifact(model, key) {
      await write.deleteFrom("artifacts").where("model", "=", model).where("key", "=", key).execute();
    },
    async deleteGrant(grantId) {
      await write.deleteFrom("artifacts").where("grant_id", "=", grantId).execute();
    },
    async sweep(now) {
      await sweepMarks(write, now);
      await sweepArtifacts(write, now);
      await sweepAttempts(write, now);
    },
  };
}

/** Rows that one statement forgets: a commit that waits for it waits for milliseconds, however much has expired. */
const SWEPT_AT_ONCE = 500;

async function sweepMarks(write: Kysely<Tables>, now: number): Promise<void> {
  const expired = write.selectFrom("single_use").select(["kind", "key"]).where("expires_at", "<", now);
  const piece = write
    .deleteFrom("single_use")
    .where((eb) =>
      eb(eb.refTuple("kind", "key"), "in", expired.orderBy("expires_at").limit(SWEPT_AT_ONCE).$asTuple("kind", "key")),
    );
  await inPieces(() => piece.executeTakeFirst());
}

async function sweepArtifacts(write: Kysely<Tables>, now: number): Promise<void> {
  const expired = write.selectFrom("artifacts").select(["model", "key"]).where("expires_at", "<", now);
  const piece = write
    .deleteFrom("artifacts")
    .where((eb) =>
      eb(
        eb.refTuple("model", "key"),
        "in",
        expired.orderBy("expires_at").limit(SWEPT_AT_ONCE).$asTuple("model", "key"),
      ),
    );
  await inPieces(() => piece.executeTakeFirst());
}

async function inPieces(remove: () => Promise<DeleteResult>): Promise<void> {
  let removed: DeleteResult;
  do removed = await remove();
  while (removed.numDeletedRows === BigInt(SWEPT_AT_ONCE));
}

function toRow(artifact: Artifact): Tables["artifacts"] {
  return {
    model: artifact.model,
    key: artifact.key,
    uid: artifact.uid ?? null,
    grant_id: artifact.grantId ?? null,
    subject: artifact.subject ?? null,
    payload: artifact.payload,
    expires_at: artifact.expiresAt ?? null,
    consumed_at: artifact.consumedAt ?? null,
  };
}

function fromRow(row: Selectable<Tables["artifacts"]>): Artifact {
  return {
    model: row.model,
    key: row.key,
    ...(row.uid === null ? {} : { uid: row.uid }),
    ...(row.grant_id === null ? {} : { grantId: row.grant_id }),
    ...(row.subject === null ? {} : { subject: row.subject }),
    payload: row.payload,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.consumed_at === null ? {} : { consumedAt: row.consumed_at }),
  };
}
