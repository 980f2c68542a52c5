import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { permit, type RecordOnDisk, recordOnDisk } from "./audit.testing.ts";
import type { AuditEvent } from "./event.ts";
import { parsePayload } from "./payload.ts";

let disk: RecordOnDisk;

const denied = (n: number, agent: string): AuditEvent => ({
  code: "exchange.denied",
  decisionId: `denial-${n}`,
  agent,
  reasons: [{ id: "no-connection" }],
});

beforeEach(async () => {
  disk = await recordOnDisk();
});
afterEach(() => disk.dispose());

/** What is on record, by code; and what was counted, by reason and client. */
async function recorded() {
  const codes = new Map<string, number>();
  const counted = new Map<string, number>();
  for (const { writer } of await disk.store.auditWriters()) {
    for (const row of await disk.store.auditRows(writer, 0, 100_000)) {
      const payload = parsePayload(row.payload);
      codes.set(payload?.code ?? "", (codes.get(payload?.code ?? "") ?? 0) + 1);
      for (const { reason, agent, count } of payload?.failures ?? []) {
        const key = agent === undefined ? reason : `${reason} of ${agent}`;
        counted.set(key, (counted.get(key) ?? 0) + count);
      }
    }
  }
  return { codes: Object.fromEntries(codes), counted: Object.fromEntries(counted) };
}

describe("denials of a client", () => {
  it("beyond so many a minute are counted, per client and reason, and none is lost", async () => {
    let now = 1_800_000_000;
    const audit = await disk.openAudit({ clientDenials: 10, now: () => now });
    for (let i = 0; i < 1_000; i += 1) await audit.record(denied(i, "mad"));
    await audit.record({ ...denied(1, "mad"), reasons: [{ id: "scope-unknown" }] });
    for (let i = 0; i < 10; i += 1) await audit.record(denied(i, "other"));
    now += 60;
    await audit.record(denied(1, "mad"));
    await audit.close();
    expect(await recorded()).toEqual({
      codes: { "exchange.denied": 21, "failures.counted": 1 },
      counted: { "no-connection of mad": 990, "scope-unknown of mad": 1 },
    });
  });

  it("do not reach what is permitted, however many there are", async () => {
    const audit = await disk.openAudit({ clientDenials: 1 });
    for (let i = 0; i < 50; i += 1) {
      await audit.record(denied(i, "mad"));
      await audit.record({ ...permit(i), agent: "mad" });
    }
    await audit.close();
    expect((await recorded()).codes).toMatchObject({ "exchange.permitted": 50, "exchange.denied": 1 });
  });

  it("of thousands of clients are told apart, in events of a bounded size", async () => {
    const audit = await disk.openAudit({ clientDenials: 1 });
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(Array.from({ length: 2_000 }, (_, i) => audit.record(denied(i, `agent ${i}`))));
    }
    await audit.close();
    const { codes, counted } = await recorded();
    expect(codes).toEqual({ "exchange.denied": 2_000, "failures.counted": 20 });
    expect(Object.keys(counted)).toHaveLength(2_000);
  });

  it("whose count is not taken by the store are counted again, once", async () => {
    const audit = await disk.openAudit({ clientDenials: 1, countsAfterSeconds: 0.02 });
    await audit.record(denied(1, "mad"));
    disk.tamper("create trigger full before insert on audit_events begin select raise(abort, 'disk full'); end");
    for (let i = 0; i < 100; i += 1) await audit.record(denied(i, "mad"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    disk.tamper("drop trigger full");
    await audit.close();
    expect((await recorded()).counted).toEqual({ "no-connection of mad": 100 });
  });
});

describe("where room is short", () => {
  it("a queue that is full of denials has places left for permits", async () => {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { store } = disk;
    const slow = {
      ...store,
      async appendAudit(...args: Parameters<typeof store.appendAudit>) {
        await opened;
        return store.appendAudit(...args);
      },
    };
    const audit = await disk.openAudit({ store: slow });
    const denials = Array.from({ length: 12_000 }, (_, i) => audit.record(denied(i, "mad")));
    const permits = Array.from({ length: 1_000 }, (_, i) => audit.record(permit(i)));
    open();
    await Promise.all([...denials, ...permits]);
    await audit.close();
    const { codes, counted } = await recorded();
    expect(codes).toMatchObject({ "exchange.permitted": 1_000 });
    expect((codes["exchange.denied"] ?? 0) + (counted["no-connection of mad"] ?? 0)).toBe(12_000);
    expect(counted["no-connection of mad"]).toBeGreaterThan(1_000);
  });

  it("in the store, what is left is for permits, and the operator hears of it", async () => {
    const faults: unknown[] = [];
    const size = await disk.store.size();
    expect(size).toBeGreaterThan(10_000);
    const audit = await disk.openAudit({ storeBytes: size, onFault: (error) => faults.push(error) });
    for (let i = 0; i < 100; i += 1) await audit.record(denied(i, "mad"));
    await audit.record(permit(1));
    await audit.close();
    expect(await recorded()).toEqual({
      codes: { "exchange.permitted": 1, "failures.counted": 1 },
      counted: { "no-connection of mad": 100 },
    });
    expect(faults).toMatchObject([{ message: expect.stringContaining("nearly as large as it may be") }]);
  });
});
