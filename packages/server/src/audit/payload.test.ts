import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commitmentOf } from "./chain.ts";
import type { AuditEvent } from "./event.ts";
import { alteredFields, decodeEvent, encodeEvent, parsePayload, parsePersonal } from "./payload.ts";

/** Texts with all that JSON escapes, and all that no database keeps. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '"',
      "\\",
      "\n",
      "\u0000",
      "\u001f",
      "\u007f",
      "\u2028",
      "\ud800",
      "\udc00",
      "é",
      "\u{1f600}",
      "]",
      "[",
      "/",
      " ",
      "~",
    ),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
  maxLength: 400,
});

const event: fc.Arbitrary<AuditEvent> = fc.record({
  code: fc.constant("exchange.denied" as const),
  client: text,
  audience: text,
  scopesAsked: fc.array(text, { maxLength: 120 }),
  reasons: fc.array(fc.record({ id: text, detail: text }), { maxLength: 3 }),
  person: fc.record({ id: text, email: text, name: text }),
  source: text,
  lifetime: fc.integer(),
});

/** What is kept of a text. */
function kept(whole: string): string {
  const cut = whole.length > 300 ? `${whole.slice(0, 299)}…` : whole;
  return cut.toWellFormed().replaceAll("\u0000", "\ufffd");
}

describe("an event, written", () => {
  test("is JSON in its one spelling, and says what was told, cut to its bounds", () => {
    fc.assert(
      fc.property(event, (told) => {
        const { payload } = encodeEvent(told, 1);
        const read: Record<string, unknown> = JSON.parse(payload);
        const sorted = Object.fromEntries(Object.entries(read).sort(([a], [b]) => (a < b ? -1 : 1)));
        expect(JSON.stringify(sorted)).toBe(payload);
        expect(read.client).toBe(kept(told.client ?? ""));
        expect(read.scopesAsked).toEqual(told.scopesAsked?.slice(0, 100).map(kept));
        expect(read.reasons).toEqual(
          told.reasons?.map(({ id, detail = "" }) => ({ detail: kept(detail), id: kept(id) })),
        );
        expect([read.lifetime, read.time, read.v]).toEqual([told.lifetime, 1, 1]);
      }),
    );
  });

  test("is read as it was told, and holds commitments in the place of what is personal", () => {
    fc.assert(
      fc.property(event, (told) => {
        const { payload, personal } = encodeEvent(told, 1);
        const parsed = parsePayload(payload);
        if (parsed === undefined) throw new Error("it can not be read");
        const rows = parsePersonal(personal) ?? [];
        expect(alteredFields(parsed, rows)).toEqual([]);
        const { id, email = "", name = "" } = told.person ?? { id: "" };
        const { person, source } = decodeEvent(parsed, rows);
        expect(person).toEqual({ id: kept(id), email: kept(email), name: kept(name) });
        expect(source).toBe(kept(told.source ?? ""));
        const commitments = rows.map(({ field, salt, value }) => [field, commitmentOf(field, salt, value)]);
        expect(parsed.personal).toEqual(Object.fromEntries(commitments));
      }),
    );
  });

  test("leaves out what is not there, and hides nothing where nothing is personal", () => {
    const { payload, personal } = encodeEvent({ code: "server.started", changes: undefined } as never, 1.23456);
    expect([payload, personal]).toEqual(['{"code":"server.started","time":1.235,"v":1}', ""]);
  });

  test("has another salt each time, so that nobody can tell that two persons are one", () => {
    const one = () => encodeEvent({ code: "sign-out", person: { id: "alice" } }, 1);
    expect(one().payload).not.toBe(one().payload);
  });
});
