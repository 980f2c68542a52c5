import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSealer, KEY_BYTES } from "../../keys/seal.ts";
import { openStore } from "../../store/open.ts";
import type { Store } from "../../store/store.ts";
import { codeOf } from "../account.testing.ts";
import type { FactorPorts } from "./factors.ts";
import { checkCode, checkTotp, keepTotp, newTotpSecret, removeTotp, totpUri } from "./totp.ts";

const START = 1_800_000_000;
let directory: string;
let store: Store;
let ports: FactorPorts;
let now: number;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "credence-totp-"));
  store = await openStore({ kind: "sqlite", path: join(directory, "store") });
  now = START;
  ports = { store, sealing: createSealer(randomBytes(KEY_BYTES)), now: () => now };
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const at = (secret: string, steps = 0) => codeOf(secret, { issuer: "", now: () => now }, steps);

describe("a code of an authenticator app", () => {
  // RFC 6238 Appendix B, SHA-1: the last six digits, for the ASCII secret "12345678901234567890".
  it.each([
    [59, "287082"],
    [1_111_111_109, "081804"],
    [1_234_567_890, "005924"],
    [20_000_000_000, "353130"],
  ])("is that of RFC 6238 at %i", async (time, code) => {
    now = time;
    expect(await checkTotp(ports, "alice", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", code)).toBe("fits");
  });

  it.each([
    [-2, "wrong"],
    [-1, "fits"],
    [0, "fits"],
    [1, "fits"],
    [2, "wrong"],
  ] as const)("of %i steps from now: %s", async (steps, outcome) => {
    const secret = newTotpSecret();
    expect(await checkTotp(ports, "alice", secret, at(secret, steps))).toBe(outcome);
  });

  it("is good once, of 50 that come at the same time", async () => {
    const secret = newTotpSecret();
    const code = at(secret);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => checkTotp(ports, "alice", secret, code)));
    expect(outcomes.filter((outcome) => outcome === "fits")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "used")).toHaveLength(49);
  });

  it("stays used up as long as it could count, though marks are swept", async () => {
    const secret = newTotpSecret();
    const ahead = at(secret, 1);
    expect(await checkTotp(ports, "alice", secret, ahead)).toBe("fits");
    now = START + 59;
    await store.sweep(now);
    expect(await checkTotp(ports, "alice", secret, ahead)).toBe("used");
  });

  it.each(["", "12345", "1234567", "abcdef", "１２３４５６", "12 34 5x"])("is none: %j", async (typed) => {
    expect(await checkTotp(ports, "alice", newTotpSecret(), typed)).toBe("wrong");
  });

  it("may be typed with spaces", async () => {
    const secret = newTotpSecret();
    expect(await checkTotp(ports, "alice", secret, ` ${at(secret).replace(/^.../, "$& ")} `)).toBe("fits");
  });
});

describe("the app of a person", () => {
  it("is theirs alone, and codes of a removed one are nobody's", async () => {
    const secret = newTotpSecret();
    await keepTotp(ports, "alice", secret);
    expect(await checkCode(ports, "bob", at(secret))).toBe("wrong");
    expect(await checkCode(ports, "alice", at(secret))).toBe("fits");
    await removeTotp(ports, "alice");
    expect(await checkCode(ports, "alice", at(secret, 1))).toBe("wrong");
  });

  it("comes with ten recovery codes, each good once, however it is typed", async () => {
    const codes = await keepTotp(ports, "alice", newTotpSecret());
    if (codes === "exists") throw new Error("there was one");
    expect(codes).toHaveLength(10);
    expect(new Set(codes).size).toBe(10);
    const [first = "", second = "", third = ""] = codes;
    expect(await checkCode(ports, "bob", first)).toBe("wrong");
    expect(await checkCode(ports, "alice", first.toLowerCase().replaceAll("-", " "))).toBe("fits");
    expect(await checkCode(ports, "alice", first)).toBe("wrong");
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => checkCode(ports, "alice", second)));
    expect(outcomes.filter((outcome) => outcome === "fits")).toHaveLength(1);
    await removeTotp(ports, "alice");
    await keepTotp(ports, "alice", newTotpSecret());
    expect(await checkCode(ports, "alice", third)).toBe("wrong");
  });

  it("does not open for another person: a row that was moved is refused", async () => {
    const secret = newTotpSecret();
    await keepTotp(ports, "alice", secret);
    const [row] = (await store.factorsOf("alice")).filter(({ kind }) => kind === "totp");
    if (row === undefined) throw new Error("no row");
    await store.addFactor({ ...row, key: "another", person: "bob" });
    await expect(checkCode(ports, "bob", at(secret))).rejects.toMatchObject({ reason: "seal-broken" });
  });

  it("is told its place by the QR code", () => {
    const uri = totpUri("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", { issuer: "Acme & Co", label: "alice@acme.example" });
    expect(uri).toMatch(/^otpauth:\/\/totp\/Acme%20%26%20Co:alice%40acme\.example\?/);
    expect(new URL(uri).searchParams.get("secret")).toBe("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
  });
});
