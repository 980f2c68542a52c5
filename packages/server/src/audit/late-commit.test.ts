import { expect, it } from "vitest";
import type { AuditRow } from "../store/store.ts";
import { createChainWriter } from "./chain-writer.ts";

it("goes on after a commit that came through only once its next was under way", async () => {
  const kept: AuditRow[] = [];
  let late: readonly AuditRow[] | undefined;
  let mode: "late" | "good" = "late";
  const insert = (rows: readonly AuditRow[]) => {
    if (rows.some(({ seq }) => kept.some((one) => one.seq === seq))) throw new Error("duplicate key");
    kept.push(...rows);
  };
  const chain = createChainWriter(
    {
      async appendAudit(rows: readonly AuditRow[]) {
        if (mode === "late") {
          mode = "good";
          late = rows;
          throw new Error("no answer within 7 s");
        }
        // Now the first one comes through.
        if (late) insert(late);
        late = undefined;
        insert(rows);
      },
      auditRows: async (_writer, after, limit) => kept.filter(({ seq }) => seq > after).slice(0, limit),
    },
    "w",
    "first",
  );
  const event = (n: number) => ({ payload: `{"n":${n}}`, personal: "" });
  await expect(chain.append([event(1)])).rejects.toThrow("no answer");
  await expect(chain.append([event(2)])).rejects.toThrow("duplicate");
  await chain.append([event(3)]);
  expect(kept.map(({ seq, payload }) => [seq, payload])).toEqual([
    [1, '{"n":1}'],
    [2, '{"n":3}'],
  ]);
});
