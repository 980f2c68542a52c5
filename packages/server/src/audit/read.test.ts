import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { permit, type RecordOnDisk, recordOnDisk } from "./audit.testing.ts";
import type { RecordedEvent } from "./event.ts";
import { type AuditQuery, listEvents } from "./read.ts";

describe("reading the record", () => {
  let disk: RecordOnDisk;
  beforeEach(async () => {
    disk = await recordOnDisk();
  });
  afterEach(() => disk.dispose());
  const read = async (query: AuditQuery = {}) => names((await listEvents(disk.store, query)).events);

  it("merges writers by time, and keeps each writer's own order even where its clock went back", async () => {
    const one = await disk.openAudit();
    const two = await disk.openAudit();
    await one.record({ ...permit(1), time: 100 });
    await two.record({ ...permit(2), time: 200 });
    await one.record({ ...permit(3), time: 300 });
    await one.record({ ...permit(4), time: 150 });
    await two.record({ ...permit(5), time: 400 });
    expect(await read()).toEqual([1, 2, 3, 4, 5]);
    expect(await read({ limit: 2 })).toEqual([1, 2]);
    // From the other end the event of the wrong clock falls elsewhere; within each writer the order stays.
    expect(await read({ from: "newest" })).toEqual([1, 3, 4, 2, 5]);
    expect(await read({ from: "newest", limit: 2 })).toEqual([2, 5]);
  });

  it("goes on from a cursor without a gap and without a repetition, whoever writes meanwhile", async () => {
    const one = await disk.openAudit();
    const two = await disk.openAudit();
    for (let n = 0; n < 450; n += 1) void (n % 3 === 0 ? one : two).record(permit(n));
    await Promise.all([one.close(), two.close()]);
    const seen: number[] = [];
    let cursor = {};
    for (;;) {
      const page = await listEvents(disk.store, { after: cursor, limit: 70 });
      if (page.events.length === 0) break;
      seen.push(...names(page.events));
      cursor = page.cursor;
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 450 }, (_, n) => n));

    const late = await disk.openAudit();
    await late.record(permit(1_000));
    expect(names((await listEvents(disk.store, { after: cursor })).events)).toEqual([1_000]);
    const { cursor: end } = await listEvents(disk.store, { from: "newest", limit: 1 });
    expect((await listEvents(disk.store, { after: end })).events).toEqual([]);
    expect(await read({ from: "newest", after: cursor })).toEqual([1_000]);
  });

  it.each([60, 199, 200, 201, 100_000, 2 ** 52])("goes back over a gap of %d rows that somebody left", async (gap) => {
    const audit = await disk.openAudit();
    for (let n = 1; n < 500; n += 1) void audit.record(permit(n));
    await audit.close();
    disk.tamper(`update audit_events set seq = seq + ${gap} where seq > 450`);
    const read = { ...disk.store, reads: 0 };
    const auditRows: typeof read.auditRows = (...asked) => {
      read.reads += 1;
      if (read.reads > 100) throw new Error("it would never end");
      return disk.store.auditRows(...asked);
    };
    const { events } = await listEvents({ ...read, auditRows }, { from: "newest", limit: 1_000 });
    expect(names(events)).toEqual(Array.from({ length: 499 }, (_, n) => n + 1));
  });

  describe("with filters", () => {
    beforeEach(async () => {
      const audit = await disk.openAudit();
      await audit.record({ ...permit(1), time: 1_000 });
      await audit.record({ ...permit(2, "bob"), code: "exchange.denied", time: 2_000 });
      await audit.record({ ...permit(3), agent: "other", app: "calendar", time: 3_000 });
      await audit.record({ code: "sign-in.failed", decisionId: "decision-4", time: 4_000 });
      await audit.close();
    });

    it.each<[AuditQuery, readonly number[]]>([
      [{ code: "exchange.denied" }, [2]],
      [{ code: "exchange" }, [1, 2, 3]],
      [{ code: "exch" }, []],
      [{ agent: "assistant" }, [1, 2]],
      [{ app: "calendar" }, [3]],
      [{ person: "bob" }, [2]],
      [{ person: "ALICE@acme.example" }, [1, 3]],
      [{ person: "Alice" }, []],
      [{ decision: "decision-3" }, [3]],
      [{ since: 2_000 }, [2, 3, 4]],
      [{ agent: "assistant", since: 1_500 }, [2]],
    ])("%j", async (query, expected) => {
      expect(await read(query)).toEqual(expected);
      expect(await read({ ...query, from: "newest" })).toEqual(expected);
    });
  });

  it.each(["{", "5", '{"v":1,"code":"exchange.permitted"}', '{"v":1,"code":"made-up","time":1}'])(
    "shows a row that is no event as unreadable, and reads on: %s",
    async (payload) => {
      const audit = await disk.openAudit();
      await audit.record(permit(1));
      await audit.record(permit(2));
      await audit.close();
      disk.tamper(`update audit_events set payload = '${payload}' where seq = 1`);
      const { events } = await listEvents(disk.store);
      expect(events.map((event) => event.code)).toEqual(["unreadable", "exchange.permitted"]);
    },
  );
});

function names(events: readonly RecordedEvent[]): number[] {
  return events.map((event) => Number(event.decisionId?.replace("decision-", "")));
}
