import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { type KeeperPorts, type KeyKeeper, keepKeys } from "./keeper.ts";
import { localKeyEncryption } from "./key-encryption.ts";
import { type KeyEvent, type Keyring, openKeyring } from "./keyring.ts";

describe("looking after the keys", () => {
  let folder: string;
  let store: Store;
  let keepers: KeyKeeper[];
  let recorded: KeyEvent[];
  let faults: unknown[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "credence-keeper-"));
    store = await openStore(storeLocation(join(folder, "data")));
    [keepers, recorded, faults] = [[], [], []];
  });
  afterEach(async () => {
    for (const keeper of keepers) await keeper.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const open = () =>
    openKeyring({
      store,
      openKek: () => localKeyEncryption(Buffer.alloc(32, 7), "the key of this test"),
      algorithms: ["ES256"],
      now: () => Math.floor(Date.now() / 1_000),
    });
  const keep = (keyring: Keyring, ports: Partial<KeeperPorts> = {}): KeyKeeper => {
    const keeper = keepKeys({
      keyring,
      record: async (event) => void recorded.push(event),
      onFault: (error) => faults.push(error),
      intervals: { refresh: 20, upkeep: 50 },
      ...ports,
    });
    keepers.push(keeper);
    return keeper;
  };
  const codes = () => recorded.map(({ code }) => code);
  const signer = (keyring: Keyring) => keyring.signingKeys("idp").signers[0]?.kid;

  it("makes the next key once, and puts it on record", async () => {
    const keyring = await open();
    keep(keyring);
    await expect.poll(() => keyring.signingKeys("idp").publicJwks).toHaveLength(2);
    await expect.poll(codes).toEqual(["key.created"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(codes()).toEqual(["key.created"]);
  });

  it("follows what another process does, without being told", async () => {
    const [one, other] = [await open(), await open()];
    const [ordering] = [keep(one), keep(other)];
    await expect.poll(() => other.signingKeys("idp").publicJwks).toHaveLength(2);
    await ordering.order({ do: "revoke", kid: signer(one) ?? "" });
    await expect.poll(() => signer(other)).toBe(signer(one));
    expect(faults).toEqual([]);
  });

  it("records later what it could not record at once, in order and once", async () => {
    const keyring = await open();
    let full = true;
    const record = async (event: KeyEvent) => {
      if (full) throw new Error("the disk is full");
      recorded.push(event);
    };
    const keeper = keep(keyring, { record, intervals: { refresh: 20, upkeep: 60_000 } });
    const before = signer(keyring);
    await expect(keeper.order({ do: "rotate", use: "audit" })).rejects.toThrow("the disk is full");
    expect(codes()).toEqual([]);
    full = false;
    await keeper.order({ do: "revoke", kid: before ?? "" });
    const [first, second] = [
      ["key.retired", "key.created", "key.created"],
      ["key.revoked", "key.activated", "key.created"],
    ];
    expect(codes()).toEqual([...first, ...second]);
  });

  it("goes on with the keys that it has while the store is away, and says so", async () => {
    const keyring = await open();
    let away = false;
    const refresh = async () => {
      if (away) throw new Error("the store is away");
      await keyring.refresh();
    };
    keep({ ...keyring, refresh });
    const before = signer(keyring);
    away = true;
    await expect.poll(() => faults.map(String)).toContain("Error: the store is away");
    expect(signer(keyring)).toBe(before);
    away = false;
    const other = await open();
    await other.order({ do: "revoke", kid: before ?? "" });
    await expect.poll(() => signer(keyring)).toBe(signer(other));
  });
});
