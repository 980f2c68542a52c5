import { deserialize, serialize, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readQuestion, type Unit, type WorkerQuestion, writtenQuestion } from "./messages.ts";

/** As a message port hands it over. */
function sent(question: WorkerQuestion): WorkerQuestion {
  return readQuestion(deserialize(serialize(writtenQuestion(question))));
}

/** Texts that could be taken for what stands around them, and halves of pairs that would meet. */
const text = fc.oneof(
  fc.constantFrom("", "\n", "[[]]\n", "\ud83d", "\ude00", "\u0000", "é", "☃", '"', "\\"),
  fc.string({ unit: "binary" }),
);
// JSON does not tell -0 from 0, and neither do the tables.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0);
const value = fc.oneof(text, fc.constant(null), fc.integer(), number);
const unit: fc.Arbitrary<Unit> = fc.array(
  fc.record({ sql: text, values: fc.array(fc.array(value, { maxLength: 5 }), { maxLength: 4 }) }),
  { maxLength: 3 },
);

describe("a question to the writing thread", () => {
  it("comes as it was asked, whatever texts and numbers are in it", () => {
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 4 }), (units) => {
        expect(sent({ kind: "commit", units })).toEqual({ kind: "commit", units });
      }),
    );
    fc.assert(
      fc.property(text, fc.array(value), (sql, values) => {
        expect(sent({ kind: "execute", sql, values })).toEqual({ kind: "execute", sql, values });
      }),
    );
    expect(sent({ kind: "close" })).toEqual({ kind: "close" });
  });

  it("is not kept whole by who keeps its SQL", () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = heap();
    const kept = Array.from({ length: 50 }, (_, n) => {
      const units = [[{ sql: `insert into audit_events values (?) -- ${n}`, values: [["p".repeat(1_000_000)]] }]];
      const question = sent({ kind: "commit", units });
      return question.kind === "commit" && question.units[0]?.[0]?.sql;
    });
    expect(heap() - before).toBeLessThan(10_000_000);
    expect(kept).toHaveLength(50);
  });
});
