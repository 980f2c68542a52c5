import { describe, expect, it } from "vitest";
import type { AttemptLimit, Factor, Store } from "./store.ts";

const NOW = 1_800_000_000;

const pair: AttemptLimit = { kind: "pair", key: "p", free: 5, longest: 900, forget: 900 };
const account: AttemptLimit = { kind: "account", key: "a", free: 8, longest: 60, forget: 900 };
const limits = [pair, account];

/** What every backend must hold of attempts to sign in, and of factors that are replaced as one. */
export function attemptConformance(store: () => Store): void {
  describe("attempts to sign in", () => {
    const begin = (which: readonly AttemptLimit[] = limits, now = NOW) => store().beginAttempt(which, now);
    const passes = async (attempt: ReturnType<typeof begin>) => (await attempt).wait === 0;

    it("pass as often as the limit says, of 100 at once", async () => {
      const outcomes = await Promise.all(Array.from({ length: 100 }, () => begin()));
      expect(outcomes.filter(({ wait }) => wait === 0)).toHaveLength(5);
      expect(outcomes.filter(({ wait }) => wait > 0).every(({ wait }) => wait === 1)).toBe(true);
      // Who had to wait was counted nowhere: three are left of the account's eight.
      const others = Array.from({ length: 100 }, (_, i) => begin([{ ...pair, key: `p${i}` }, account]));
      expect((await Promise.all(others)).filter(({ wait }) => wait === 0)).toHaveLength(3);
    });

    it("wait longer and longer, up to the longest", async () => {
      for (let i = 0; i < 5; i += 1) expect(await passes(begin([pair]))).toBe(true);
      const waits: number[] = [];
      for (let i = 0, now = NOW; i < 12; i += 1) {
        const { wait } = await begin([pair], now);
        waits.push(wait);
        now += wait;
        expect(await passes(begin([pair], now))).toBe(true);
      }
      expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    });

    it("are forgotten after a quiet while", async () => {
      for (let i = 0; i < 5; i += 1) await begin([pair]);
      expect(await passes(begin([pair], NOW + 901))).toBe(true);
      for (let i = 0; i < 4; i += 1) expect(await passes(begin([pair], NOW + 901))).toBe(true);
      expect(await begin([pair], NOW + 901)).toEqual({ wait: 1 });
    });

    it("that succeed take back their own, and leave what others did", async () => {
      for (let i = 0; i < 3; i += 1) await begin([{ ...pair, key: "stranger" }, account]);
      for (let i = 0; i < 3; i += 1) await begin();
      const right = await begin();
      if (!("marks" in right)) throw new Error("it has to wait");
      await store().attemptSucceeded(right.marks);
      // The owner begins anew; of the account's eight the stranger has used three.
      const outcomes = await Promise.all(Array.from({ length: 9 }, () => begin()));
      expect(outcomes.filter(({ wait }) => wait === 0)).toHaveLength(5);
    });

    it("that succeed leave an account blocked as it was before them", async () => {
      const strict = { ...account, free: 1 };
      await begin([{ ...pair, key: "stranger" }, strict]);
      const right = await begin([pair, strict], NOW + 2);
      if (!("marks" in right)) throw new Error("it has to wait");
      expect(await begin([pair, strict], NOW + 2)).toEqual({ wait: 2 });
      await store().attemptSucceeded(right.marks);
      expect(await passes(begin([pair, strict], NOW + 2))).toBe(true);
    });

    it("keep kinds and keys apart", async () => {
      for (let i = 0; i < 6; i += 1) await begin([pair]);
      expect(await passes(begin([{ ...pair, key: "q" }]))).toBe(true);
      expect(await passes(begin([{ ...pair, kind: "other" }]))).toBe(true);
    });

    it("are swept when they are forgotten anyway, and not before", async () => {
      for (let i = 0; i < 5; i += 1) await begin([pair]);
      await store().sweep(NOW + 900);
      expect(await begin([{ ...pair, forget: 1e6 }], NOW)).toEqual({ wait: 1 });
      await store().sweep(NOW + 901);
      expect(await passes(begin([{ ...pair, forget: 1e6 }], NOW))).toBe(true);
    });
  });

  describe("factors that take others' place", () => {
    const code = (set: number, n: number, person = "alice"): Factor => ({
      kind: "recovery-code",
      key: `${person} ${set} ${n}`,
      person,
      payload: "sealed",
      counter: 0,
      createdAt: NOW,
    });
    const codes = (set: number, person?: string) => Array.from({ length: 10 }, (_, n) => code(set, n, person));

    it("are those of one set, of ten that are put at once", async () => {
      const person = { id: "alice", email: "a@x", name: "A", groups: [], enabled: true };
      const acme = { name: "Acme", demo: false, people: [person], agents: [], apps: [], connections: [] };
      await store().replaceOrganization(acme, 0);
      await store().addFactor({ ...code(0, 0), kind: "totp" });
      await Promise.all(
        Array.from({ length: 10 }, (_, set) => store().replaceFactors("alice", "recovery-code", codes(set))),
      );
      const left = (await store().factorsOf("alice")).filter(({ kind }) => kind === "recovery-code");
      expect(left).toHaveLength(10);
      expect(new Set(left.map(({ key }) => key.split(" ")[1]))).toHaveLength(1);
      expect(await store().factor("totp", "alice 0 0")).toBeDefined();
    });

    it("leave everybody else's where they are", async () => {
      await store().replaceFactors("bob", "recovery-code", codes(1, "bob"));
      await store().replaceFactors("alice", "recovery-code", codes(1));
      await store().replaceFactors("alice", "recovery-code", []);
      expect(await store().factorsOf("bob")).toHaveLength(10);
      expect(await store().factorsOf("alice")).toEqual([]);
    });
  });
}
