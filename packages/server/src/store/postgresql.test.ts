import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storeConformance } from "./conformance.testing.ts";
import { auditRow, CODE, type StorePlace } from "./data.testing.ts";
import { openStore } from "./open.ts";
import { createTestCluster, createTestSchema, type TestSchema } from "./postgresql.testing.ts";
import { sharedStoreConformance } from "./shared.testing.ts";

async function temporaryPlace(): Promise<StorePlace> {
  const { url, drop } = await createTestSchema();
  return { location: { kind: "postgresql", url }, dispose: drop };
}

storeConformance("PostgreSQL", temporaryPlace);
sharedStoreConformance("PostgreSQL", temporaryPlace);

describe("the PostgreSQL store", () => {
  let schema: TestSchema;
  beforeEach(async () => {
    schema = await createTestSchema();
  });
  afterEach(() => schema.drop());
  const open = (options = {}) => openStore({ kind: "postgresql", url: schema.url }, options);

  it("is refused to readers before its tables are made, and to everybody when it is a newer version's", async () => {
    await expect(open({ readOnly: true })).rejects.toMatchObject({ code: "configuration" });
    await (await open()).close();
    await schema.query("insert into kysely_migration values ('9999-later', '2030-01-01T00:00:00Z')");
    await expect(open()).rejects.toMatchObject({ code: "configuration" });
    await expect(open({ readOnly: true })).rejects.toMatchObject({ code: "configuration" });
  });

  it("records the version of its tables beside them, whatever other schemas of the database hold", async () => {
    const other = await createTestSchema();
    await (await openStore({ kind: "postgresql", url: other.url })).close();
    await (await open()).close();
    const versions = await schema.query("select name from kysely_migration order by name");
    expect(versions[0]).toEqual({ name: "0001-first" });
    await other.drop();
  });

  it("keeps the personal fields of a record whose fields were rows of their own", async () => {
    await (await open()).close();
    await schema.query(`
      delete from kysely_migration where name >= '0006';
      alter table audit_events drop column personal, alter column seq type integer;
      create table audit_personal (writer text, seq integer, field text, salt text, value text);
      insert into audit_events values ('w', 1, 'h1', '{}'), ('w', 2, 'h2', '{}'), ('v', 1, 'h1', '{}');
      insert into audit_personal values ('w', 1, 'person', 's1', '{"id":"a\\\\l\\"ice ☃"}'), ('w', 1, 'source', 's2', '203.0.113.7'),
        ('v', 1, 'source', 's3', '203.0.113.8');
    `);
    // Two at once: one of them brings the record up to date.
    const [store, other] = await Promise.all([open(), open()]);
    const rows = [...(await store.auditRows("w", 0, 10)), ...(await other.auditRows("v", 0, 10))];
    expect(rows.map(({ personal }) => personal && JSON.parse(personal))).toEqual([
      [
        ["person", "s1", '{"id":"a\\\\l\\"ice ☃"}'],
        ["source", "s2", "203.0.113.7"],
      ],
      "",
      [["source", "s3", "203.0.113.8"]],
    ]);
    await other.close();
    await store.close();
  });

  it("compares texts byte by byte in every column, whatever the database's language", async () => {
    await (await open()).close();
    const columns = await schema.query(
      "select distinct collation_name from information_schema.columns where table_schema = current_schema() and data_type = 'text'",
    );
    expect(columns).toEqual([{ collation_name: "C" }]);
  });

  it("can be read beside its writer, and not be written by readers", async () => {
    const store = await open();
    const reader = await open({ readOnly: true });
    await store.appendAudit([auditRow(1)]);
    expect(await reader.auditRows("w", 0, 10)).toEqual([auditRow(1)]);
    await expect(reader.consume("jti", "one", 2_000)).rejects.toMatchObject({ reason: "store-unavailable" });
    await expect(reader.putArtifact(CODE)).rejects.toMatchObject({ reason: "store-unavailable" });
    await expect(reader.appendAudit([auditRow(2)])).rejects.toMatchObject({ reason: "store-unavailable" });
    await reader.close();
    await store.close();
  });

  it("goes on with new connections when somebody cuts its own", async () => {
    const store = await open();
    await store.consume("jti", "one", 2_000);
    await schema.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'credence' and pid <> pg_backend_pid()",
    );
    await eventually(() => store.ping());
    expect(await store.consume("jti", "one", 2_000)).toBe("again");
    await store.close();
  });

  it.each([
    ["nobody listens", "postgresql://alice:hunter2@127.0.0.1:1/credence?application_name=hunter3"],
    ["it is no URL", "postgres//alice:hunter2@hunter3"],
    ["its port is none", "postgresql://alice:hunter2@127.0.0.1:hunter3/credence"],
  ])("is refused without a word of its password where %s", async (_, url) => {
    const error: unknown = await openStore({ kind: "postgresql", url }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "configuration" });
    expect((error as Error).message).not.toMatch(/hunter/);
  });
});

describe("a PostgreSQL that goes away", () => {
  it("is answered with `store-unavailable` while it is away, and found again when it is back, without help", async () => {
    const cluster = await createTestCluster();
    const store = await openStore({ kind: "postgresql", url: cluster.url });
    try {
      await store.appendAudit([auditRow(1)]);
      await store.organizationHead();
      cluster.stop();
      const unavailable = { code: "temporarily_unavailable", reason: "store-unavailable", status: 503 };
      await expect(store.ping()).rejects.toMatchObject(unavailable);
      await expect(store.consume("jti", "one", 2_000)).rejects.toMatchObject(unavailable);
      await expect(store.appendAudit([auditRow(2)])).rejects.toMatchObject(unavailable);
      await expect(store.artifact(CODE.model, CODE.key)).rejects.toMatchObject(unavailable);
      // What is known of the organization counts for a moment, and then no longer.
      await sleep(1_000);
      await expect(store.person("alice")).rejects.toMatchObject(unavailable);
      await expect(store.organizationHead()).rejects.toMatchObject(unavailable);
      cluster.start();
      await eventually(() => store.ping());
      expect(await store.consume("jti", "one", 2_000)).toBe("first");
      expect(await store.auditRows("w", 0, 10)).toEqual([auditRow(1)]);
      await store.appendAudit([auditRow(2)]);
      expect(await store.person("alice")).toBeUndefined();
    } finally {
      await store.close();
      cluster.dispose();
    }
  });
});

async function eventually(run: () => Promise<void>): Promise<void> {
  const end = performance.now() + 20_000;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(50);
    }
  }
}
