import { describe, expect, test } from "vitest";
import { CLIENT, expectRefused, type House, house, NOON } from "../house.testing.ts";
import { memoryStore, type ResourceStore } from "../store.ts";
import { opaqueTokens } from "./opaque.ts";

/** A house with opaque tokens, on a store that shows what it is given and can be switched off. */
async function opaque(): Promise<{ home: House; kept: string[]; down: { on: boolean } } & AsyncDisposable> {
  const kept: string[] = [];
  const down = { on: false };
  const time = { now: () => NOON };
  const memory = memoryStore({ now: () => time.now() });
  const fail = (): void => {
    if (down.on) throw new Error("connection lost: password=hunter2");
  };
  const store: ResourceStore = {
    ...memory,
    async put(key, value, expiresAt) {
      fail();
      kept.push(key, value, String(expiresAt));
      await memory.put(key, value, expiresAt);
    },
    async get(key) {
      fail();
      return memory.get(key);
    },
  };
  const home = await house(() => ({ store, accessToken: { format: "opaque" } }));
  time.now = () => home.clock.now;
  return { home, kept, down, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
}

const tokenOf = async (home: House) => String((await home.redeem()).body.access_token);

/** Calls the API, and takes what was recorded of it. */
async function call(home: House, token: string) {
  const known = home.events.length;
  const serve = home.server.protect({ scopes: ["ledger.read"] }, (_, access) => Response.json(access));
  const answer = await serve(new Request(home.resource, { headers: { authorization: `Bearer ${token}` } }));
  return { status: answer.status, body: await answer.json(), reason: home.events[known]?.reason };
}

describe("an opaque token", () => {
  test("says nothing to whoever holds it, and the store's copy is no token", async () => {
    await using own = await opaque();
    const token = await tokenOf(own.home);
    expect(token).toMatch(/^[\w-]{43}$/);
    const [key = "", value = "", expiresAt] = own.kept;
    expect(own.kept.join()).not.toContain(token);
    expect(key).toMatch(/^token:[\w-]{43}$/);
    expect(JSON.parse(value)).toMatchObject({ sub: "acme/alice", aud: own.home.resource });
    expect(expiresAt).toBe(String(NOON + 300));
    expect((await call(own.home, key.slice("token:".length))).reason).toBe("access-token-malformed");
    expect(await tokenOf(own.home)).not.toBe(token);
  });

  test("gives handlers the same claims as a JWT would", async () => {
    await using own = await opaque();
    const { status, body } = await call(own.home, await tokenOf(own.home));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      iss: own.home.url,
      aud: own.home.resource,
      sub: "acme/alice",
      client_id: CLIENT.clientId,
      scope: "ledger.read",
      customer: "acme",
      root: { iss: own.home.idp.issuer, sub: "alice" },
    });
  });

  test("expires when it says", async () => {
    await using own = await opaque();
    const token = await tokenOf(own.home);
    own.home.clock.now = NOON + 299;
    expect((await call(own.home, token)).status).toBe(200);
    own.home.clock.now = NOON + 300;
    expect(await call(own.home, token)).toMatchObject({ status: 401, reason: "access-token-malformed" });
  });

  test.each<[string, (own: House) => Promise<string>]>([
    [
      "another server's opaque token",
      async () => {
        await using other = await opaque();
        return await tokenOf(other.home);
      },
    ],
    [
      "a JWT of this server's own key",
      async (home) => {
        await using jwt = await house(() => ({ signingKey: home.key.privateJwk }));
        return await tokenOf(jwt);
      },
    ],
    ["an ID-JAG", (home) => home.idJag()],
    ["one letter more", async (home) => `${await tokenOf(home)}x`],
    ["another letter", async (home) => (await tokenOf(home)).replace(/^./, (first) => (first === "a" ? "b" : "a"))],
    ["as long a text as there may be", async () => "x".repeat(16_000)],
  ])("is not: %s", async (_, token) => {
    await using own = await opaque();
    expect(await call(own.home, await token(own.home))).toMatchObject({
      status: 401,
      reason: "access-token-malformed",
    });
  });

  test("of another server on the same store is that server's", async () => {
    const store = memoryStore({ now: () => NOON });
    await using one = await house(() => ({ store, accessToken: { format: "opaque" } }));
    await using two = await house(() => ({ store, accessToken: { format: "opaque" } }));
    const token = await tokenOf(one);
    expect((await call(one, token)).status).toBe(200);
    expect(await call(two, token)).toMatchObject({ status: 401, reason: "access-token-issuer" });
  });

  test("is not issued, and not believed, while the store is down: 503", async () => {
    await using own = await opaque();
    const token = await tokenOf(own.home);
    own.down.on = true;
    const answer = await own.home.redeem();
    expectRefused(answer, 503, "temporarily_unavailable", "store-unavailable");
    expect(answer.event?.detail).toBe("store.put failed");
    const called = await call(own.home, token);
    expect(called).toMatchObject({ status: 503, reason: "store-unavailable" });
    expect(JSON.stringify([answer.body, called.body])).not.toContain("hunter2");
    own.down.on = false;
    expect((await call(own.home, token)).status).toBe(200);
  });

  test("is none any more once it was ended, and the others stay", async () => {
    const tokens = opaqueTokens(memoryStore({ now: () => NOON }));
    const root = { iss: "https://idp.example", jti: "id-jag-1", iat: NOON, sub: "alice" };
    const who = {
      iss: "https://ledger.example",
      aud: "https://ledger.example/mcp",
      sub: "acme/alice",
      customer: "acme",
    };
    const claims = { ...who, client_id: CLIENT.clientId, jti: "token-1", iat: NOON, exp: NOON + 300, root };
    const [one, other] = [await tokens.issue(claims), await tokens.issue(claims)];
    expect(await tokens.check(one)).toEqual(claims);
    await tokens.end(one);
    expect([await tokens.check(one), await tokens.check(other)]).toEqual([undefined, claims]);
  });

  test("whose claims in the store are damaged is none", async () => {
    const store = memoryStore({ now: () => NOON });
    const put: ResourceStore["put"] = (key, value, at) => store.put(key, value.replace('"root"', '"rot"'), at);
    await using home = await house(() => ({ store: { ...store, put }, accessToken: { format: "opaque" } }));
    expect(await call(home, await tokenOf(home))).toMatchObject({ status: 401, reason: "access-token-malformed" });
  });
});
