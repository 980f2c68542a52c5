import crypto from "node:crypto";
import { generateSigningKey, importSigner } from "@credence/protocol/jws";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { keysOfSets, webCrypto } from "../crypto.ts";
import { house } from "../house.testing.ts";
import { nodeCrypto } from "../node.ts";

test("node:crypto hashes as WebCrypto does, whatever the text", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 200 }), async (points) => {
      // Halves of surrogate pairs are among them.
      const text = String.fromCodePoint(...points);
      expect(await nodeCrypto.sha256(text)).toBe(await webCrypto.sha256(text));
    }),
  );
});

test("a Node before 20.12, which has no crypto.hash, hashes to the same", async () => {
  const { hash } = crypto;
  vi.resetModules();
  Reflect.deleteProperty(crypto, "hash");
  try {
    const { nodeCrypto: older } = await import("./crypto.ts");
    for (const text of ["", "abc", "Zürich \u{1f511}"]) {
      expect(await older.sha256(text)).toBe(await webCrypto.sha256(text));
    }
  } finally {
    Object.assign(crypto, { hash });
  }
});

test("a server with node:crypto redeems, and takes a token of one with WebCrypto on the same keys", async () => {
  await using home = await house(() => ({ crypto: nodeCrypto }));
  const { status, body } = await home.redeem();
  expect(status).toBe(200);
  expect((await home.server.check(String(body.access_token))).ok).toBe(true);
  await using web = await house(({ resources }) => ({
    issuer: home.url,
    signingKey: home.key.privateJwk,
    resources: { [home.resource]: Object.values(resources)[0] ?? { scopes: {} } },
  }));
  expect((await web.server.check(String(body.access_token))).ok).toBe(true);
});

describe("the keys of a set that comes again", () => {
  const header = (kid: string) => ({ alg: "ES256", kid });

  test("are imported once", async () => {
    const { publicJwk } = await generateSigningKey("ES256");
    let imports = 0;
    const keysOf = keysOfSets((jwks) => {
      imports += 1;
      return webCrypto.keysOf(jwks);
    });
    const set = { keys: [publicJwk] };
    const kid = String(publicJwk.kid);
    expect(await keysOf(set)(header(kid))).toBe(await keysOf(set)(header(kid)));
    expect(imports).toBe(1);
  });

  test("are others as soon as others stand in it", async () => {
    const [one, two] = [await generateSigningKey("ES256"), await generateSigningKey("ES256")];
    const keysOf = keysOfSets(nodeCrypto.keysOf);
    const set = { keys: [one.publicJwk] };
    const verified = async ({ privateJwk }: typeof one) => {
      const data = new TextEncoder().encode("data");
      const verifier = await keysOf(set)(header(privateJwk.kid));
      return (await verifier?.verify(data, await (await importSigner(privateJwk)).sign(data))) ?? false;
    };
    expect([await verified(one), await verified(two)]).toEqual([true, false]);
    set.keys.push(two.publicJwk);
    expect([await verified(one), await verified(two)]).toEqual([true, true]);
    set.keys.shift();
    expect([await verified(one), await verified(two)]).toEqual([false, true]);
    set.keys[0] = one.publicJwk;
    expect([await verified(one), await verified(two)]).toEqual([true, false]);
  });
});
