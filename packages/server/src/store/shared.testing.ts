import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ACME,
  ALICE,
  ASSISTANT,
  auditRow,
  CODE,
  CONNECTION,
  KEY,
  many,
  PASSKEY,
  type StorePlace,
  times,
} from "./data.testing.ts";
import { openStore } from "./open.ts";
import { runScript } from "./process.testing.ts";
import type { Artifact, Store } from "./store.ts";

/** What holds when several processes have one store open: here several stores, each with connections of its own. */
export function sharedStoreConformance(name: string, create: () => Promise<StorePlace>): void {
  describe(`one store, opened several times: ${name}`, () => {
    let place: StorePlace;
    let stores: readonly Store[];
    let here: Store;
    let there: Store;

    beforeEach(async () => {
      place = await create();
      // At once, where there is nothing yet: one of them makes the tables.
      const [one, two, three] = await Promise.all([open(), open(), open()]);
      stores = [one, two, three];
      [here, there] = [one, two];
    });
    afterEach(async () => {
      for (const store of stores) await store.close();
      await place.dispose();
    });
    const open = () => openStore(place.location);
    /** Does something many times at once, by each store in turn. */
    const everywhere = <T>(count: number, run: (store: Store, n: number) => Promise<T>): Promise<T[]> =>
      times(count, (n) => run(stores[n % stores.length] ?? here, n));
    /** The same for what may be refused: how often it was not. */
    const succeeded = async (count: number, run: (store: Store, n: number) => Promise<unknown>): Promise<number> => {
      const tried = (store: Store, n: number) =>
        run(store, n).then(
          () => true,
          () => false,
        );
      return (await everywhere(count, tried)).filter(Boolean).length;
    };

    it("gives `first` to exactly one of 99 simultaneous uses of each key", async () => {
      const uses = await everywhere(99 * 5, async (store, n) => [n % 5, await store.consume("jti", `${n % 5}`, 2_000)]);
      const winners = uses.filter(([, outcome]) => outcome === "first").map(([key]) => key);
      expect(winners.toSorted()).toEqual([0, 1, 2, 3, 4]);
    });

    it("gives each of 300 keys once to two processes that use them all at the same time", async () => {
      const script = `
        import { openStore } from ${JSON.stringify(join(import.meta.dirname, "open.ts"))};
        const store = await openStore(${JSON.stringify(place.location)});
        const keys = Array.from({ length: 300 }, (_, n) => String(n));
        const outcomes = [];
        for (let at = 0; at < keys.length; at += 30) {
          outcomes.push(...await Promise.all(keys.slice(at, at + 30).map((key) => store.consume("jti", key, 2000))));
        }
        await store.close();
        console.log(JSON.stringify(outcomes.flatMap((outcome, n) => outcome === "first" ? [n] : [])));
      `;
      const won = await Promise.all([runScript(script), runScript(script)]);
      const all = won.flatMap((text): number[] => JSON.parse(text));
      expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    });

    it("lets exactly one of many simultaneous uses of an artifact through, though it is saved again meanwhile", async () => {
      await here.putArtifact(CODE);
      const [outcomes] = await Promise.all([
        everywhere(60, (store) => store.consumeArtifact(CODE.model, CODE.key, 1_500)),
        everywhere(30, (store) => store.putArtifact({ ...CODE, payload: "saved by who read it before" })),
      ]);
      expect(outcomes.filter((outcome) => outcome === "first")).toHaveLength(1);
      expect(await there.consumeArtifact(CODE.model, CODE.key, 1_600)).toBe("again");
      expect((await here.artifact(CODE.model, CODE.key))?.consumedAt).toBe(1_500);
    });

    it("deletes a grant whole, whoever saves artifacts of it and of others at the same time", async () => {
      const of = (grantId: string, n: number): Artifact => ({ ...CODE, key: `${grantId}-${n}`, grantId });
      await everywhere(30, (store, n) => store.putArtifact(of("ended", n)));
      await Promise.all([
        everywhere(30, (store, n) => store.putArtifact(of("kept", n))),
        there.deleteGrant("ended"),
        here.deleteGrant("ended"),
      ]);
      const left = await everywhere(30, async (store, n) => [
        await store.artifact(CODE.model, `ended-${n}`),
        await store.artifact(CODE.model, `kept-${n}`),
      ]);
      expect(left).toEqual(times30((n) => [undefined, of("kept", n)]));
    });

    it("counts a factor upwards once, adds one once, and removes one once", async () => {
      const added = await everywhere(30, (store) => store.addFactor({ ...PASSKEY, counter: 5 }));
      expect(added.filter((outcome) => outcome === "added")).toHaveLength(1);
      const used = await everywhere(60, (store) => store.useFactor(PASSKEY.kind, PASSKEY.key, 6, 1_500));
      expect(used.filter((outcome) => outcome === "first")).toHaveLength(1);
      const counts = await everywhere(60, (store, n) => store.useFactor(PASSKEY.kind, PASSKEY.key, 7 + n, 1_600));
      expect(counts).toContain("first");
      expect((await there.factor(PASSKEY.kind, PASSKEY.key))?.counter).toBe(66);
      const removed = await everywhere(30, (store) => store.removeFactors(PASSKEY.person, PASSKEY.kind, PASSKEY.key));
      expect(removed.filter((count) => count === 1)).toHaveLength(1);
    });

    it("lets exactly one of many simultaneous replacements of the organization win, whole", async () => {
      const outcomes = await everywhere(12, (store, n) =>
        store.replaceOrganization({ ...ACME, name: `${n}`, people: many(n) }, 0),
      );
      const winners = outcomes.flatMap((outcome, n) => ("revision" in outcome ? [n] : []));
      expect(winners).toHaveLength(1);
      expect(outcomes.filter((outcome) => "conflict" in outcome && outcome.conflict === 1)).toHaveLength(11);
      const { revision, document } = await there.organization();
      expect(revision).toBe(1);
      expect([document.name, document.people.length]).toEqual([`${winners[0]}`, winners[0]]);
    });

    it("shows the organization at one moment, whoever replaces it meanwhile", async () => {
      await here.replaceOrganization({ ...ACME, people: many(1) }, 0);
      let at = 1;
      const replacing = (async () => {
        for (; at < 15; at += 1) await here.replaceOrganization({ ...ACME, people: many(at + 1) }, at);
      })();
      const seen: [number, number][] = [];
      while (at < 15) {
        const { revision, document } = await there.organization();
        seen.push([revision, document.people.length]);
        // SQLite reads on this thread: who replaces must come to its turn.
        await sleep(1);
      }
      await replacing;
      expect(seen.filter(([revision, people]) => revision !== people)).toEqual([]);
    });

    it("lets exactly one of many simultaneous changes of the keys through", async () => {
      const outcomes = await everywhere(30, (store, n) =>
        store.changeKeyRing({ keys: [{ ...KEY, kid: `kid-${n}` }] }, 0),
      );
      expect(outcomes.filter((outcome) => "revision" in outcome)).toEqual([{ revision: 1 }]);
      expect((await there.keyRing()).keys).toHaveLength(1);
    });

    it("gives a place in the register, and a place in a chain, to exactly one of many", async () => {
      const entry = (n: number) => ({ position: 1, writer: `w${n}`, startedAt: 1.5, signature: "jws" });
      expect(await succeeded(30, (store, n) => store.addAuditWriter(entry(n)))).toBe(1);
      const append = (store: Store, n: number) =>
        store.appendAudit([
          { ...auditRow(1), payload: `"${n}"` },
          { ...auditRow(2), payload: `"${n}"` },
        ]);
      expect(await succeeded(30, append)).toBe(1);
      // Both rows are of the one that won.
      const rows = await there.auditRows("w", 0, 10);
      expect(rows).toHaveLength(2);
      expect(new Set(rows.map(({ payload }) => payload)).size).toBe(1);
    });

    it("keeps what shares a commit with something that is refused", async () => {
      await here.appendAudit([auditRow(1)]);
      const refused = here.appendAudit([auditRow(2), auditRow(1)]).then(
        () => "kept",
        () => "refused",
      );
      const marks = times(20, (n) => here.consume("jti", `${n}`, 2_000));
      expect(await refused).toBe("refused");
      expect(new Set(await marks)).toEqual(new Set(["first"]));
      expect(await there.consume("jti", "7", 2_000)).toBe("again");
      expect(await there.auditRows("w", 0, 10)).toHaveLength(1);
    });

    it("shows what another one wrote once it is written; the organization, a second later at the latest", async () => {
      await here.replaceOrganization(ACME, 0);
      await sleep(A_SECOND);
      expect(await there.connections("assistant", "ledger")).toEqual([CONNECTION]);
      expect([await there.person("alice"), await there.agent("assistant")]).toEqual([ALICE, ASSISTANT]);
      await here.putArtifact(CODE);
      expect(await there.artifact(CODE.model, CODE.key)).toEqual(CODE);
      await here.deleteArtifact(CODE.model, CODE.key);
      expect(await there.artifact(CODE.model, CODE.key)).toBeUndefined();

      const off = {
        ...ACME,
        people: [{ ...ALICE, enabled: false }],
        agents: [{ ...ASSISTANT, enabled: false }],
        connections: [{ ...CONNECTION, enabled: false }],
      };
      expect((await here.person("alice"))?.enabled).toBe(true);
      await here.replaceOrganization(off, 1);
      // Here it holds at once.
      expect((await here.person("alice"))?.enabled).toBe(false);
      await sleep(A_SECOND);
      expect((await there.person("alice"))?.enabled).toBe(false);
      expect((await there.agent("assistant"))?.enabled).toBe(false);
      expect((await there.connections("assistant", "ledger"))[0]?.enabled).toBe(false);
      expect(await there.person("bob")).toBeUndefined();
    });

    it("finds by no name what stands under none, and keeps texts that a database can not have as U+FFFD", async () => {
      await here.replaceOrganization(ACME, 0);
      for (const strange of ["alice\0", "\0", "alice\ud800", "\udc00"]) {
        expect(await here.person(strange)).toBeUndefined();
        expect(await here.agent(strange)).toBeUndefined();
        expect(await here.personByEmail(strange)).toBeUndefined();
        expect(await here.appByIssuer(strange)).toBeUndefined();
        expect(await here.appByRelyingParty(strange)).toBeUndefined();
        expect(await here.connections(strange, strange)).toEqual([]);
        expect(await here.artifact(strange, strange)).toBeUndefined();
        expect(await here.artifactByUid(strange, strange)).toBeUndefined();
        expect(await here.artifactsOf(strange, strange)).toEqual([]);
        expect(await here.consumeArtifact(strange, strange, 1_500)).toBe("again");
        expect(await here.factor(strange, strange)).toBeUndefined();
        expect(await here.auditRows(strange, 0, 1)).toEqual([]);
      }
      expect(await here.consume("jti", "a\0b", 2_000)).toBe("first");
      expect(await there.consume("jti", "a\0b", 2_000)).toBe("again");
      await here.putArtifact({ ...CODE, payload: "a\0b\ud800" });
      expect((await there.artifact(CODE.model, CODE.key))?.payload).toBe("a\ufffdb\ufffd");
      await here.appendAudit([{ ...auditRow(1), payload: '"\0"', personal: "ali\0ce" }]);
      expect(await there.auditRows("w", 0, 1)).toMatchObject([{ payload: '"\ufffd"', personal: "ali\ufffdce" }]);
    });

    it("orders texts byte by byte, whatever the database's language", async () => {
      const keys = ["B", "_", "a", "b", "é", "Ω"];
      for (const key of keys.toReversed()) await here.putArtifact({ ...CODE, key, subject: "s" });
      expect((await there.artifactsOf("s", CODE.model)).map(({ key }) => key)).toEqual(keys);
    });

    it("says that it takes writes, and no longer when it is closed", async () => {
      await Promise.all(stores.map((store) => store.ping()));
      await here.close();
      await expect(here.ping()).rejects.toMatchObject({ reason: "store-unavailable", status: 503 });
      await there.ping();
    });
  });
}

/** What the store promises for changes that another process made, in milliseconds. */
const A_SECOND = 1_000;

function times30<T>(make: (n: number) => T): T[] {
  return Array.from({ length: 30 }, (_, n) => make(n));
}
