/** Keys that are not here: a KMS seals the store's secrets, and a signing service has the private halves. */
import { createAgent } from "@credence/client";
import { checkSignature, decodeJws } from "@credence/protocol/jws";
import { nodeKeys } from "@credence/protocol/node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { startTransit, type TransitEngine, type TransitFault } from "../packages/server/src/keys/transit.testing.ts";
import { exchange, expectRefused, recorded } from "./exchange.testing.ts";
import { ALICE, CALLBACK, type House, SECRETS, startHouse } from "./house.testing.ts";
import { kidOf, listedKeys, orderKeys, publishedKeys, rotateWhenAllowed } from "./key-rotation.testing.ts";

let engine: TransitEngine;
beforeEach(async () => {
  engine = await startTransit();
});
afterEach(() => engine.close());

const resolveSecret = (ref: object) => {
  const secrets: Readonly<Record<string, string>> = { ...SECRETS, KMS: engine.token };
  return "env" in ref ? (secrets[String(ref.env)] ?? "another secret") : "another secret";
};
const token = { env: "KMS" };
const start = (keys: NonNullable<Parameters<typeof startHouse>[0]>["server"] & object) =>
  startHouse({ server: { resolveSecret, ...keys } });

async function idTokenOf(house: House): Promise<string> {
  return (await house.signIn(house.agent("assistant"))).signIn().idToken;
}

/** An agent that keeps what the token endpoint answers. */
function listeningAgent({ issuer }: House, answers: [number, unknown][]) {
  const client = {
    method: "client_secret_basic",
    clientId: "assistant",
    clientSecret: SECRETS.assistant ?? "",
  } as const;
  return createAgent({
    idp: { issuer, client },
    apps: [],
    development: true,
    fetch: async (...request) => {
      const response = await fetch(...request);
      answers.push([response.status, await response.clone().json()]);
      return response;
    },
  });
}

describe("an external signer", () => {
  test("signs ID tokens and ID-JAGs, before a rotation and after it, and no private half is in the store", async () => {
    await using house = await start({ keys: { signer: { url: engine.url, token }, jwksAge: 1 } });
    const before = await idTokenOf(house);
    await rotateWhenAllowed(house);
    const after = await idTokenOf(house);
    expect(kidOf(after)).not.toBe(kidOf(before));
    const jwks = nodeKeys({ keys: (await publishedKeys(house)) as Parameters<typeof nodeKeys>[0]["keys"] });
    for (const idToken of [before, after]) {
      const { body } = await exchange(house, { subjectToken: idToken });
      for (const signed of [idToken, String(body.access_token)]) {
        const jws = decodeJws(signed);
        expect(jws && (await checkSignature(jws, ["ES256"], jwks))).toBeUndefined();
      }
    }
    const keys = (await listedKeys(house)).filter(({ use }) => use === "idp");
    expect(keys.map(({ external }) => engine.keys.has(external ?? ""))).toEqual(keys.map(() => true));
    expect(engine.asked.get("sign")).toBeGreaterThanOrEqual(4);
  });

  test.each<TransitFault>(["down", "500", "wrong signature", "no data"])(
    "that fails (%s) lets nothing out: 503, on record with its reason; and all is well once it is back",
    async (fault) => {
      await using house = await start({ keys: { signer: { url: engine.url, token } } });
      const idToken = await idTokenOf(house);
      engine.fault = fault;
      const refused = await exchange(house, { subjectToken: idToken });
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
      await expectRefused(house, refused, "temporarily_unavailable", "signer-unavailable");

      const answers: [number, unknown][] = [];
      const started = await listeningAgent(house, answers).startSignIn({ redirectUri: CALLBACK });
      const end = await openUserAgent(ALICE).browse(started.url, CALLBACK);
      await expect(started.finish(end.url)).rejects.toMatchObject({ leg: "sign-in" });
      expect(answers.at(-1)).toEqual([503, expect.objectContaining({ error: "temporarily_unavailable" })]);
      expect(answers.at(-1)?.[1]).not.toHaveProperty("id_token");

      const refusals = async () => (await listEvents(house.server.store, { code: "grant.refused" })).events;
      await expect.poll(async () => JSON.stringify(await refusals()), { timeout: 10_000 }).toContain(engine.url);

      engine.fault = undefined;
      const permitted = await exchange(house, { subjectToken: await idTokenOf(house) });
      expect(permitted.status).toBe(200);
      expect(await recorded(house, permitted)).toMatchObject({ code: "exchange.permitted" });
    },
  );

  test("forgets a key that was revoked", async () => {
    await using house = await start({ keys: { signer: { url: engine.url, token } } });
    const [key] = (await listedKeys(house)).filter(({ use }) => use === "idp");
    expect(await orderKeys(house, `${key?.kid}/revoke`)).toMatchObject({ status: 200 });
    expect(engine.keys.has(key?.external ?? "")).toBe(false);
  });

  test("that does not answer at the first start is told, and nothing is left half made", async () => {
    engine.fault = "down";
    await expect(start({ keys: { signer: { url: engine.url, token } } })).rejects.toMatchObject({
      code: "network",
      reason: "kms-unavailable",
    });
  });
});

describe("a KMS", () => {
  test("seals the store's secrets; changing over to it and away from it loses nothing", async () => {
    await using house = await start({});
    const kek = { kms: { url: engine.url, key: "credence", token: { env: "KMS" } } };
    const idToken = await idTokenOf(house);
    const sealed = await house.server.store.keyRing();
    expect(await orderKeys(house, "rewrap", { kek })).toMatchObject({ status: 200 });
    const now = await house.server.store.keyRing();
    expect(now.dataKey).toEqual({ by: `kms:${engine.url}/credence`, wrapped: expect.stringMatching(/^vault:v1:/) });
    expect(now.keys).toEqual(sealed.keys);
    expect((await exchange(house, { subjectToken: idToken })).status).toBe(200);
  });

  test.each<[string, object]>([
    ["that is down", { kms: { url: "http://127.0.0.1:1/v1/transit", key: "credence", token: { env: "KMS" } } }],
    ["without TLS, elsewhere", { kms: { url: "http://kms.acme.example", key: "k", token: { env: "KMS" } } }],
    ["whose variable is missing", { env: "CREDENCE_NO_SUCH_KEY" }],
    ["that is no source at all", { literal: "A".repeat(43) }],
    ["inside the data directory", { file: "DATA/kek" }],
  ])("or another key-encryption key %s is not taken, and the old one stays", async (_, kek) => {
    await using house = await start({});
    const before = await house.server.store.keyRing();
    const said = JSON.parse(JSON.stringify(kek).replace("DATA", house.dataDir));
    const { status, body } = await orderKeys(house, "rewrap", { kek: said });
    expect([400, 422]).toContain(status);
    expect(JSON.stringify(body)).not.toContain(engine.token);
    expect(await house.server.store.keyRing()).toEqual(before);
  });

  test.each<[TransitFault, string]>([
    ["down", "network"],
    ["403", "configuration"],
  ])("that is or answers %s at the start ends it, with what to do", async (fault, code) => {
    engine.fault = fault;
    const keys = { kek: { kms: { url: engine.url, key: "credence", token } } };
    const failure: unknown = await start({ keys }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(String(failure)).toMatch(/The KMS http:.*Look/);
    expect(String(failure)).not.toContain(engine.token);
  });
});
