import { addClientAuth } from "@credence/protocol/client-auth";
import { signJwt } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { webCrypto } from "../crypto.ts";
import { expectRefused, type House, house, type Key, NOON, newKey } from "../house.testing.ts";
import { memoryStore } from "../store.ts";

let home: House;
let key: Key;
const clientId = "ledger-assistant";

beforeAll(async () => {
  key = await newKey();
  home = await house(() => ({ clients: [{ clientId, method: "private_key_jwt", jwks: { keys: [key.publicJwk] } }] }));
});
afterAll(() => home[Symbol.asyncDispose]());

async function request(audience: string): Promise<string> {
  const form = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: await home.idJag() });
  await addClientAuth(form, { method: "private_key_jwt", clientId, signer: key.signer }, audience, NOON);
  return form.toString();
}

test("a client with a key redeems, and its assertion counts once", async () => {
  const body = await request(home.url);
  expect((await home.post(body, { authorization: "" })).status).toBe(200);
  const again = await home.post(body, { authorization: "" });
  expectRefused(again, 401, "invalid_client", "client-assertion-replayed");
});

test("a client's assertion counts by the algorithms that the client is registered with, and no other", async () => {
  const client = { clientId, method: "private_key_jwt", jwks: { keys: [key.publicJwk] } } as const;
  const redeemBy = async (own: House) => {
    const form = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: await own.idJag() });
    await addClientAuth(form, { method: "private_key_jwt", clientId, signer: key.signer }, own.url, NOON);
    return own.post(form.toString(), { authorization: "" });
  };
  await using right = await house(() => ({ clients: [{ ...client, algorithms: ["ES256"] }] }));
  expect((await redeemBy(right)).status).toBe(200);
  await using wrong = await house(() => ({ clients: [{ ...client, algorithms: ["RS256"] }] }));
  expectRefused(await redeemBy(wrong), 401, "invalid_client", "client-assertion-algorithm");
});

test("an assertion is marked as what it is, by the keys and hashes of the app's own crypto", async () => {
  const marks: string[] = [];
  const sets: unknown[] = [];
  const store = memoryStore({ now: () => NOON });
  const jwks = { keys: [key.publicJwk] };
  await using own = await house(() => ({
    clients: [{ clientId, method: "private_key_jwt", jwks }],
    crypto: {
      ...webCrypto,
      keysOf(set) {
        sets.push(set);
        return webCrypto.keysOf(set);
      },
    },
    store: {
      ...store,
      consume(mark, expiresAt) {
        marks.push(mark.split(":")[0] ?? "");
        return store.consume(mark, expiresAt);
      },
    },
  }));
  const form = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: await own.idJag() });
  await addClientAuth(form, { method: "private_key_jwt", clientId, signer: key.signer }, own.url, NOON);
  expect((await own.post(form.toString(), { authorization: "" })).status).toBe(200);
  expect(marks).toEqual(["client-assertion", "id-jag"]);
  expect(sets).toContainEqual(jwks);
});

test("the same client assertion sent 100 times at once, each with an ID-JAG of its own: exactly one counts", async () => {
  const form = new URLSearchParams(await request(home.url));
  const idJags = await Promise.all(Array.from({ length: 100 }, () => home.idJag()));
  const answers = await Promise.all(
    idJags.map((idJag) => {
      form.set("assertion", idJag);
      return home.post(form.toString(), { authorization: "" });
    }),
  );
  const errors = answers.map(({ status, body }) => (status === 200 ? "granted" : body.error)).sort();
  expect(errors).toEqual(["granted", ...Array<string>(99).fill("invalid_client")]);
});

test.each([
  ["another server", () => "https://other.example"],
  ["the token endpoint", () => `${home.url}/token`],
])("an assertion for %s is not for this one", async (_, audience) => {
  const answer = await home.post(await request(audience()), { authorization: "" });
  expectRefused(answer, 401, "invalid_client", "client-assertion-audience");
});

test("an ID-JAG is not a client assertion: the client's key did not sign it", async () => {
  const form = new URLSearchParams(await request(home.url));
  const claims = { iss: clientId, sub: clientId, aud: home.url, jti: "1", exp: NOON + 60 };
  form.set("client_assertion", await signJwt("JWT", claims, home.idp.key.signer));
  const answer = await home.post(form.toString(), { authorization: "" });
  expectRefused(answer, 401, "invalid_client", "client-assertion-key");
});

test("a store that can not mark the assertion: 503, and nothing issued", async () => {
  const consume = async (): Promise<never> => {
    throw new Error("disk full");
  };
  await using broken = await house(() => ({
    clients: [{ clientId, method: "private_key_jwt", jwks: { keys: [key.publicJwk] } }],
    store: { ...memoryStore(), consume },
  }));
  const form = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, assertion: await broken.idJag() });
  await addClientAuth(form, { method: "private_key_jwt", clientId, signer: key.signer }, broken.url, NOON);
  const answer = await broken.post(form.toString(), { authorization: "" });
  expectRefused(answer, 503, "temporarily_unavailable", "store-unavailable");
});
