import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../store/store.ts";
import { permit, type RecordOnDisk, recordOnDisk } from "./audit.testing.ts";
import type { Audit } from "./audit.ts";
import { listEvents } from "./read.ts";
import { verifyRecord } from "./verify.ts";

describe("the record", () => {
  let disk: RecordOnDisk;
  beforeEach(async () => {
    disk = await recordOnDisk();
  });
  afterEach(() => disk.dispose());
  const verify = () => verifyRecord(disk.store, disk.publicKeys);
  const all = async () => (await listEvents(disk.store, { limit: 10_000 })).events;

  it("gives back an event as it was handed in", async () => {
    const audit = await disk.openAudit();
    await audit.record({ ...permit(1), time: 1_800_000_000.1234 });
    const [event] = await all();
    const { writer, ...rest } = event ?? { writer: "" };
    expect(rest).toEqual({ ...permit(1), time: 1_800_000_000.123, seq: 1 });
    expect(writer).toMatch(/^[\w-]{16}$/);
    await audit.close();
  });

  it("is on disk when `record` resolves: another reader sees it", async () => {
    const audit = await disk.openAudit();
    await audit.record(permit(1));
    expect((await all()).map((event) => event.decisionId)).toEqual(["decision-1"]);
    await audit.close();
  });

  it("takes 100 simultaneous events in few commits, in the order of the calls", async () => {
    let commits = 0;
    const store: Store = {
      ...disk.store,
      appendAudit(...args) {
        commits += 1;
        return disk.store.appendAudit(...args);
      },
    };
    const audit = await disk.openAudit({ store });
    await Promise.all(Array.from({ length: 100 }, (_, n) => audit.record(permit(n))));
    expect((await all()).map((event) => event.decisionId)).toEqual(numbers(100).map((n) => `decision-${n}`));
    expect((await all()).map((event) => event.seq)).toEqual(numbers(100).map((n) => n + 1));
    expect(commits).toBeLessThan(5);
    await audit.close();
    expect(await verify()).toMatchObject({ ok: true, events: 100, writers: 1, heads: 1 });
  });

  describe("when the store does not take an append", () => {
    it("rejects everything that waited for it, and later events continue the chain", async () => {
      const audit = await disk.openAudit();
      await audit.record(permit(1));
      disk.tamper("create trigger full before insert on audit_events begin select raise(abort, 'disk full'); end");
      const outcomes = await Promise.allSettled([audit.record(permit(2)), audit.record(permit(3))]);
      expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
      await expect(audit.record(permit(4))).rejects.toMatchObject({
        code: "temporarily_unavailable",
        reason: "store-unavailable",
        status: 503,
      });
      disk.tamper("drop trigger full");
      await audit.record(permit(5));
      await audit.close();
      expect((await all()).map((event) => event.decisionId)).toEqual(["decision-1", "decision-5"]);
      expect(await verify()).toMatchObject({ ok: true, events: 2 });
    });

    it("continues the chain also when the commit had happened and only its answer was lost", async () => {
      let loseAnswer = false;
      const store: Store = {
        ...disk.store,
        async appendAudit(...args) {
          await disk.store.appendAudit(...args);
          if (loseAnswer) throw new Error("the connection broke");
        },
      };
      const audit = await disk.openAudit({ store });
      await audit.record(permit(1));
      loseAnswer = true;
      await expect(audit.record(permit(2))).rejects.toThrow();
      loseAnswer = false;
      await audit.record(permit(3));
      await audit.close();
      expect((await all()).map((event) => event.decisionId)).toEqual(["decision-1", "decision-2", "decision-3"]);
      expect(await verify()).toMatchObject({ ok: true, events: 3 });
    });

    it("takes no more once too much is waiting", async () => {
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const store: Store = {
        ...disk.store,
        appendAudit: (...args) => held.then(() => disk.store.appendAudit(...args)),
      };
      const audit = await disk.openAudit({ store });
      const waiting = numbers(10_001).map((n) => audit.record({ code: "server.started", lifetime: n }));
      await expect(waiting.at(-1)).rejects.toMatchObject({ reason: "store-unavailable" });
      release();
      await Promise.all(waiting.slice(0, -1));
      await audit.close();
    });
  });

  it("bounds what an event may hold, and keeps it readable", async () => {
    const audit = await disk.openAudit();
    await audit.record({
      code: "exchange.refused",
      client: "x".repeat(10_000),
      scopesAsked: numbers(1_000).map(String),
      audience: "half a surrogate \ud800 pair",
      reasons: [{ id: "scope-unknown", detail: "y".repeat(10_000) }],
    });
    const [row] = await disk.store.auditRows((await all())[0]?.writer ?? "", 0, 1);
    expect(row?.payload.length).toBeLessThan(2_000);
    const [event] = await all();
    expect(event?.client).toBe(`${"x".repeat(299)}…`);
    expect(event?.scopesAsked).toHaveLength(100);
    expect(event?.audience).toBe("half a surrogate \ufffd pair");
    await audit.close();
    expect(await verify()).toMatchObject({ ok: true });
  });

  it("keeps personal fields out of the chain: nothing of them is in a payload", async () => {
    const audit = await disk.openAudit();
    await audit.record(permit(1));
    audit.countFailure({ reason: "client-unknown", source: "198.51.100.9", sample: "client nemo" });
    await audit.record({ code: "organization.changed", changes: [{ action: "add", kind: "person", id: "carol" }] });
    await audit.close();
    const [first] = await all();
    const rows = await disk.store.auditRows(first?.writer ?? "", 0, 10);
    expect(rows).toHaveLength(3);
    const chain = JSON.stringify(rows.map(({ hash, payload }) => ({ hash, payload })));
    for (const personal of ["alice", "203.0.113.7", "198.51.100.9", "nemo", "carol"])
      expect(chain).not.toContain(personal);
    const events = await all();
    expect(events.find((event) => event.changes)?.changes).toEqual([{ action: "add", kind: "person", id: "carol" }]);
  });

  describe("failures of callers that nobody knows", () => {
    let audit: Audit;
    const counted = async () => (await all()).filter((event) => event.code === "failures.counted");

    it("are recorded as one sum, per reason and source", async () => {
      audit = await disk.openAudit();
      for (const _ of numbers(1_000)) audit.countFailure({ reason: "client-unknown", source: "a", sample: "first" });
      audit.countFailure({ reason: "client-secret-wrong", source: "a" });
      audit.countFailure({ reason: "client-unknown", source: "b" });
      await audit.close();
      expect((await counted()).map((event) => event.failures)).toEqual([
        [
          { reason: "client-unknown", count: 1_000, source: "a", sample: "first" },
          { reason: "client-secret-wrong", count: 1, source: "a" },
          { reason: "client-unknown", count: 1, source: "b" },
        ],
      ]);
    });

    it("take bounded room from any number of sources", async () => {
      audit = await disk.openAudit();
      for (const n of numbers(5_000)) audit.countFailure({ reason: "client-unknown", source: `source-${n}` });
      await audit.close();
      const [event] = await counted();
      expect(event?.failures?.length).toBeLessThanOrEqual(51);
      expect(event?.failures?.reduce((sum, one) => sum + one.count, 0)).toBe(5_000);
      expect(event?.failures?.at(-1)).toEqual({ reason: "client-unknown", count: 4_950 });
    });

    it("are recorded within seconds, and not lost when the store was away for a while", async () => {
      const faults: unknown[] = [];
      audit = await disk.openAudit({ countsAfterSeconds: 0.02, onFault: (error) => faults.push(error) });
      disk.tamper("create trigger full before insert on audit_events begin select raise(abort, 'disk full'); end");
      audit.countFailure({ reason: "client-unknown", source: "a" });
      await expect.poll(() => faults.length).toBeGreaterThan(0);
      audit.countFailure({ reason: "client-unknown", source: "a" });
      disk.tamper("drop trigger full");
      const failures = async () => (await counted()).flatMap((event) => event.failures ?? []);
      // An attempt may be under way when the store comes back: the first failure then stands in an event of its own.
      await expect.poll(async () => (await failures()).reduce((sum, { count }) => sum + count, 0)).toBe(2);
      for (const one of await failures()) expect(one).toMatchObject({ reason: "client-unknown", source: "a" });
      await audit.close();
    });
  });

  describe("signed heads", () => {
    it("are made after so many events, after so long, when asked for, and at the end; none twice", async () => {
      const audit = await disk.openAudit({ headAfterEvents: 3 });
      const seqs = async () => (await disk.store.auditHeads()).map((head) => head.seq).toSorted((a, b) => a - b);
      await audit.signHead();
      expect(await seqs()).toEqual([]);
      for (const n of numbers(3)) await audit.record(permit(n));
      await expect.poll(seqs).toEqual([3]);
      await audit.record(permit(4));
      await Promise.all([audit.signHead(), audit.signHead()]);
      expect(await seqs()).toEqual([3, 4]);
      await audit.record(permit(5));
      await audit.close();
      await audit.close();
      expect(await seqs()).toEqual([3, 4, 5]);

      const next = await disk.openAudit({ headAfterSeconds: 0.02 });
      await next.record(permit(6));
      await expect.poll(async () => (await disk.store.auditHeads()).length).toBe(4);
      await next.close();
      expect(await verify()).toMatchObject({ ok: true, writers: 2, heads: 4 });
    });
  });

  it("enters each start in the register; two that start at once get places of their own", async () => {
    const audits = await Promise.all(numbers(4).map(() => disk.openAudit()));
    await Promise.all(audits.map((audit, n) => audit.record(permit(n))));
    await Promise.all(audits.map((audit) => audit.close()));
    expect((await disk.store.auditWriters()).map((entry) => entry.position)).toEqual([1, 2, 3, 4]);
    expect(await verify()).toMatchObject({ ok: true, writers: 4, events: 4 });
  });

  it("records keys that this start made", async () => {
    const key = { kid: "kid-1", use: "idp", alg: "ES256" };
    const created = [{ code: "key.created", key } as const];
    const audit = await disk.openAudit({ keyring: { ...disk.keyring, created } });
    expect(await all()).toMatchObject(created);
    await audit.close();
  });

  it("signs its head at the end even when the last counts are not taken", async () => {
    const audit = await disk.openAudit();
    await audit.record(permit(1));
    audit.countFailure({ reason: "client-unknown", source: "a" });
    disk.tamper("create trigger full before insert on audit_events begin select raise(abort, 'disk full'); end");
    await expect(audit.close()).rejects.toMatchObject({ reason: "store-unavailable" });
    expect(await disk.store.auditHeads()).toMatchObject([{ seq: 1 }]);
  });

  it("takes nothing once it is closed", async () => {
    const audit = await disk.openAudit();
    await audit.close();
    await expect(audit.record(permit(1))).rejects.toMatchObject({ code: "temporarily_unavailable" });
  });
});

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
