import { describe, expect, it } from "vitest";
import { columnWidths, eventJson, eventLine, printable } from "./display.ts";
import type { RecordedEvent } from "./event.ts";

const PERMITTED: RecordedEvent = {
  writer: "w",
  seq: 1,
  code: "exchange.permitted",
  time: 1_800_000_000.123,
  decisionId: "d-1",
  person: { id: "alice", email: "alice@acme.example" },
  agent: "assistant",
  app: "ledger",
  scopesGranted: ["ledger.read"],
  reasons: [{ id: "connection-permits", connection: "c" }],
};
const DENIED: RecordedEvent = {
  ...PERMITTED,
  code: "exchange.denied",
  reasons: [{ id: "no-connection", detail: "ledger" }],
  decisionId: "d-2",
};

describe("an event as a line", () => {
  it("says when, what, who to whom, the verdict, why, and under which id", () => {
    const widths = columnWidths([PERMITTED, DENIED]);
    expect([PERMITTED, DENIED].map((event) => eventLine(event, { colour: false, widths }))).toEqual([
      "2027-01-15 08:00:00.123  exchange.permitted  alice@acme.example → assistant → ledger  permit  [ledger.read] connection-permits (connection c)  d-1",
      "2027-01-15 08:00:00.123  exchange.denied     alice@acme.example → assistant → ledger  deny    [ledger.read] no-connection (ledger)             d-2",
    ]);
  });

  it("says which details, by which actor, and what the ID-JAG is bound to", () => {
    const event: RecordedEvent = {
      ...PERMITTED,
      detailsAsked: ["account", "payment"],
      detailsGranted: ["account"],
      actor: "worker",
      binding: "certificate",
    };
    expect(eventLine(event, { colour: false, widths: [] })).toContain(
      "permit  [ledger.read] {account} connection-permits (connection c), actor worker, bound to a certificate  d-1",
    );
    const json: unknown = JSON.parse(eventJson(event));
    expect(json).toMatchObject({
      details_asked: ["account", "payment"],
      details_granted: ["account"],
      actor: "worker",
    });
    expect(eventLine({ ...DENIED, binding: "dpop" }, { colour: false, widths: [] })).toContain("bound to a key");
  });

  it("says what was counted, changed and altered", () => {
    const line = (event: Partial<RecordedEvent>) =>
      eventLine({ writer: "w", seq: 1, time: 0, code: "server.started", ...event }, { colour: false, widths: [] });
    expect(line({ failures: [{ reason: "client-unknown", count: 7, source: "a" }] })).toContain(
      "7 × client-unknown from a",
    );
    expect(line({ changes: [{ action: "remove", kind: "app", id: "x" }], revision: 3 })).toContain(
      "remove app x, revision 3",
    );
    const reasons = [
      { id: "connection-off", connection: "c" },
      { id: "connection-expired", connection: "d", detail: "since noon" },
    ];
    expect(line({ reasons })).toContain("connection-off (connection c), connection-expired (connection d: since noon)");
    expect(line({ altered: ["person"] })).toContain("ALTERED: person");
    expect(line({ key: { kid: "k", use: "idp", alg: "ES256" } })).toContain("idp ES256 k");
    expect(line({ client: "https://c.example/id", audience: "https://a.example" })).toContain(
      "https://c.example/id → https://a.example",
    );
  });

  it("is shown though its time is none that a calendar has", () => {
    for (const time of [1e300, -1e15, Number.NaN]) {
      expect(eventLine({ ...DENIED, time }, { colour: false, widths: [] })).toMatch(
        /^\(no time\) {2}exchange\.denied .*d-2$/,
      );
    }
  });

  it("is coloured only where asked, and says the verdict in words in either case", () => {
    const colourless = eventLine(PERMITTED, { colour: false, widths: [] });
    const coloured = eventLine(PERMITTED, { colour: true, widths: [] });
    expect(colourless).not.toContain("\u001b");
    expect(coloured).toContain("\u001b[32mpermit\u001b[39m");
  });
});

describe("what strangers sent", () => {
  const hostile = "a\u001b[2Jb\r\nc\u009bd\u202ee\u2028f\u{e0001}g";

  it("can not act on a terminal as text", () => {
    expect(printable(hostile)).toBe("a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{9b}d\\u{202e}e\\u{2028}f\\u{e0001}g");
    const line = eventLine({ ...PERMITTED, client: hostile, agent: hostile }, { colour: false, widths: [] });
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("can not act on a terminal as JSON, which still holds it exactly", () => {
    const json = eventJson({ ...PERMITTED, client: hostile });
    expect(json).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
    expect(JSON.parse(json)).toMatchObject({ client: hostile, decision_id: "d-1", scopes_granted: ["ledger.read"] });
  });
});
