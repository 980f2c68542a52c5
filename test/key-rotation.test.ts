import { createResourceServer, generateSigningKey } from "@credence/resource";
import { redeem } from "@credence/resource/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { DEFAULT_LIMITS } from "../packages/server/src/http/limits.ts";
import { exchange, expectRefused, LEDGER, MCP } from "./exchange.testing.ts";
import { ALICE, CALLBACK, type House, startHouse } from "./house.testing.ts";
import {
  kidOf,
  listedKeys,
  orderKeys,
  publishedKeys,
  rotateWhenAllowed,
  strictVerifier,
} from "./key-rotation.testing.ts";

/** `CREDENCE_ROTATIONS=10` for as many as somebody wants to see. */
const ROTATIONS = Number(process.env.CREDENCE_ROTATIONS ?? 4);
const LIMITS = { ...DEFAULT_LIMITS, clientRequests: 0, failedRequests: 0, signIns: 0, forms: 0 };

let house: House;
beforeAll(async () => {
  house = await startHouse({ server: { keys: { jwksAge: 1 }, idJagLifetime: 3_600, limits: LIMITS } });
});
afterAll(() => house[Symbol.asyncDispose]());

const idTokenOf = async (from = house) => (await from.signIn(from.agent("assistant"))).signIn().idToken;

/** The app, which looks for keys anew half a minute after it last did, by a clock of its own. */
async function startLedger(clock: { ahead: number }) {
  const client = { clientId: "ledger-assistant", method: "client_secret_basic", clientSecret: "s3cret" } as const;
  const server = createResourceServer({
    issuer: LEDGER,
    resources: { [MCP]: { scopes: { "ledger.read": "Read entries" } } },
    customers: [{ id: "acme", issuers: [{ issuer: house.issuer }] }],
    clients: [client],
    resolveSubject: ({ sub }) => ({ id: sub }),
    signingKey: (await generateSigningKey("ES256")).privateJwk,
    record: () => undefined,
    now: () => Date.now() / 1_000 + clock.ahead,
    development: true,
  });
  return async (idJag: string): Promise<void> => {
    const { accessToken, error } = await redeem(server, client, idJag);
    if (accessToken === undefined) throw new Error(`not redeemed: ${error}`);
    const checked = await server.check(accessToken, { scopes: ["ledger.read"] });
    if (!checked.ok) throw new Error(`not accepted: ${JSON.stringify(checked)}`);
  };
}

test(`${ROTATIONS} rotations under load fail no request: sign-ins, exchanges, redemptions, and who keeps the JWKS as long as it may`, async () => {
  const clock = { ahead: 0 };
  const atLedger = await startLedger(clock);
  const verify = strictVerifier(house);
  const first = await idTokenOf();
  const failures: string[] = [];
  const counts = { signIn: 0, exchange: 0, call: 0 };
  const signers = new Set<string>();
  let over = false;

  const often = async (what: keyof typeof counts, run: () => Promise<void>): Promise<void> => {
    while (!over) {
      await run().catch((error: unknown) => failures.push(`${what}: ${error}`));
      counts[what] += 1;
    }
  };
  const exchanged = async (subjectToken: string): Promise<string> => {
    const { status, body } = await exchange(house, { subjectToken });
    if (status !== 200 || typeof body.access_token !== "string") throw new Error(`${status} ${JSON.stringify(body)}`);
    signers.add(kidOf(body.access_token));
    await verify(body.access_token);
    return body.access_token;
  };

  // The app has the keys of before all rotations.
  await atLedger(await exchanged(first));
  const load = [
    often("signIn", async () => {
      const idToken = await idTokenOf();
      await verify(idToken);
      await exchanged(idToken);
    }),
    // One ID token, from before all of them.
    often("exchange", async () => void (await exchanged(first))),
    often("call", async () => atLedger(await exchanged(first))),
  ];
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    clock.ahead += 31;
    await rotateWhenAllowed(house);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  over = true;
  await Promise.all(load);

  expect(failures).toEqual([]);
  expect(signers.size).toBe(ROTATIONS + 1);
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(ROTATIONS);
}, 180_000);

describe("a rotation", () => {
  test("is on record, step by step", async () => {
    await rotateWhenAllowed(house);
    const { events } = await listEvents(house.server.store, { code: "key", from: "newest", limit: 6 });
    const es256 = events.filter(({ key }) => key?.alg === "ES256").map(({ code }) => code);
    expect(es256.sort()).toEqual(["key.activated", "key.created", "key.retiring"]);
  });

  test("between a sign-in and its code's redemption is noticed by nobody; the ID token has the next key", async () => {
    const started = await house.agent("assistant").startSignIn({ redirectUri: CALLBACK });
    const end = await openUserAgent(ALICE).browse(started.url, CALLBACK);
    await rotateWhenAllowed(house);
    const { idToken } = (await started.finish(end.url)).signIn();
    const signing = (await listedKeys(house)).find(
      ({ use, alg, state }) => `${use} ${alg} ${state}` === "idp ES256 active",
    );
    expect(kidOf(idToken)).toBe(signing?.kid);
  });
});

describe("a key that somebody else may have", () => {
  test("is out at once: ID tokens that it signed buy nothing any more, also those that did before", async () => {
    const idToken = await idTokenOf();
    expect((await exchange(house, { subjectToken: idToken })).status).toBe(200);
    const kid = kidOf(idToken);
    expect(await orderKeys(house, `${kid}/revoke`)).toMatchObject({ status: 200 });
    await expectRefused(house, await exchange(house, { subjectToken: idToken }), "invalid_grant", "subject-token-key");
    expect((await publishedKeys(house)).map((key) => key.kid)).not.toContain(kid);
    const fresh = await idTokenOf();
    expect(kidOf(fresh)).not.toBe(kid);
    expect((await exchange(house, { subjectToken: fresh })).status).toBe(200);
    const { events } = await listEvents(house.server.store, { code: "key.revoked" });
    expect(events).toMatchObject([{ key: { kid, use: "idp", alg: "ES256" } }]);
  });
});
