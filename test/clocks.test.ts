/** Clocks that are off: by a little, which is nothing; by five minutes, which is told by its name. */
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { generateSigningKey, importSigner, type PrivateJwk, type PublicJwk, signJwt } from "@credence/protocol/jws";
import { buildTokenExchangeRequest, JWT_TOKEN_TYPE } from "@credence/protocol/token-exchange";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ACTOR_TOKEN_TYP } from "../packages/server/src/idp/actor.ts";
import { type Answer, exchange, LEDGER, MCP, recorded } from "./exchange.testing.ts";
import { acme, type House, startHouse } from "./house.testing.ts";

const FIVE_MINUTES = 300;
/** Seconds that are stated: of assertions and actor tokens 30, of proofs 60 from the future. */
const LITTLE = 20;

// Seconds by which the house's own clock is ahead.
let ahead = 0;
let house: House;
let idToken: string;
let keys: { privateJwk: PrivateJwk; publicJwk: PublicJwk };
beforeAll(async () => {
  keys = await generateSigningKey("ES256");
  house = await startHouse({ server: { now: () => Date.now() / 1_000 + ahead } });
  idToken = (await house.signIn(house.agent("assistant"))).signIn().idToken;
  const auth = { method: "private_key_jwt", jwks: { keys: [keys.publicJwk] } } as const;
  const [first] = acme().connections;
  await house.change({
    ...acme(),
    agents: acme().agents.map((one) => (one.id === "crawler" ? { ...one, auth } : one)),
    apps: acme().apps.map((one) => ({ ...one, clients: { ...one.clients, crawler: "ledger-crawler" } })),
    connections: first ? [{ ...first, actors: ["crawler"] }] : [],
  });
});
beforeEach(() => {
  ahead = 0;
});
afterAll(() => house[Symbol.asyncDispose]());

/** Seconds since the epoch, by a clock that is off by some. */
const at = (off: number) => Math.floor(Date.now() / 1_000) + off;

/** What the crawler signs, by its own clock: it lives a minute. */
async function signed(off: number, typ: string): Promise<string> {
  const claims = { iss: "crawler", sub: "crawler", aud: house.issuer, jti: crypto.randomUUID() };
  return signJwt(typ, { ...claims, iat: at(off), exp: at(off) + 60 }, await importSigner(keys.privateJwk));
}

const byAssertion = async (form: URLSearchParams, off: number): Promise<URLSearchParams> => {
  form.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  form.set("client_assertion", await signed(off, "client-authentication+jwt"));
  return form;
};

describe("the clock of a client that signs assertions", () => {
  const asks = async (off: number) => {
    const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: idToken });
    const response = await fetch(`${house.issuer}/token`, { method: "POST", body: await byAssertion(form, off) });
    return ((await response.json()) as { error: string }).error;
  };
  const refreshes = async (off: number) => {
    const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: "none" });
    const response = await fetch(`${house.issuer}/token`, { method: "POST", body: await byAssertion(form, off) });
    return ((await response.json()) as { error: string }).error;
  };
  // Authenticated, it is refused for what it asks for: an ID token and a refresh token that are not its own.
  test.each([LITTLE, -LITTLE - 60])("may be off by %d seconds, at the exchange and at sign-in", async (off) => {
    expect([await asks(off), await refreshes(off)]).toEqual(["invalid_grant", "invalid_grant"]);
  });

  test.each([FIVE_MINUTES, -FIVE_MINUTES])("may not be off by %d: the record says clock", async (off) => {
    const count = vi.spyOn(house.server.audit, "countFailure");
    expect([await asks(off), await refreshes(off)]).toEqual(["invalid_client", "invalid_client"]);
    expect(count.mock.calls).toMatchObject([
      [{ reason: "client-assertion-expired", sample: expect.stringContaining("clock") }],
      [{ reason: "grant-refused", sample: expect.stringContaining("clock") }],
    ]);
    count.mockRestore();
  });
});

describe("the clock of an agent that acts", () => {
  const acting = async (off: number): Promise<Answer> =>
    exchange(house, {
      subjectToken: idToken,
      actor: { token: await signed(off, ACTOR_TOKEN_TYP), type: JWT_TOKEN_TYPE },
    });

  test.each([LITTLE, -LITTLE - 60])("may be off by %d seconds", async (off) => {
    expect((await acting(off)).claims?.act).toEqual({ sub: "crawler" });
  });

  test.each([FIVE_MINUTES, -FIVE_MINUTES])("may not be off by %d: the record says clock", async (off) => {
    await expectClock(await acting(off), "actor-token-invalid");
  });
});

describe("the clock of a client that proves a key", () => {
  const proving = async (off: number): Promise<Answer> => {
    const url = `${house.issuer}/token`;
    const dpop = await createDpopProof(await generateDpopKey(), { method: "POST", url, now: at(off) });
    return exchange(house, { subjectToken: idToken, dpop });
  };

  test.each([LITTLE, -LITTLE])("may be off by %d seconds", async (off) => {
    expect((await proving(off)).claims).toHaveProperty("cnf.jkt");
  });

  test.each([FIVE_MINUTES, -FIVE_MINUTES])("may not be off by %d: the record says clock", async (off) => {
    await expectClock(await proving(off), "dpop-time");
  });
});

describe("the server's own clock", () => {
  test.each([LITTLE, -LITTLE, FIVE_MINUTES])("may move by %d seconds while an ID token lives", async (off) => {
    ahead = off;
    expect((await exchange(house, { subjectToken: idToken })).status).toBe(200);
  });

  test("that was set back by five minutes takes no ID token from the future: the record says clock", async () => {
    ahead = -FIVE_MINUTES;
    await expectClock(await exchange(house, { subjectToken: idToken }), "subject-token-malformed");
  });

  test("that is ahead of an ID token's end refuses it: the record says clock", async () => {
    ahead = 3_600 + FIVE_MINUTES;
    await expectClock(await exchange(house, { subjectToken: idToken }), "subject-token-expired");
  });
});

/** A refusal whose reason on record names the clock. */
async function expectClock(answer: Answer, reason: string): Promise<void> {
  expect(answer.body).not.toHaveProperty("access_token");
  const [first] = (await recorded(house, answer))?.reasons ?? [];
  expect(first).toMatchObject({ id: reason, detail: expect.stringContaining("clock") });
}
