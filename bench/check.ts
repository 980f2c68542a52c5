/** (e) The check of a Bearer token at an app: one that is seen for the first time, one that was seen before, and plain jose. */
import type { CheckTimes } from "./check.server.ts";
import type { Part } from "./figures.ts";
import { startServerProcess } from "./harness/child.ts";

export const check: Part = {
  figures: [
    {
      name: "check.seen_us",
      title: "check of a Bearer token seen before, revocations looked up in memory",
      unit: "µs",
      most: 20,
    },
    { name: "check.seen_sqlite_us", title: "the same with revocations looked up in SQLite", unit: "µs" },
    { name: "check.first_us", title: "check of a Bearer token seen for the first time, CPU", unit: "µs" },
    { name: "check.jose_us", title: "jose's jwtVerify: signature, issuer, audience, type, times; CPU", unit: "µs" },
    { name: "check.first_ratio_to_jose", title: "first check to jose's jwtVerify, CPU", unit: "×" },
  ],
  async run({ quick, folder, tell }) {
    tell("checking access tokens");
    const effort = quick ? { rounds: 1, tokens: 100 } : { rounds: 9, tokens: 1_000 };
    const measured = await startServerProcess<CheckTimes>("check.server.ts", { ...effort, folder }, folder);
    await measured.stop();
    const { seen, seenSqlite, first, jose } = measured.ready;
    return new Map([
      ["check.seen_us", seen],
      ["check.seen_sqlite_us", seenSqlite],
      ["check.first_us", first],
      ["check.jose_us", jose],
      ["check.first_ratio_to_jose", first / jose],
    ]);
  },
};
