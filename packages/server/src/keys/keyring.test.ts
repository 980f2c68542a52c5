import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
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
import { thumbprint } from "@credence/protocol/jws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storePath } from "../store/files.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { defaultKeyFile } from "./key-file.ts";
import { openKeyring } from "./keyring.ts";

describe("keyring", () => {
  let parent: string;
  let dataDir: string;
  let keyFile: string;
  let store: Store;
  beforeEach(async () => {
    parent = mkdtempSync(join(tmpdir(), "credence-keys-"));
    dataDir = join(parent, "data");
    keyFile = defaultKeyFile(dataDir);
    store = await openStore(storePath(dataDir));
  });
  afterEach(async () => {
    await store.close();
    rmSync(parent, { recursive: true });
  });
  const open = (overrides = {}) => openKeyring({ store, keyFile, dataDir, now: () => 1_000, ...overrides });
  const raw = (sql: string) => {
    const database = new DatabaseSync(storePath(dataDir));
    database.exec(sql);
    database.close();
  };

  it("makes its keys at the first start and finds the same ones at the next", async () => {
    const first = await open();
    const second = await open();
    expect(first.created.map(({ use, alg }) => `${use} ${alg}`)).toEqual(["idp ES256", "idp RS256", "audit ES256"]);
    expect(second.created).toEqual([]);
    expect(second.signingKeys("idp")).toEqual(first.signingKeys("idp"));
    expect(second.signingKeys("idp").map((key) => key.alg)).toEqual(["ES256", "RS256"]);
    expect(second.signingKeys("audit")).toEqual(first.signingKeys("audit"));
    expect(second.secretFor("cookies")).toBe(first.secretFor("cookies"));
    expect(first.secretFor("cookies")).toMatch(/^[\w-]{43}$/);
  });

  it("gives keys that sign, whose kid is their thumbprint, and whose public half has nothing private", async () => {
    const keyring = await open();
    for (const key of [...keyring.signingKeys("idp"), ...keyring.signingKeys("audit")]) {
      const signature = sign("sha256", Buffer.from("text"), createPrivateKey({ key: key.privateJwk, format: "jwk" }));
      const publicKey = createPublicKey({ key: key.publicJwk, format: "jwk" });
      expect(verify("sha256", Buffer.from("text"), publicKey, signature)).toBe(true);
      expect(key.kid).toBe(await thumbprint(key.publicJwk));
      expect(key.publicJwk).toMatchObject({ kid: key.kid, alg: key.alg, use: "sig" });
      for (const member of ["d", "p", "q", "dp", "dq", "qi"]) expect(key.publicJwk).not.toHaveProperty(member);
    }
  });

  it("keeps no private key in clear in the store, and the key file to its owner", async () => {
    const keyring = await open();
    const [key] = keyring.signingKeys("idp");
    await store.close();
    expect(key?.privateJwk.d).toBeDefined();
    const files = [storePath(dataDir), `${storePath(dataDir)}-wal`].filter(existsSync);
    for (const file of files) expect(readFileSync(file, "latin1")).not.toContain(key?.privateJwk.d);
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
    ["another key", "key-file-wrong", () => writeFileSync(keyFile, `${"A".repeat(43)}\n`)],
    ["no key", "key-file-malformed", () => writeFileSync(keyFile, "hello")],
    ["huge", "key-file-malformed", () => writeFileSync(keyFile, "A".repeat(5_000))],
    ["readable by everybody", "key-file-too-open", () => chmodSync(keyFile, 0o644)],
  ])("refuses a key file that is %s, and makes no new one", async (_, reason, damage) => {
    await open();
    damage();
    const before = existsSync(keyFile) && readFileSync(keyFile, "utf8");
    await expect(open()).rejects.toMatchObject({ code: "configuration", reason });
    expect(existsSync(keyFile) && readFileSync(keyFile, "utf8")).toBe(before);
    expect(await store.keys()).toHaveLength(3);
  });

  it("refuses a key file inside the data directory, however its path is written", async () => {
    symlinkSync(dataDir, join(parent, "link"));
    const inside = [join(dataDir, "kek"), join(dataDir, "..", "data", "sub", "kek"), join(parent, "link", "kek")];
    for (const path of inside) {
      await expect(open({ keyFile: path })).rejects.toMatchObject({ reason: "key-file-inside-data" });
      expect(existsSync(path)).toBe(false);
    }
    await open({ keyFile: join(parent, "data-kek") });
  });

  it.each<[string, string, string]>([
    [
      "its public half",
      "key-altered",
      "update keys set public_jwk = (select public_jwk from keys where use = 'audit') where use = 'idp'",
    ],
    ["its public half, to no JSON", "key-altered", "update keys set public_jwk = '{' where use = 'audit'"],
    ["its use", "key-file-wrong", "update keys set use = 'idp' where use = 'audit'"],
    ["its kid", "key-file-wrong", "update keys set kid = 'other' where use = 'audit'"],
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
});
