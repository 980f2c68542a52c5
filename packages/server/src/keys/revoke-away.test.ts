import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSigningKey } from "@credence/protocol/jws";
import { expect, it } from "vitest";
import { storeLocation } from "../store/location.ts";
import { openStore } from "../store/open.ts";
import { localKeyEncryption } from "./key-encryption.ts";
import { openKeyring } from "./keyring.ts";

it("revokes a key also while no new one can be made elsewhere", async () => {
  const parent = mkdtempSync(join(tmpdir(), "credence-revoke-"));
  const store = await openStore(storeLocation(join(parent, "data")));
  try {
    let away = false;
    let n = 0;
    const keyring = await openKeyring({
      store,
      now: () => 1_000,
      openKek: () => localKeyEncryption(Buffer.alloc(32, 7), "a key"),
      algorithms: ["ES256"],
      external: {
        name: "elsewhere",
        async create(alg) {
          if (away) throw new Error("away");
          n += 1;
          return { name: `k${n}`, publicJwk: (await generateSigningKey(alg)).publicJwk };
        },
        sign: async () => new Uint8Array(64),
      },
    });
    await keyring.upkeep();
    const active = keyring.list().find(({ use, state }) => use === "idp" && state === "active");
    away = true;
    await keyring.order({ do: "revoke", kid: active?.kid ?? "" }).catch(() => undefined);
    expect(keyring.list().find(({ kid }) => kid === active?.kid)?.state).toBe("revoked");
    expect(keyring.signingKeys("idp").publicJwks.map(({ kid }) => kid)).not.toContain(active?.kid);
  } finally {
    await store.close();
    rmSync(parent, { recursive: true });
  }
});

it("two versions of the configuration beside each other do not make keys without end", async () => {
  const parent = mkdtempSync(join(tmpdir(), "credence-rolling-"));
  const store = await openStore(storeLocation(join(parent, "data")));
  try {
    let now = 1_000;
    const common = { store, now: () => now, openKek: () => localKeyEncryption(Buffer.alloc(32, 7), "a key") };
    const before = await openKeyring({ ...common, algorithms: ["ES256", "EdDSA"] });
    const after = await openKeyring({ ...common, algorithms: ["ES256"] });
    const counts: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      now += 5;
      for (const one of [before, after]) {
        await one.refresh();
        await one.upkeep();
      }
      counts.push(after.signingKeys("idp").publicJwks.length);
    }
    expect(counts.at(-1)).toBeLessThan(8);
  } finally {
    await store.close();
    rmSync(parent, { recursive: true });
  }
});
