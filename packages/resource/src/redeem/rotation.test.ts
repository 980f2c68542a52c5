/** Credentials of clients that are replaced while they are in use: MCP enterprise-managed authorization §7.5.1. */
import { addClientAuth } from "@credence/protocol/client-auth";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { describe, expect, test } from "vitest";
import { basic, CLIENT, expectRefused, house, type Key, NOON, newKey } from "../house.testing.ts";

describe("a secret that is replaced", () => {
  const replaced = { ...CLIENT, clientSecret: "the new one", formerClientSecret: "the old one" };

  test("counts beside its successor, and nothing else does", async () => {
    await using home = await house(() => ({ clients: [replaced] }));
    for (const secret of ["the new one", "the old one"]) {
      expect((await home.redeem({}, { authorization: basic(CLIENT.clientId, secret) })).status).toBe(200);
    }
    for (const secret of [CLIENT.clientSecret, "", "the new onethe old one"]) {
      const answer = await home.redeem({}, { authorization: basic(CLIENT.clientId, secret) });
      expectRefused(answer, 401, "invalid_client", "client-secret-wrong");
    }
  });

  test("counts no longer once it is taken out, and an empty one never did", async () => {
    await using home = await house(() => ({ clients: [{ ...replaced, formerClientSecret: "" }] }));
    for (const secret of ["the old one", ""]) {
      const answer = await home.redeem({}, { authorization: basic(CLIENT.clientId, secret) });
      expectRefused(answer, 401, "invalid_client", "client-secret-wrong");
    }
  });
});

describe("a key that is replaced", () => {
  test("counts beside its successor until it is taken out", async () => {
    const [old, next] = [await newKey(), await newKey()];
    const client = { clientId: CLIENT.clientId, method: "private_key_jwt" } as const;
    let keys = [old, next];
    await using home = await house(() => ({
      clients: async (id) =>
        id === client.clientId ? { ...client, jwks: { keys: keys.map(({ publicJwk }) => publicJwk) } } : undefined,
    }));
    const redeemBy = async ({ signer }: Key) => {
      const form = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: await home.idJag() });
      await addClientAuth(form, { ...client, signer }, home.url, NOON);
      return home.post(form.toString(), { authorization: "" });
    };
    for (const key of [old, next]) expect((await redeemBy(key)).status).toBe(200);
    keys = [next];
    expectRefused(await redeemBy(old), 401, "invalid_client", "client-assertion-key");
    expect((await redeemBy(next)).status).toBe(200);
  });
});
