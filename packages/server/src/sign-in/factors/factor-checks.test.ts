import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSealer, KEY_BYTES } from "../../keys/seal.ts";
import { openStore } from "../../store/open.ts";
import type { Store } from "../../store/store.ts";
import { codeOf } from "../account.testing.ts";
import type { SignInEvent } from "../events.ts";
import type { Fault } from "../fault.ts";
import { person } from "../house.testing.ts";
import { createFactorChecks, type FactorChecks } from "./factor-checks.ts";
import { keepTotp, newTotpSecret } from "./totp.ts";

const ALICE = person("alice");
const trial = { agentId: "assistant", reference: "R", source: "192.0.2.7" };
let directory: string;
let store: Store;
let now: number;
let secret: string;
let checks: FactorChecks;
let events: SignInEvent[];
let faults: Fault[];
let recordFails: boolean;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "credence-checks-"));
  store = await openStore({ kind: "sqlite", path: join(directory, "store") });
  [now, events, faults, recordFails] = [1_800_000_000, [], [], false];
  const ports = { store, sealing: createSealer(randomBytes(KEY_BYTES)), now: () => now };
  secret = newTotpSecret();
  await keepTotp(ports, "alice", secret);
  checks = createFactorChecks({
    ...ports,
    place: undefined,
    record: async (event) => {
      if (recordFails) throw new Error("the disk is full");
      events.push(event);
    },
    report: (fault) => void faults.push(fault),
  });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const good = () => codeOf(secret, { issuer: "", now: () => now });

describe("codes that are guessed", () => {
  it("wait, longer each time, from one address; and the right one does not pass meanwhile", async () => {
    for (let n = 0; n < 5; n++) expect(await checks.code(ALICE, "000000", trial)).toEqual({ ok: false, why: "wrong" });
    const waits = [];
    for (let n = 0; n < 4; n++) {
      const outcome = await checks.code(ALICE, good(), trial);
      if (outcome.ok || outcome.why !== "wait") throw new Error("it was tried");
      waits.push(outcome.wait);
      now += outcome.wait;
      await checks.code(ALICE, "000000", trial);
    }
    expect(waits).toEqual([1, 2, 4, 8]);
    expect(events.filter((event) => event.type === "sign-in-failed" && event.why === "too-many-attempts")).toHaveLength(
      4,
    );
  });

  it("from many addresses wait, too: whoever guesses knows the password", async () => {
    let refused = 0;
    for (let n = 0; n < 40; n++) {
      const outcome = await checks.code(ALICE, "000000", { ...trial, source: `198.51.100.${n}` });
      if (!outcome.ok && outcome.why === "wait") refused += 1;
    }
    expect(refused).toBeGreaterThanOrEqual(29);
  });

  it("are forgiven by the right one", async () => {
    for (let n = 0; n < 4; n++) await checks.code(ALICE, "000000", trial);
    expect(await checks.code(ALICE, good(), trial)).toEqual({ ok: true });
    now += 30;
    for (let n = 0; n < 4; n++) await checks.code(ALICE, "000000", trial);
    expect(await checks.code(ALICE, good(), trial)).toEqual({ ok: true });
  });

  it("are on record by person and reason, and refused though the record fails", async () => {
    await checks.code(ALICE, "000000", trial);
    await checks.code(ALICE, good(), trial);
    await checks.code(ALICE, good(), trial);
    expect(events).toMatchObject([
      { type: "sign-in-failed", why: "code-wrong", personId: "alice", agentId: "assistant" },
      { type: "sign-in-failed", why: "code-used", personId: "alice" },
    ]);
    recordFails = true;
    expect(await checks.code(ALICE, "000000", trial)).toEqual({ ok: false, why: "wrong" });
    await expect.poll(() => faults).toMatchObject([{ code: "record_failed" }]);
  });

  it("are not looked at when they are too long", async () => {
    expect(await checks.code(ALICE, "1".repeat(100_000), trial)).toEqual({ ok: false, why: "wrong" });
  });
});

describe("a passkey where there are none", () => {
  it("is refused", async () => {
    expect(await checks.passkey("holder", "{}", trial, undefined)).toEqual({ ok: false, why: "passkey" });
    expect(events).toMatchObject([{ type: "sign-in-failed", why: "passkey-refused" }]);
  });
});
