import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { createCredentialCheck } from "./credentials.ts";
import type { SignInEvent } from "./events.ts";
import type { Fault } from "./fault.ts";
import { PASSWORD, person } from "./house.testing.ts";
import { hashPassword } from "./password.ts";

const typed = { email: "alice@acme.example", password: PASSWORD, agentId: "assistant", reference: "R", source: "::1" };

let directory: string;
let store: Store;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "credence-credentials-"));
  store = await openStore({ kind: "sqlite", path: join(directory, "credence.sqlite") });
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

async function check(over: { record?: (event: SignInEvent) => Promise<void> } = {}) {
  const alice = person("alice", { passwordHash: await hashPassword(PASSWORD) });
  const events: SignInEvent[] = [];
  const personByEmail = async (email: string) => (email === alice.email ? alice : undefined);
  const record = over.record ?? (async (event) => void events.push(event));
  const faults: Fault[] = [];
  const report = (fault: Fault) => void faults.push(fault);
  return {
    events,
    faults,
    run: createCredentialCheck({ store: { ...store, personByEmail }, record, report, now: () => 1_800_000_000 }),
  };
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
    const many = Array.from({ length: 300 }, (_, i) =>
      run({ ...typed, email: `${i}@acme.example`, source: `10.0.${i >> 8}.${i & 255}` }),
    );
    const outcomes = await Promise.all(many);
    const waiting = outcomes.filter((one) => !one.ok && one.why === "wait");
    expect(waiting.length).toBeGreaterThan(0);
    expect(outcomes.length - waiting.length).toBeGreaterThanOrEqual(52);
    expect(events.filter((one) => one.type === "sign-in-failed" && one.why === "busy")).toHaveLength(waiting.length);
  });
});
