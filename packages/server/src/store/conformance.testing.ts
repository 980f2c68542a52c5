import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Organization } from "../directory/types.ts";
import { attemptConformance } from "./attempts.conformance.testing.ts";
import {
  ACME,
  ALICE,
  ASSISTANT,
  auditRow,
  BOB,
  CODE,
  CONNECTION,
  KEY,
  LEDGER,
  many,
  PASSKEY,
  person,
  type StorePlace,
  times,
} from "./data.testing.ts";
import { openStore } from "./open.ts";
import type { Artifact, Factor, Store, StoredKey } from "./store.ts";
import { subjectKey } from "./subject-key.ts";

/** What every backend must hold, by the promises that the `Store` interface states. */
export function storeConformance(name: string, create: () => Promise<StorePlace>): void {
  describe(`store conformance: ${name}`, () => {
    let place: StorePlace;
    let store: Store;

    beforeEach(async () => {
      place = await create();
      store = await openStore(place.location);
    });
    afterEach(async () => {
      await store.close();
      await place.dispose();
    });
    const reopen = async () => {
      await store.close();
      store = await openStore(place.location);
    };

    describe("single use", () => {
      it("gives `first` to exactly one of 100 simultaneous uses of a key", async () => {
        const outcomes = await times(100, () => store.consume("jti", "same", 2_000));
        expect(outcomes.filter((outcome) => outcome === "first")).toHaveLength(1);
      });
      it("keeps kinds and keys apart", async () => {
        expect(await store.consume("a", "bc", 2_000)).toBe("first");
        expect(await store.consume("ab", "c", 2_000)).toBe("first");
        expect(await store.consume("a", "bc2", 2_000)).toBe("first");
      });
      it("remembers across a restart, until swept after expiry", async () => {
        await store.consume("jti", "one", 2_000);
        await reopen();
        await store.sweep(2_000);
        expect(await store.consume("jti", "one", 2_000)).toBe("again");
        await store.sweep(2_001);
        expect(await store.consume("jti", "one", 3_000)).toBe("first");
      });
      it("forgets any number of marks and artifacts that expired, and no other", async () => {
        await times(1_203, (n) => store.consume("jti", `${n}`, n < 1_200 ? 1_000 : 3_000));
        await times(1_203, (n) => store.putArtifact({ ...CODE, key: `${n}`, expiresAt: n < 1_200 ? 1_000 : 3_000 }));
        await store.sweep(2_000);
        const outcomes = await times(1_203, (n) => store.consume("jti", `${n}`, 3_000));
        expect(outcomes.indexOf("again")).toBe(1_200);
        const left = await times(1_203, async (n) => (await store.artifact(CODE.model, `${n}`)) !== undefined);
        expect(left.indexOf(true)).toBe(1_200);
        expect(left.filter(Boolean)).toHaveLength(3);
      });
    });

    describe("organization", () => {
      it("begins empty, at revision 0", async () => {
        const { revision, document } = await store.organization();
        expect(revision).toBe(0);
        expect(document).toEqual({ name: "", demo: false, people: [], agents: [], apps: [], connections: [] });
      });
      it("gives back what was put in, after a restart too", async () => {
        expect(await store.replaceOrganization(ACME, 0)).toEqual({ revision: 1 });
        await reopen();
        expect(await store.organization()).toEqual({ revision: 1, document: ACME });
        expect(await store.organizationHead()).toEqual({ name: ACME.name, demo: ACME.demo });
      });
      it("removes what the new document lacks, changes what differs, adds what is new", async () => {
        await store.replaceOrganization(ACME, 0);
        const next: Organization = {
          ...ACME,
          people: [{ ...ALICE, enabled: false }, person("carol", "carol@acme.example")],
          connections: [],
        };
        expect(await store.replaceOrganization(next, 1)).toEqual({ revision: 2 });
        expect((await store.organization()).document).toEqual(next);
        expect(await store.person("bob")).toBeUndefined();
        expect(await store.connections("assistant", "ledger")).toEqual([]);
      });
      it("lets two people swap their addresses", async () => {
        await store.replaceOrganization(ACME, 0);
        const swapped = { ...ACME, people: [person("alice", BOB.email), person("bob", ALICE.email)] };
        await store.replaceOrganization(swapped, 1);
        expect((await store.personByEmail(ALICE.email))?.id).toBe("bob");
      });
      it("refuses a document made for another revision, and says which one is current", async () => {
        await store.replaceOrganization(ACME, 0);
        expect(await store.replaceOrganization({ ...ACME, people: [] }, 0)).toEqual({ conflict: 1 });
        expect(await store.replaceOrganization({ ...ACME, people: [] }, 2)).toEqual({ conflict: 1 });
        expect((await store.organization()).document).toEqual(ACME);
      });
      it("lets exactly one of many simultaneous replacements win, whole", async () => {
        const outcomes = await times(20, (n) =>
          store.replaceOrganization({ ...ACME, name: `${n}`, people: many(n) }, 0),
        );
        const winner = outcomes.findIndex((outcome) => "revision" in outcome);
        expect(outcomes.filter((outcome) => "revision" in outcome)).toHaveLength(1);
        const { revision, document } = await store.organization();
        expect(revision).toBe(1);
        expect(document.name).toBe(`${winner}`);
        expect(document.people).toHaveLength(winner);
      });
      it.each<[string, Organization]>([
        ["two people with one address", { ...ACME, people: [ALICE, { ...BOB, email: "Alice@Acme.example" }] }],
        ["two people with one id", { ...ACME, people: [ALICE, { ...BOB, id: "alice" }] }],
      ])("keeps nothing of a document that can not be kept: %s", async (_, broken) => {
        await store.replaceOrganization({ ...ACME, people: [] }, 0);
        await expect(store.replaceOrganization(broken, 1)).rejects.toMatchObject({ reason: "store-unavailable" });
        expect(await store.organization()).toEqual({ revision: 1, document: { ...ACME, people: [] } });
      });
      it("finds people by address without regard to case, apps by exact issuer, connections by agent and app", async () => {
        await store.replaceOrganization(ACME, 0);
        expect(await store.personByEmail("ALICE@acme.EXAMPLE")).toEqual(ALICE);
        expect(await store.personByEmail("alice")).toBeUndefined();
        expect(await store.person("alice")).toEqual(ALICE);
        expect(await store.agent("assistant")).toEqual(ASSISTANT);
        expect(await store.appByIssuer(LEDGER.issuer)).toEqual(LEDGER);
        expect(await store.appByIssuer(`${LEDGER.issuer}/`)).toBeUndefined();
        expect(await store.appByIssuer(LEDGER.issuer.toUpperCase())).toBeUndefined();
        expect(await store.connections("assistant", "ledger")).toEqual([CONNECTION]);
        expect(await store.connections("ledger", "assistant")).toEqual([]);
      });
      it("takes an organization of 10,000 people and a small change to it", async () => {
        await store.replaceOrganization({ ...ACME, people: many(10_000) }, 0);
        const people = many(10_000).with(5_000, { ...person("p05000", "p05000@acme.example"), enabled: false });
        expect(await store.replaceOrganization({ ...ACME, people }, 1)).toEqual({ revision: 2 });
        expect((await store.person("p05000"))?.enabled).toBe(false);
        expect((await store.organization()).document.people).toEqual(people);
      });
    });

    describe("artifacts of the sign-in", () => {
      it("gives `first` to exactly one of 100 simultaneous uses, and records when", async () => {
        await store.putArtifact(CODE);
        const outcomes = await times(100, () => store.consumeArtifact(CODE.model, CODE.key, 1_500));
        expect(outcomes.filter((outcome) => outcome === "first")).toHaveLength(1);
        expect(await store.artifact(CODE.model, CODE.key)).toEqual({ ...CODE, consumedAt: 1_500 });
      });
      it("does not make a used artifact fresh by saving it again", async () => {
        await store.putArtifact(CODE);
        await store.consumeArtifact(CODE.model, CODE.key, 1_500);
        await store.putArtifact({ ...CODE, payload: "newer" });
        expect(await store.consumeArtifact(CODE.model, CODE.key, 1_600)).toBe("again");
        expect(await store.artifact(CODE.model, CODE.key)).toEqual({ ...CODE, payload: "newer", consumedAt: 1_500 });
      });
      it("answers `again` for an artifact that does not exist", async () => {
        expect(await store.consumeArtifact(CODE.model, CODE.key, 1_500)).toBe("again");
      });
      it("keeps models apart, finds by uid, and keeps across a restart", async () => {
        const session: Artifact = { model: "Session", key: CODE.key, uid: "uid-1", payload: "sealed" };
        await store.putArtifact(CODE);
        await store.putArtifact(session);
        await reopen();
        expect(await store.artifactByUid("Session", "uid-1")).toEqual(session);
        expect(await store.artifactByUid(CODE.model, "uid-1")).toBeUndefined();
        expect(await store.artifact("Session", CODE.key)).toEqual(session);
        await store.deleteArtifact("Session", CODE.key);
        expect(await store.artifact("Session", CODE.key)).toBeUndefined();
        expect(await store.artifact(CODE.model, CODE.key)).toEqual(CODE);
      });
      it("deletes everything of one grant and nothing of another", async () => {
        const refresh: Artifact = { ...CODE, model: "RefreshToken", key: "r" };
        const other: Artifact = { ...CODE, key: "o", grantId: "grant-2" };
        for (const one of [CODE, refresh, other]) await store.putArtifact(one);
        await store.deleteGrant("grant-1");
        expect(await store.artifact(CODE.model, CODE.key)).toBeUndefined();
        expect(await store.artifact(refresh.model, refresh.key)).toBeUndefined();
        expect(await store.artifact(other.model, other.key)).toEqual(other);
      });
      it("forgets what expired when it sweeps, and nothing else", async () => {
        const { expiresAt: _, ...lasting } = { ...CODE, key: "lasting" };
        await store.putArtifact(CODE);
        await store.putArtifact(lasting);
        await store.sweep(2_000);
        expect(await store.artifact(CODE.model, CODE.key)).toEqual(CODE);
        await store.sweep(2_001);
        expect(await store.artifact(CODE.model, CODE.key)).toBeUndefined();
        expect(await store.artifact(CODE.model, "lasting")).toEqual(lasting);
      });
    });

    describe("whose artifacts are", () => {
      const session: Artifact = { model: "Session", key: "s1", uid: "u1", subject: "alice", payload: "sealed" };

      it("is found by person and model, across a restart, and without what was used up", async () => {
        const used: Artifact = { ...session, model: "RefreshToken", key: "r1", grantId: "g" };
        const fresh: Artifact = { ...used, key: "r2" };
        const others: Artifact = { ...session, key: "s2", uid: "u2", subject: "bob" };
        for (const one of [session, used, fresh, others, CODE]) await store.putArtifact(one);
        await store.consumeArtifact(used.model, used.key, 1_500);
        await reopen();
        expect(await store.artifactsOf("alice", "Session")).toEqual([session]);
        expect(await store.artifactsOf("alice", "RefreshToken")).toEqual([fresh]);
        expect(await store.artifactsOf("alice", "Grant")).toEqual([]);
      });
      it("follows who signs in next under the same key", async () => {
        await store.putArtifact(session);
        await store.putArtifact({ ...session, subject: "bob" });
        expect(await store.artifactsOf("alice", "Session")).toEqual([]);
        expect(await store.artifactsOf("bob", "Session")).toHaveLength(1);
      });
      it("go with the person, stay with one who only changes, and are nobody's who comes later under that id", async () => {
        const of = (id: string): Artifact => ({ ...session, key: id, uid: id, subject: subjectKey(id) });
        await store.replaceOrganization(ACME, 0);
        for (const id of ["alice", "bob"]) await store.putArtifact(of(id));
        await store.replaceOrganization({ ...ACME, people: [{ ...ALICE, name: "Alice B." }] }, 1);
        expect(await store.artifactsOf(subjectKey("alice"), "Session")).toEqual([of("alice")]);
        expect(await store.artifact("Session", "bob")).toBeUndefined();
        // As a request would that was under way.
        await store.putArtifact(of("bob"));
        await store.replaceOrganization(ACME, 2);
        expect(await store.artifactByUid("Session", "bob")).toBeUndefined();
      });
    });

    describe("what somebody is signed in by", () => {
      const of = (id: string): readonly Artifact[] => {
        const subject = subjectKey(id);
        const grantId = `grant of ${id}`;
        return [
          { model: "Session", key: id, uid: `uid of ${id}`, subject, payload: "sealed", expiresAt: 2_000 },
          { model: "Interaction", key: id, subject, payload: "sealed", expiresAt: 2_000 },
          { model: "Grant", key: grantId, grantId, subject, payload: "sealed", expiresAt: 3_000 },
          { model: "RefreshToken", key: id, grantId, subject, payload: "sealed", expiresAt: 3_000 },
          // As they were before somebody's name stood beside them.
          { model: "AuthorizationCode", key: id, grantId, payload: "sealed", expiresAt: 2_000 },
        ];
      };
      const left = async (id: string) => {
        const found = await Promise.all(of(id).map(({ model, key }) => store.artifact(model, key)));
        return found.flatMap((one) => (one === undefined ? [] : [one.model]));
      };
      const all = of("x").map(({ model }) => model);
      const tombstones = async (id: string) => [
        (await store.artifact("EndedSession", `uid of ${id}`))?.expiresAt,
        (await store.artifact("EndedGrant", `grant of ${id}`))?.expiresAt,
      ];
      const password = (person: typeof ALICE, passwordHash: string) => ({ ...person, passwordHash });

      beforeEach(async () => {
        await store.replaceOrganization({ ...ACME, people: [password(ALICE, "one"), password(BOB, "of bob")] }, 0);
        for (const one of [...of("alice"), ...of("bob")]) await store.putArtifact(one);
      });

      it("ends with the password, with a tombstone for whoever writes of it later; not with a name, nor for anybody else", async () => {
        const people = [password({ ...ALICE, name: "Alice B." }, "one"), password(BOB, "of bob")];
        await store.replaceOrganization({ ...ACME, people }, 1);
        expect(await left("alice")).toEqual(all);
        await store.replaceOrganization({ ...ACME, people: [password(ALICE, "two"), password(BOB, "of bob")] }, 2);
        expect([await left("alice"), await left("bob")]).toEqual([[], all]);
        expect(await tombstones("alice")).toEqual([88_400, 89_400]);
        expect(await tombstones("bob")).toEqual([undefined, undefined]);
      });
      it("ends when a password is taken away, or given for the first time", async () => {
        await store.replaceOrganization({ ...ACME, people: [ALICE, password(BOB, "of bob")] }, 1);
        expect(await left("alice")).toEqual([]);
        for (const one of of("alice")) await store.putArtifact({ ...one, key: `${one.key} again` });
        await store.replaceOrganization({ ...ACME, people: [password(ALICE, "two"), password(BOB, "of bob")] }, 2);
        expect(await store.artifactsOf(subjectKey("alice"), "Session")).toEqual([]);
      });
      it("stays when the change is refused", async () => {
        const people = [password(ALICE, "two"), password(BOB, "of bob")];
        expect(await store.replaceOrganization({ ...ACME, people }, 7)).toEqual({ conflict: 1 });
        const doubled = {
          ...ACME,
          people: [...people, person("carol", "a@acme.example"), person("carol", "b@acme.example")],
        };
        await expect(store.replaceOrganization(doubled, 1)).rejects.toThrow();
        expect([await left("alice"), await tombstones("alice")]).toEqual([all, [undefined, undefined]]);
      });
      it("ends when somebody says so, counted; a second time there is nothing", async () => {
        expect(await store.endSignIns("alice")).toEqual({ sessions: 1, grants: 1 });
        expect([await left("alice"), await left("bob")]).toEqual([[], all]);
        expect(await store.endSignIns("alice")).toEqual({ sessions: 0, grants: 0 });
      });
      it("ends with a reset of the factors, which goes with them, of that person alone", async () => {
        await store.addFactor(PASSKEY);
        await store.addFactor({ ...PASSKEY, key: "of-bob", person: "bob" });
        expect(await store.resetFactors("alice")).toEqual({ removed: 1, sessions: 1, grants: 1 });
        expect([await left("alice"), await store.factorsOf("alice")]).toEqual([[], []]);
        expect([await left("bob"), await store.factorsOf("bob")]).toMatchObject([all, [{ key: "of-bob" }]]);
      });
    });

    describe("what people have enrolled", () => {
      it("is kept across a restart, oldest first, and found by kind and key", async () => {
        const later: Factor = { ...PASSKEY, key: "a-later-one", createdAt: 1_200 };
        expect(await store.addFactor(later)).toBe("added");
        expect(await store.addFactor(PASSKEY)).toBe("added");
        await store.addFactor({ ...PASSKEY, key: "of-bob", person: "bob" });
        await reopen();
        expect(await store.factorsOf("alice")).toEqual([PASSKEY, later]);
        expect(await store.factor(PASSKEY.kind, PASSKEY.key)).toEqual(PASSKEY);
        expect(await store.factor("totp", PASSKEY.key)).toBeUndefined();
      });
      it("is never taken over by somebody else under the same key", async () => {
        await store.addFactor(PASSKEY);
        expect(await store.addFactor({ ...PASSKEY, person: "bob" })).toBe("exists");
        expect(await store.factorsOf("bob")).toEqual([]);
        expect(await store.changeFactor("bob", PASSKEY.kind, PASSKEY.key, "other")).toBe("gone");
        expect(await store.removeFactors("bob", PASSKEY.kind, PASSKEY.key)).toBe(0);
        expect(await store.factor(PASSKEY.kind, PASSKEY.key)).toEqual(PASSKEY);
      });
      it("can be changed while it is there, and does not come back by that", async () => {
        await store.addFactor(PASSKEY);
        expect(await store.changeFactor("alice", PASSKEY.kind, PASSKEY.key, "renamed")).toBe("changed");
        expect(await store.factorsOf("alice")).toEqual([{ ...PASSKEY, payload: "renamed" }]);
        await store.removeFactors("alice", PASSKEY.kind, PASSKEY.key);
        expect(await store.changeFactor("alice", PASSKEY.kind, PASSKEY.key, "again")).toBe("gone");
        expect(await store.useFactor(PASSKEY.kind, PASSKEY.key, 9, 1_500)).toBe("again");
        expect(await store.factorsOf("alice")).toEqual([]);
      });
      it("counts upwards: exactly one of 100 simultaneous uses with one counter is `first`", async () => {
        await store.addFactor({ ...PASSKEY, counter: 5 });
        const outcomes = await times(100, () => store.useFactor(PASSKEY.kind, PASSKEY.key, 6, 1_500));
        expect(outcomes.filter((outcome) => outcome === "first")).toHaveLength(1);
        for (const counter of [6, 5, 0]) {
          expect(await store.useFactor(PASSKEY.kind, PASSKEY.key, counter, 1_600)).toBe("again");
        }
        expect(await store.factor(PASSKEY.kind, PASSKEY.key)).toEqual({ ...PASSKEY, counter: 6, usedAt: 1_500 });
      });
      it("takes 0 after 0, for what does not count", async () => {
        await store.addFactor(PASSKEY);
        expect(await store.useFactor(PASSKEY.kind, PASSKEY.key, 0, 1_500)).toBe("first");
        expect(await store.useFactor(PASSKEY.kind, PASSKEY.key, 0, 1_600)).toBe("first");
      });
      it("goes one by one, by kind, or all at once; exactly one of 100 simultaneous removals of one removes it", async () => {
        const code = (key: string): Factor => ({ ...PASSKEY, kind: "recovery-code", key });
        for (const factor of [PASSKEY, code("1"), code("2"), { ...code("3"), person: "bob" }]) {
          await store.addFactor(factor);
        }
        const counts = await times(100, () => store.removeFactors("alice", "recovery-code", "1"));
        expect(counts.filter((count) => count === 1)).toHaveLength(1);
        expect(counts.filter((count) => count === 0)).toHaveLength(99);
        expect(await store.removeFactors("alice", "recovery-code")).toBe(1);
        expect(await store.removeFactors("alice")).toBe(1);
        expect(await store.factorsOf("bob")).toHaveLength(1);
      });
      it("goes with the person, and stays with one who only changes", async () => {
        await store.replaceOrganization(ACME, 0);
        await store.addFactor(PASSKEY);
        await store.addFactor({ ...PASSKEY, key: "of-bob", person: "bob" });
        await store.replaceOrganization({ ...ACME, people: [{ ...ALICE, name: "Alice B." }] }, 1);
        expect(await store.factorsOf("alice")).toEqual([PASSKEY]);
        expect(await store.factorsOf("bob")).toEqual([]);
      });
    });

    attemptConformance(() => store);

    describe("keys", () => {
      it("keeps keys and the sealed data key across a restart, oldest first", async () => {
        expect(await store.keyRing()).toEqual({ revision: 0, keys: [] });
        const later: StoredKey = {
          ...KEY,
          kid: "a-later-one",
          createdAt: 1_001,
          activatedAt: 5,
          retiringAt: 6,
          endsAt: 7,
        };
        const dataKey = { by: "local:1", wrapped: "sealed" };
        expect(await store.changeKeyRing({ keys: [later, KEY], dataKey }, 0)).toEqual({ revision: 1 });
        await reopen();
        expect(await store.keyRing()).toEqual({ revision: 1, dataKey, keys: [KEY, later] });
        expect(await store.keyRingRevision()).toBe(1);
      });
      it("changes what is named, and leaves the rest", async () => {
        const other = { ...KEY, kid: "other" };
        const dataKey = { by: "local:1", wrapped: "sealed" };
        await store.changeKeyRing({ keys: [KEY, other], dataKey }, 0);
        const changed: StoredKey = { ...KEY, state: "retiring", sealed: "else", retiringAt: 2_000, endsAt: 3_000 };
        expect(await store.changeKeyRing({ keys: [changed] }, 1)).toEqual({ revision: 2 });
        expect(await store.keyRing()).toEqual({ revision: 2, dataKey, keys: [changed, other] });
        await store.changeKeyRing({ dataKey: { by: "kms:2", wrapped: "anew" } }, 2);
        expect(await store.keyRing()).toMatchObject({ revision: 3, dataKey: { by: "kms:2" }, keys: [changed, other] });
      });
      it("lets exactly one of 50 changes of one revision through, whole", async () => {
        const outcomes = await times(50, (n) => store.changeKeyRing({ keys: [{ ...KEY, kid: `kid-${n}` }] }, 0));
        expect(outcomes.filter((outcome) => "revision" in outcome)).toEqual([{ revision: 1 }]);
        expect(outcomes.filter((outcome) => "conflict" in outcome && outcome.conflict === 1)).toHaveLength(49);
        expect((await store.keyRing()).keys).toHaveLength(1);
      });
    });

    describe("the record", () => {
      it("appends rows in order with their personal fields, across a restart", async () => {
        const personal = { ...auditRow(2), personal: "alice" };
        await store.appendAudit([auditRow(1), personal]);
        await store.appendAudit([auditRow(3)]);
        await reopen();
        expect(await store.auditRows("w", 0, 10)).toEqual([auditRow(1), personal, auditRow(3)]);
        expect(await store.auditRows("w", 1, 1)).toEqual([personal]);
        expect(await store.auditExtents()).toEqual([{ writer: "w", lastSeq: 3 }]);
        expect(await store.auditExtents("w")).toEqual([{ writer: "w", lastSeq: 3 }]);
        expect(await store.auditExtents("v")).toEqual([]);
      });
      it("counts further than 32 bits", async () => {
        const many = 3_000_000_000;
        const head = { writer: "w", seq: many, hash: "h", signedAt: 1.5, signature: "jws" };
        await store.appendAudit([auditRow(many)]);
        await store.addAuditHead(head);
        expect(await store.auditRows("w", many - 1, 10)).toEqual([auditRow(many)]);
        expect(await store.auditExtents()).toEqual([{ writer: "w", lastSeq: many }]);
        expect(await store.auditHeads()).toEqual([head]);
      });
      it("reads no row as another one, should its place be none that counts reach", async () => {
        await store.appendAudit([auditRow(2 ** 53)]);
        await expect(store.auditRows("w", 0, 10)).rejects.toMatchObject({ reason: "store-unavailable" });
        await expect(store.auditExtents()).rejects.toMatchObject({ reason: "store-unavailable" });
        expect(await store.auditRows("v", 0, 10)).toEqual([]);
      });
      it("keeps all of an append or none of it", async () => {
        await store.appendAudit([auditRow(1)]);
        await expect(store.appendAudit([auditRow(2), auditRow(1)])).rejects.toThrow();
        await expect(store.appendAudit([auditRow(2), auditRow(2)])).rejects.toThrow();
        expect(await store.auditRows("w", 0, 10)).toEqual([auditRow(1)]);
      });
      it("takes appends of many rows, and many appends at once", async () => {
        await store.appendAudit(Array.from({ length: 1_200 }, (_, n) => auditRow(n + 1)));
        await times(50, (n) => store.appendAudit([auditRow(n + 1, `w${n}`)]));
        expect(await store.auditRows("w", 0, 2_000)).toHaveLength(1_200);
        expect(await store.auditExtents()).toHaveLength(51);
      });
      it("gives each place in the register once, and lists it in order", async () => {
        const entry = (position: number, writer: string) => ({ position, writer, startedAt: 1.5, signature: "jws" });
        await store.addAuditWriter(entry(2, "b"));
        await store.addAuditWriter(entry(1, "z"));
        await expect(store.addAuditWriter(entry(2, "c"))).rejects.toThrow();
        await expect(store.addAuditWriter(entry(3, "b"))).rejects.toThrow();
        expect(await store.auditWriters()).toEqual([entry(1, "z"), entry(2, "b")]);
      });
      it("keeps signed heads", async () => {
        const head = { writer: "w", seq: 7, hash: "h", signedAt: 1_000.25, signature: "jws" };
        await store.addAuditHead(head);
        expect(await store.auditHeads()).toEqual([head]);
      });
    });

    it("rejects everything after it was closed, and may be closed twice", async () => {
      await store.close();
      await store.close();
      await expect(store.consume("jti", "late", 2_000)).rejects.toMatchObject({ code: "temporarily_unavailable" });
      await expect(store.keyRing()).rejects.toMatchObject({ reason: "store-unavailable" });
      await expect(store.artifact("Session", "late")).rejects.toMatchObject({ reason: "store-unavailable" });
    });

    it("settles what was asked for just before it was closed", async () => {
      const asked = [store.artifact("Session", "one"), store.artifactByUid("Session", "two")];
      const settled = Promise.allSettled(asked);
      await store.close();
      expect(await settled).toHaveLength(2);
    });
  });
}
