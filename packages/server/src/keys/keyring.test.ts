import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkSignature, decodeJws, generateSigningKey, signJwt, thumbprint } from "@credence/protocol/jws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storePath } from "../store/files.ts";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { openKeyEncryption } from "./kek.ts";
import { defaultKeyFile, requireKeyFileOutside } from "./key-file.ts";
import { type Keyring, type KeyringOptions, openKeyring } from "./keyring.ts";
import type { KeyOrder } from "./life.ts";
import { createSealer, deriveSecret } from "./seal.ts";

describe("keyring", () => {
  let parent: string;
  let dataDir: string;
  let keyFile: string;
  let store: Store;
  beforeEach(async () => {
    parent = mkdtempSync(join(tmpdir(), "credence-keys-"));
    dataDir = join(parent, "data");
    keyFile = defaultKeyFile(dataDir);
    now = 1_000;
    store = await openStore(storeLocation(dataDir));
  });
  afterEach(async () => {
    await store.close();
    rmSync(parent, { recursive: true });
  });
  const noSecret = () => {
    throw new TypeError("no KMS here");
  };
  const kek = (isNew: boolean, file = keyFile) => {
    requireKeyFileOutside(dataDir, file);
    return openKeyEncryption({ file }, isNew, { env: {}, secret: noSecret });
  };
  let now = 1_000;
  const open = (overrides: Partial<KeyringOptions> = {}) =>
    openKeyring({ store, openKek: (isNew) => kek(isNew), now: () => now, ...overrides });
  const openWith = (file: string) => open({ openKek: (isNew) => kek(isNew, file) });
  const kids = (keyring: Keyring) => keyring.signingKeys("idp").signers.map((signer) => signer.kid);
  const raw = (sql: string) => {
    const database = new DatabaseSync(storePath(dataDir));
    database.exec(sql);
    database.close();
  };

  it("makes its keys at the first start and finds the same ones at the next", async () => {
    const first = await open();
    const second = await open();
    expect(first.created).toMatchObject([
      { code: "key.created", key: { use: "idp", alg: "ES256" } },
      { code: "key.created", key: { use: "idp", alg: "RS256" } },
      { code: "key.created", key: { use: "audit", alg: "ES256" } },
    ]);
    expect(second.created).toEqual([]);
    expect(kids(second)).toEqual(kids(first));
    expect(second.signingKeys("idp").signers.map((key) => key.alg)).toEqual(["ES256", "RS256"]);
    expect(second.signingKeys("audit").publicJwks).toEqual(first.signingKeys("audit").publicJwks);
    expect(second.secretFor("cookies")).toBe(first.secretFor("cookies"));
    expect(first.secretFor("cookies")).toMatch(/^[\w-]{43}$/);
  });

  it("gives keys that sign, whose kid is their thumbprint, and whose public half has nothing private", async () => {
    const keyring = await open();
    for (const use of ["idp", "audit"] as const) {
      const { signers, publicJwks, keys } = keyring.signingKeys(use);
      for (const [n, signer] of signers.entries()) {
        const publicJwk = publicJwks[n] ?? { kty: "none" };
        const jws = decodeJws(await signJwt("test+jwt", { n }, signer));
        expect(jws && (await checkSignature(jws, [signer.alg], keys))).toBeUndefined();
        expect(signer.kid).toBe(await thumbprint(publicJwk));
        expect(publicJwk).toMatchObject({ kid: signer.kid, alg: signer.alg, use: "sig" });
        for (const member of ["d", "p", "q", "dp", "dq", "qi"]) expect(publicJwk).not.toHaveProperty(member);
      }
    }
  });

  it("keeps no private key and no data key in clear in the store, and the key file to its owner", async () => {
    await open();
    await store.close();
    const files = [storePath(dataDir), `${storePath(dataDir)}-wal`].filter(existsSync);
    const kept = files.map((file) => readFileSync(file, "latin1")).join();
    for (const clear of ['"d":"', '"dp":"', readFileSync(keyFile, "utf8").trim()]) expect(kept).not.toContain(clear);
    expect(kept).toContain('"crv":"P-256"');
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  });

  it("seals a text for its place alone", async () => {
    const keyring = await open();
    const place = { table: "artifacts", record: "a", field: "payload" };
    const sealed = keyring.seal("a secret ✓", place);
    expect(keyring.open(sealed, place)).toBe("a secret ✓");
    expect(keyring.open(keyring.seal("", place), place)).toBe("");
    expect(keyring.seal("a secret ✓", place)).not.toBe(sealed);
    const elsewhere = [
      { ...place, record: "b" },
      { ...place, field: "uid" },
      { ...place, table: "keys" },
      { table: "artifact", record: "sa", field: "payload" },
      { table: "artifacts", record: 'a","payload', field: "" },
    ];
    for (const other of elsewhere) {
      expect(() => keyring.open(sealed, other)).toThrow(expect.objectContaining({ reason: "seal-broken" }));
    }
  });

  it("does not open a sealed text of which any byte was changed, or that was cut", async () => {
    const keyring = await open();
    const place = { table: "t", record: "r", field: "f" };
    const bytes = Buffer.from(keyring.seal("secret", place), "base64url");
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => keyring.open(changed.toString("base64url"), place)).toThrow(/does not open/);
    }
    for (const length of [0, 1, 44, bytes.length - 1]) {
      expect(() => keyring.open(bytes.subarray(0, length).toString("base64url"), place)).toThrow(/does not open/);
    }
  });

  it.each<[string, string, () => void]>([
    ["missing though keys exist", "key-file-unreadable", () => rmSync(keyFile)],
    ["another key", "key-encryption-key-wrong", () => writeFileSync(keyFile, `${"A".repeat(43)}\n`)],
    ["no key", "key-file-malformed", () => writeFileSync(keyFile, "hello")],
    ["huge", "key-file-malformed", () => writeFileSync(keyFile, "A".repeat(5_000))],
    ["readable by everybody", "key-file-too-open", () => chmodSync(keyFile, 0o644)],
  ])("refuses a key file that is %s, and makes no new one", async (_, reason, damage) => {
    await open();
    damage();
    const before = existsSync(keyFile) && readFileSync(keyFile, "utf8");
    await expect(open()).rejects.toMatchObject({ code: "configuration", reason });
    expect(existsSync(keyFile) && readFileSync(keyFile, "utf8")).toBe(before);
    expect((await store.keyRing()).keys).toHaveLength(3);
  });

  it("refuses a key file inside the data directory, however its path is written", async () => {
    symlinkSync(dataDir, join(parent, "link"));
    const inside = [join(dataDir, "kek"), join(dataDir, "..", "data", "sub", "kek"), join(parent, "link", "kek")];
    for (const path of inside) {
      await expect(openWith(path)).rejects.toMatchObject({ reason: "key-file-inside-data" });
      expect(existsSync(path)).toBe(false);
    }
    await openWith(join(parent, "data-kek"));
  });

  it.each<[string, string, string]>([
    [
      "its public half",
      "key-altered",
      "update keys set public_jwk = (select public_jwk from keys where use = 'audit') where use = 'idp'",
    ],
    ["its public half, to no JSON", "key-altered", "update keys set public_jwk = '{' where use = 'audit'"],
    ["its use", "key-altered", "update keys set use = 'idp' where use = 'audit'"],
    ["its kid", "key-altered", "update keys set kid = 'other' where use = 'audit'"],
    ["its sealed half", "key-altered", "update keys set sealed_private_jwk = 'AAAA' where use = 'audit'"],
    [
      "the data key",
      "key-encryption-key-wrong",
      "update key_ring set wrapped_data_key = (select sealed_private_jwk from keys where use = 'audit')",
    ],
  ])("refuses a stored key of which %s was changed", async (_, reason, sql) => {
    await open();
    raw(sql);
    await expect(open()).rejects.toMatchObject({ code: "configuration", reason });
  });

  it("does not start without a store, and leaves no half of a key behind", async () => {
    await store.close();
    await expect(open()).rejects.toMatchObject({ reason: "store-unavailable" });
    expect(existsSync(keyFile)).toBe(false);
  });

  it("goes on with a store of the version before, which sealed everything by the key file itself", async () => {
    await open();
    const old = readFileSync(keyFile, "utf8");
    const place = (kid: string) => ({
      table: "keys",
      record: JSON.stringify([kid, "idp", "ES256"]),
      field: "private_jwk",
    });
    const { privateJwk } = await generateSigningKey("ES256");
    const sealed = createSealer(Buffer.from(old, "base64url")).seal(JSON.stringify(privateJwk), place(privateJwk.kid));
    raw("delete from keys");
    raw("update key_ring set revision = 0, wrapped_by = null, wrapped_data_key = null");
    raw(
      `insert into keys (kid, use, alg, public_jwk, sealed_private_jwk, created_at) values ('${privateJwk.kid}', 'idp', 'ES256', '${JSON.stringify(privateJwk)}', '${sealed}', 500)`,
    );
    const keyring = await open();
    expect(kids(keyring)[0]).toBe(privateJwk.kid);
    expect(keyring.secretFor("pairwise")).toBe(deriveSecret(Buffer.from(old, "base64url"), "pairwise"));
    expect((await store.keyRing()).dataKey?.by).toMatch(/^local:/);
  });

  describe("rotation", () => {
    const LEAD = 602;

    it("publishes the next key before it signs, and the former one for as long as what it signed may live", async () => {
      const keyring = await open();
      const [first = ""] = kids(keyring);
      await keyring.upkeep();
      const states = () => Object.fromEntries(keyring.list().map(({ kid, state }) => [kid, state]));
      const published = () => keyring.signingKeys("idp").publicJwks.map(({ kid }) => kid);
      expect(published()).toHaveLength(4);
      const next = keyring.list().find(({ alg, state }) => alg === "ES256" && state === "published")?.kid ?? "";
      expect(published()).toContain(next);
      expect(kids(keyring)[0]).toBe(first);
      expect(await keyring.order({ do: "rotate", use: "idp" })).toEqual({
        reason: "next-key-too-new",
        from: 1_000 + LEAD,
      });
      now += LEAD;
      expect(await keyring.order({ do: "rotate", use: "idp" })).toHaveLength(6);
      expect(kids(keyring)[0]).toBe(next);
      expect(states()).toMatchObject({ [first]: "retiring", [next]: "active" });
      expect(published()).toHaveLength(6);
      now += 2 * 86_400 - 1;
      expect(await keyring.upkeep()).toEqual([]);
      expect(published()).toContain(first);
      now += 1;
      expect((await keyring.upkeep()).map(({ code }) => code)).toEqual(["key.retired", "key.retired"]);
      expect(published()).not.toContain(first);
      expect(published()).toHaveLength(4);
    });

    it("destroys the private half of a key that is gone, and a changed state alone does not bring it back", async () => {
      const keyring = await open();
      await keyring.upkeep();
      const [first = ""] = kids(keyring);
      const before = (await store.keyRing()).keys.find(({ kid }) => kid === first);
      await keyring.order({ do: "revoke", kid: first });
      const after = (await store.keyRing()).keys.find(({ kid }) => kid === first);
      expect(after).toMatchObject({ state: "revoked", publicJwk: before?.publicJwk });
      expect(after?.sealed.length).toBeLessThan((before?.sealed.length ?? 0) - 40);
      raw(`update keys set state = 'retiring' where kid = '${first}'`);
      await expect(open()).rejects.toMatchObject({ reason: "key-altered" });
    });

    it("by the calendar happens in time, for the record's key, too", async () => {
      const keyring = await open({ times: { rotateEvery: 90 * 86_400, overlap: 86_400, lead: LEAD } });
      await keyring.upkeep();
      const [[before], [record]] = [kids(keyring), keyring.signingKeys("audit").signers];
      now += 90 * 86_400 - 1;
      expect(await keyring.upkeep()).toEqual([]);
      now += 1;
      expect((await keyring.upkeep()).length).toBeGreaterThan(0);
      expect(kids(keyring)[0]).not.toBe(before);
      expect(keyring.signingKeys("audit").signers[0]?.kid).not.toBe(record?.kid);
      const never = await open({ times: { overlap: 86_400, lead: LEAD } });
      const [kept] = kids(never);
      now += 10 * 365 * 86_400;
      await never.upkeep();
      expect(kids(never)[0]).toBe(kept);
    });

    it("by a calendar does not begin before the next key was published for long enough", async () => {
      const keyring = await open({ times: { rotateEvery: 100, overlap: 86_400, lead: LEAD } });
      const [first] = kids(keyring);
      now += 500;
      await keyring.upkeep();
      now += LEAD - 1;
      await keyring.upkeep();
      expect(kids(keyring)[0]).toBe(first);
      now += 1;
      await keyring.upkeep();
      expect(kids(keyring)[0]).not.toBe(first);
    });

    it("by two processes at the same moment is one rotation, and both see it", async () => {
      const [one, other] = await Promise.all([open(), open()]);
      await one.upkeep();
      await other.refresh();
      now += LEAD;
      await Promise.all([one.refresh(), other.refresh()]);
      const orders = [one, other].map((keyring) => keyring.order({ do: "rotate", use: "idp" }));
      const outcomes = await Promise.all(orders);
      expect(outcomes.filter((outcome) => "reason" in outcome && outcome.reason === "next-key-too-new")).toHaveLength(
        1,
      );
      await Promise.all([one.refresh(), other.refresh()]);
      expect(kids(other)).toEqual(kids(one));
      const states = one.list().map(({ use, state }) => `${use} ${state}`);
      for (const state of ["active", "published", "retiring"]) {
        expect(states.filter((found) => found === `idp ${state}`)).toHaveLength(2);
      }
    });

    it("at a first start of ten processes at once leaves one key of each kind, and one data key", async () => {
      const keyrings = await Promise.all(Array.from({ length: 10 }, () => open()));
      expect(new Set(keyrings.map((keyring) => keyring.secretFor("pairwise"))).size).toBe(1);
      expect((await store.keyRing()).keys).toHaveLength(3);
      expect(keyrings.flatMap((keyring) => keyring.created)).toHaveLength(3);
    });

    it("follows what another process has done, and costs nothing while nobody does anything", async () => {
      const [one, other] = [await open(), await open()];
      const before = other.signingKeys("idp");
      await other.refresh();
      expect(other.signingKeys("idp")).toBe(before);
      await one.order({ do: "revoke", kid: kids(one)[0] ?? "" });
      expect(other.signingKeys("idp")).toBe(before);
      await other.refresh();
      expect(kids(other)).toEqual(kids(one));
      expect(kids(other)[0]).not.toBe(before.signers[0]?.kid);
    });

    it("because of a compromise takes the key out at once, and the next one signs at once", async () => {
      const keyring = await open();
      await keyring.upkeep();
      const [first = ""] = kids(keyring);
      const token = decodeJws(await signJwt("JWT", {}, keyring.signingKeys("idp").signers[0] ?? expect.unreachable()));
      const next = keyring.list().find(({ alg, state }) => alg === "ES256" && state === "published")?.kid;
      const done = await keyring.order({ do: "revoke", kid: first });
      expect(Array.isArray(done) && done.map(({ code }) => code)).toEqual([
        "key.revoked",
        "key.activated",
        "key.created",
      ]);
      expect(kids(keyring)[0]).toBe(next);
      const { keys, publicJwks } = keyring.signingKeys("idp");
      expect(publicJwks.map(({ kid }) => kid)).not.toContain(first);
      expect(token && (await checkSignature(token, ["ES256"], keys))).toBe("key");
    });

    it.each<[string, (keyring: Keyring) => KeyOrder, object]>([
      ["of an unknown key", () => ({ do: "revoke", kid: "nobody" }), { reason: "key-unknown" }],
      ["of a kind that there is not", () => ({ do: "rotate", use: "idp", alg: "EdDSA" }), { reason: "key-unknown" }],
      ["to retire the key that signs", (k) => ({ do: "retire", kid: kids(k)[0] ?? "" }), { reason: "key-signs" }],
      ["to rotate without a next key", () => ({ do: "rotate", use: "idp" }), { reason: "next-key-missing" }],
    ])("is not begun by an order %s", async (_, order, refusal) => {
      const keyring = await open();
      const before = await store.keyRing();
      expect(await keyring.order(order(keyring))).toMatchObject(refusal);
      expect(await store.keyRing()).toEqual(before);
    });

    it("of one kind alone leaves the others, and --now does not wait", async () => {
      const keyring = await open();
      await keyring.upkeep();
      const [es, rs] = kids(keyring);
      await keyring.order({ do: "rotate", use: "idp", alg: "RS256", now: true });
      expect(kids(keyring)[0]).toBe(es);
      expect(kids(keyring)[1]).not.toBe(rs);
      expect(await keyring.order({ do: "retire", kid: rs ?? "" })).toMatchObject([{ code: "key.retired" }]);
      expect(await keyring.order({ do: "retire", kid: rs ?? "" })).toMatchObject({ reason: "key-gone" });
      expect(await keyring.order({ do: "revoke", kid: rs ?? "" })).toMatchObject([{ code: "key.revoked" }]);
    });
  });

  describe("algorithms", () => {
    it("stand side by side, the first of them signs ID-JAGs", async () => {
      const algorithms = ["EdDSA", "ES256", "PS256"] as const;
      const keyring = await open({ algorithms });
      expect(keyring.signingKeys("idp").signers.map(({ alg }) => alg)).toEqual(algorithms);
      expect(keyring.algorithms).toEqual(algorithms);
    });

    it("that are no longer named verify until what they signed has expired", async () => {
      await (await open()).upkeep();
      const keyring = await open({ algorithms: ["EdDSA"] });
      expect(keyring.signingKeys("idp").signers.map(({ alg }) => alg)).toEqual(["EdDSA"]);
      const [signing, ...verifying] = keyring.algorithms;
      expect([signing, ...verifying.toSorted()]).toEqual(["EdDSA", "ES256", "RS256"]);
      expect(
        keyring
          .signingKeys("idp")
          .publicJwks.map(({ alg }) => alg)
          .sort(),
      ).toEqual(["ES256", "EdDSA", "RS256"]);
      now += 2 * 86_400;
      await keyring.upkeep();
      expect((await open({ algorithms: ["EdDSA"] })).algorithms).toEqual(["EdDSA"]);
    });
  });

  describe("the key-encryption key", () => {
    it("may be another one afterwards, and nothing is lost", async () => {
      const keyring = await open();
      const sealed = keyring.seal("secret", { table: "t", record: "r", field: "f" });
      const text = randomBytes(32).toString("base64url");
      const env = { CREDENCE_KEK: text };
      const next = openKeyEncryption({ env: "CREDENCE_KEK" }, false, { env, secret: noSecret });
      expect(await keyring.rewrap(next)).toEqual([{ code: "keys.rewrapped" }]);
      await expect(open()).rejects.toMatchObject({ code: "configuration", reason: "key-encryption-key-wrong" });
      rmSync(keyFile);
      const after = await open({ openKek: () => next });
      expect(kids(after)).toEqual(kids(keyring));
      expect(after.secretFor("pairwise")).toBe(keyring.secretFor("pairwise"));
      expect(after.open(sealed, { table: "t", record: "r", field: "f" })).toBe("secret");
      for (const file of [storePath(dataDir), `${storePath(dataDir)}-wal`]) {
        expect(readFileSync(file, "latin1")).not.toContain(text);
      }
    });

    it.each([
      ["is not set", {}, "is not set"],
      ["is empty", { CREDENCE_KEK: "" }, "is not set"],
      ["is too short", { CREDENCE_KEK: "c2hvcnQ" }, "holds no key"],
      ["is no base64url", { CREDENCE_KEK: "*".repeat(43) }, "holds no key"],
    ])("in a variable that %s is refused, without telling what it holds", (_, env: Record<string, string>, why) => {
      const opening = () => openKeyEncryption({ env: "CREDENCE_KEK" }, true, { env, secret: noSecret });
      expect(opening).toThrow(expect.objectContaining({ reason: "key-variable-malformed" }));
      expect(opening).toThrow(why);
      if (env.CREDENCE_KEK) expect(opening).not.toThrow(env.CREDENCE_KEK);
    });
  });
});
