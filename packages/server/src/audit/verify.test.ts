import { generateSigningKey, importSigner } from "@credence/protocol/jws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuditHead } from "../store/store.ts";
import { permit, type RecordOnDisk, recordOnDisk } from "./audit.testing.ts";
import { commit, rowHash } from "./chain.ts";
import { listEvents } from "./read.ts";
import { entryHash, signHead } from "./signatures.ts";
import { verifyRecord } from "./verify.ts";

/**
 * The record of two starts: the first wrote five events, signed after the third and at its end; the second wrote two and
 * was killed before it signed anything.
 */
describe("verifying the record", () => {
  let disk: RecordOnDisk;
  let first: string;
  let second: string;
  beforeEach(async () => {
    disk = await recordOnDisk();
    const audit = await disk.openAudit();
    for (const n of [1, 2, 3]) await audit.record(permit(n));
    await audit.signHead();
    for (const n of [4, 5]) await audit.record(permit(n));
    await audit.close();
    const killed = await disk.openAudit();
    for (const n of [6, 7]) await killed.record(permit(n));
    [first = "", second = ""] = (await disk.store.auditWriters()).map((entry) => entry.writer);
  });
  afterEach(() => disk.dispose());
  const verify = (published?: readonly AuditHead[]) => verifyRecord(disk.store, disk.publicKeys, published);
  const which = (writer: string) => ({ [first]: "first", [second]: "second" })[writer] ?? "unknown";

  it("finds nothing wrong with what nobody touched", async () => {
    expect(await verify()).toEqual({ ok: true, events: 7, writers: 2, heads: 2, problems: [] });
    expect(await verify(await disk.store.auditHeads())).toMatchObject({ ok: true, heads: 4 });
  });

  // Each names the kind, the writer and the first bad record. W1 and W2 stand for the two writers' ids.
  const TAMPERINGS: readonly [what: string, sql: string, kind: string, writer: string, seq?: number][] = [
    [
      "an event changed",
      "update audit_events set payload = replace(payload, 'decision-2', 'decision-9') where writer = 'W1' and seq = 2",
      "changed",
      "first",
      2,
    ],
    ["a hash changed", "update audit_events set hash = 'x' where writer = 'W1' and seq = 4", "changed", "first", 4],
    [
      "the first event changed",
      "update audit_events set payload = '{}' where writer = 'W2' and seq = 1",
      "changed",
      "second",
      1,
    ],
    ["an event removed", "delete from audit_events where writer = 'W1' and seq = 2", "missing", "first", 2],
    ["the first events removed", "delete from audit_events where writer = 'W1' and seq < 3", "missing", "first", 1],
    [
      "a tail cut after a signed head",
      "delete from audit_events where writer = 'W1' and seq > 3",
      "tail-cut",
      "first",
      4,
    ],
    [
      "a tail cut before any signed head",
      "delete from audit_events where writer = 'W1' and seq > 1",
      "tail-cut",
      "first",
      2,
    ],
    ["all events of a start removed", "delete from audit_events where writer = 'W1'", "tail-cut", "first", 1],
    [
      "a tail cut with the heads that cover it: the next start's entry still does",
      "delete from audit_events where writer = 'W1' and seq > 3; delete from audit_heads where seq > 3",
      "tail-cut",
      "first",
      4,
    ],
    [
      "two events swapped",
      "update audit_events set seq = -seq where writer = 'W1' and seq in (2, 3); update audit_events set seq = 5 + seq where writer = 'W1' and seq < 0",
      "changed",
      "first",
      2,
    ],
    [
      "an event given to another writer",
      "update audit_events set writer = 'W2', seq = 3 where writer = 'W1' and seq = 5",
      "changed",
      "second",
      3,
    ],
    ["a head's place changed", "update audit_heads set seq = 2 where seq = 3", "head-signature", "first", 2],
    [
      "a head's signature changed",
      "update audit_heads set signature = substr(signature, 1, length(signature) - 6) || 'AAAAAA' where seq = 5",
      "head-signature",
      "first",
      5,
    ],
    [
      "a head's signature replaced by another's",
      "update audit_heads set signature = (select signature from audit_writers where position = 1) where seq = 5",
      "head-signature",
      "first",
      5,
    ],
    ["a register entry removed", "delete from audit_writers where position = 1", "register-missing", "first"],
    [
      "a register entry removed, and the next moved up",
      "delete from audit_writers where position = 1; update audit_writers set position = 1",
      "register-changed",
      "second",
    ],
    ["the last register entry removed", "delete from audit_writers where position = 2", "register-missing", "second"],
    [
      "a register entry's time changed",
      "update audit_writers set started_at = 5 where position = 1",
      "register-changed",
      "first",
    ],
    [
      "a register entry's signature changed",
      "update audit_writers set signature = 'x' where position = 1",
      "register-changed",
      "first",
    ],
    [
      "a person replaced by another",
      `update audit_events set personal = json_replace(personal, '$[0][2]', '{"id":"bob"}') where writer = 'W1' and seq = 4`,
      "personal-changed",
      "first",
      4,
    ],
    [
      "a person put where there was none",
      `update audit_events set personal = json_insert(personal, '$[#]', json('["changes.0.id","s","mallory"]')) where writer = 'W1' and seq = 3`,
      "personal-changed",
      "first",
      3,
    ],
    [
      "something else in the place of what is personal",
      "update audit_events set personal = '{}' where writer = 'W1' and seq = 3",
      "personal-changed",
      "first",
      3,
    ],
  ];

  it.each(TAMPERINGS)("names it: %s", async (_, sql, kind, writer, seq) => {
    // In one pass: the id of a writer is random, and may have "W2" in it.
    disk.tamper(sql.replaceAll(/W[12]/g, (mark) => (mark === "W1" ? first : second)));
    const { ok, problems } = await verify();
    expect(ok).toBe(false);
    const named = problems.map((one) => ({ kind: one.kind, writer: which(one.writer), seq: one.seq }));
    expect(named).toContainEqual({ kind, writer, seq });
  });

  it("names the first bad record of each writer, whatever is wrong with the other", async () => {
    disk.tamper(`update audit_events set payload = replace(payload, 'ledger', 'hugger') where seq = 2`);
    const { problems, events } = await verify();
    expect(problems.map(({ kind, writer, seq }) => [kind, which(writer), seq])).toEqual([
      ["changed", "first", 2],
      ["changed", "second", 2],
    ]);
    expect(events).toBe(2);
  });

  it("sees a tail that was written anew with good hashes, since the signed head says otherwise", async () => {
    await rewriteFrom(4, (payload) => payload.replace("decision-4", "decision-0"));
    const { problems } = await verify();
    expect(problems).toMatchObject([{ kind: "changed", writer: first, seq: 4 }]);
    expect(problems[0]?.message).toContain("Records 4 to 5 were rewritten");
  });

  it("does not take heads that another key signed", async () => {
    const { privateJwk } = await generateSigningKey("ES256");
    const hash = await rewriteFrom(4, (payload) => payload.replace("decision-4", "decision-0"));
    const forged = await signHead({ writer: first, seq: 5, hash, signedAt: 5 }, await importSigner(privateJwk));
    disk.tamper(
      `update audit_heads set hash = '${forged.hash}', signed_at = 5, signature = '${forged.signature}' where seq = 5`,
    );
    expect((await verify()).problems).toMatchObject([
      { kind: "head-signature", writer: first, seq: 5 },
      { kind: "changed", writer: first, seq: 4 },
    ]);
  });

  it("needs heads kept elsewhere to see the end of the record cut with all that covers it, and then does", async () => {
    const audit = await disk.openAudit();
    await audit.record(permit(8));
    await audit.record(permit(9));
    await audit.close();
    const published = await disk.store.auditHeads();
    const third = (await disk.store.auditWriters())[2]?.writer;
    disk.tamper(
      `delete from audit_events where writer = '${third}' and seq = 2; delete from audit_heads where writer = '${third}'`,
    );
    expect(await verify()).toMatchObject({ ok: true });
    expect((await verify(published)).problems).toMatchObject([{ kind: "tail-cut", writer: third, seq: 2 }]);
    disk.tamper(
      `delete from audit_events where writer = '${third}'; delete from audit_writers where writer = '${third}'`,
    );
    expect(await verify()).toMatchObject({ ok: true });
    expect((await verify(published)).problems).toMatchObject([{ kind: "register-missing", writer: third }]);
  });

  it("finds nothing right without the right keys", async () => {
    const { publicJwk } = await generateSigningKey("ES256");
    for (const keys of [[], [publicJwk]]) {
      const { ok, problems } = await verifyRecord(disk.store, keys);
      expect(ok).toBe(false);
      expect(problems.map((one) => one.kind)).toContain("register-changed");
      expect(problems.map((one) => one.kind)).toContain("head-signature");
    }
  });

  it("stays clean when personal fields are erased, and reading shows them erased", async () => {
    disk.tamper("update audit_events set personal = json_remove(personal, '$[0]') where seq = 2");
    expect(await verify()).toMatchObject({ ok: true, events: 7 });
    const { events } = await listEvents(disk.store, { decision: "decision-2" });
    expect(events).toMatchObject([{ person: { id: "(erased)" }, source: "203.0.113.7", erased: ["person"] }]);
    expect(JSON.stringify(events)).not.toContain("alice");
  });

  it.each(['{"id":"bob"}', "bob", "{", '{"id":1}', "null", ""])(
    "does not show a person that is not the one recorded: %s",
    async (value) => {
      disk.tamper(`update audit_events set personal = json_replace(personal, '$[0][2]', '${value}') where seq = 2`);
      const { events } = await listEvents(disk.store, { decision: "decision-2" });
      expect(events).toMatchObject([{ person: { id: "(altered)" }, altered: ["person"] }]);
    },
  );

  it("reads a row on, and says that it was changed, where its person fits its commitment and is nobody", async () => {
    const [row] = await disk.store.auditRows(first, 1, 1);
    const { salt, commitment } = commit("person", "nobody");
    const payload = row?.payload.replace(/"person":"[^"]*"/, `"person":"${commitment}"`);
    disk.tamper(`update audit_events
      set payload = '${payload}', personal = json_replace(personal, '$[0][1]', '${salt}', '$[0][2]', 'nobody')
      where writer = '${first}' and seq = 2`);
    const { events } = await listEvents(disk.store, { decision: "decision-2" });
    expect(events).toMatchObject([{ person: { id: "(altered)" } }]);
    expect((await verify()).problems).toMatchObject([{ kind: "changed", seq: 2 }]);
  });

  it("finds nothing wrong while a server writes", async () => {
    const audit = await disk.openAudit({ headAfterEvents: 5 });
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n += 1) await audit.record(permit(n));
    })();
    for (let round = 0; round < 10; round += 1) expect((await verify()).problems).toEqual([]);
    writing = false;
    await writer;
    await audit.close();
    expect(await verify()).toMatchObject({ ok: true });
  });

  /** Changes payloads from a row on and makes all the hashes fit again: what a bare chain does not show. */
  async function rewriteFrom(from: number, change: (payload: string) => string): Promise<string> {
    const [entry] = await disk.store.auditWriters();
    let hash = entry ? entryHash(entry) : "";
    for (const row of await disk.store.auditRows(first, 0, 100)) {
      const payload = row.seq >= from ? change(row.payload) : row.payload;
      hash = rowHash(first, row.seq, hash, payload);
      disk.tamper(
        `update audit_events set payload = '${payload}', hash = '${hash}' where writer = '${first}' and seq = ${row.seq}`,
      );
    }
    return hash;
  }
});
