import { describe, expect, it } from "vitest";
import { createCredentialCheck } from "./credentials.ts";
import type { SignInEvent } from "./events.ts";
import type { Fault } from "./fault.ts";
import { PASSWORD, person } from "./house.testing.ts";
import { hashPassword } from "./password.ts";

const typed = { email: "alice@acme.example", password: PASSWORD, agentId: "assistant", reference: "R", source: "::1" };

async function check(over: { record?: (event: SignInEvent) => Promise<void> } = {}) {
  const alice = person("alice", { passwordHash: await hashPassword(PASSWORD) });
  const events: SignInEvent[] = [];
  const store = { personByEmail: async (email: string) => (email === alice.email ? alice : undefined) };
  const record = over.record ?? (async (event) => void events.push(event));
  const faults: Fault[] = [];
  const report = (fault: Fault) => void faults.push(fault);
  return { events, faults, run: createCredentialCheck({ store, record, report, now: () => 1_800_000_000 }) };
}

describe("what a person types", () => {
  it("is who they are, with spaces around the email too", async () => {
    const { run } = await check();
    expect(await run({ ...typed, email: "  alice@acme.example " })).toMatchObject({
      ok: true,
      person: { id: "alice" },
    });
  });

  it("is refused without waiting for the record, whose disk would tell who exists", async () => {
    const { run } = await check({ record: () => new Promise(() => {}) });
    expect(await run({ ...typed, password: "wrong" })).toEqual({ ok: false, why: "wrong" });
  });

  it("is refused in the same words when that can not be put on record, and the operator hears of it", async () => {
    const { run, faults } = await check({ record: () => Promise.reject(new Error("the disk is full")) });
    expect(await run({ ...typed, password: "wrong" })).toEqual({ ok: false, why: "wrong" });
    expect(faults).toMatchObject([{ code: "record_failed" }]);
  });

  it("waits when too much is checked already, and is on record", async () => {
    const { run, events } = await check();
    const many = Array.from({ length: 49 }, (_, i) =>
      run({ ...typed, email: `${i}@acme.example`, source: `10.0.0.${i}` }),
    );
    const more = Array.from({ length: 20 }, (_, i) =>
      run({ ...typed, email: `m${i}@acme.example`, source: `10.0.1.${i}` }),
    );
    const outcomes = await Promise.all([...many, ...more]);
    expect(outcomes.filter((one) => !one.ok && one.why === "wait")).toHaveLength(69 - 52);
    expect(events.filter((one) => one.type === "sign-in-failed" && one.why === "busy")).toHaveLength(69 - 52);
  });
});
