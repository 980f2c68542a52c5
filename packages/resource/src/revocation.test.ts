import { describe, expect, test } from "vitest";
import { CLIENT, expectRefused, type House, house, listen, NOON } from "./house.testing.ts";
import type { ResourceServerOptions } from "./options.ts";
import type { Account } from "./redeem/subject.ts";
import type { Revocation } from "./revocation.ts";
import { memoryStore } from "./store.ts";

type Format = "jwt" | "opaque";

/** A house, and an API of its resource over HTTP. */
interface Shared extends AsyncDisposable {
  readonly home: House;
  /** Calls the API. */
  call(token: string): Promise<{ readonly status: number; readonly reason: string | undefined }>;
}

async function withApi(home: House): Promise<Shared> {
  const serve = home.server.protect({}, (_, access) => Response.json({ sub: access.sub }));
  const api = await listen((request) => serve(request));
  return {
    home,
    async call(token) {
      const known = home.events.length;
      const { status } = await fetch(`${api.url}/mcp`, { headers: { authorization: `Bearer ${token}` } });
      return { status, reason: home.events[known]?.reason };
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** A house with a clock that its store reads, too. */
async function shared(format: Format = "jwt", change: Partial<ResourceServerOptions<Account>> = {}): Promise<Shared> {
  const time = { now: () => NOON };
  const store = memoryStore({ now: () => time.now() });
  const home = await house(() => ({ store, accessToken: { format }, ...change }));
  time.now = () => home.clock.now;
  return withApi(home);
}

const tokenOf = async (home: House, claims = {}) =>
  String((await home.redeem({ assertion: await home.idJag(claims) })).body.access_token);

const GOOD = { status: 200, reason: undefined };
const REVOKED = { status: 401, reason: "access-token-revoked" };

describe.each(["jwt", "opaque"] as const)("a revocation, where tokens are %s,", (format) => {
  test.each<[string, (iss: string, jti: string) => Revocation]>([
    ["of a person", (iss) => ({ iss, sub: "alice" })],
    ["of a person's client", (iss) => ({ iss, sub: "alice", clientId: CLIENT.clientId })],
    ["of a client", (iss) => ({ iss, clientId: CLIENT.clientId })],
    ["of one ID-JAG", (iss, jti) => ({ iss, jti })],
    ["of an issuer", (iss) => ({ iss })],
  ])(
    "%s kills the token that is out, and the ID-JAG that is not redeemed yet; what is issued later works",
    async (_, what) => {
      await using own = await shared(format);
      const { home, call } = own;
      const jti = crypto.randomUUID();
      const token = await tokenOf(home, { jti });
      const ofIdJag = what("", "x").jti !== undefined;
      const pending = await home.idJag({ jti: ofIdJag ? jti : crypto.randomUUID() });
      expect(await call(token)).toEqual(GOOD);
      await home.server.revoke(what(home.idp.issuer, jti));
      expect(await call(token)).toEqual(REVOKED);
      expectRefused(await home.redeem({ assertion: pending }), 400, "invalid_grant", "id-jag-revoked");
      home.clock.now = NOON + 1;
      expect(await call(await tokenOf(home))).toEqual(GOOD);
      expect(await call(token)).toEqual(REVOKED);
      expectRefused(await home.redeem({ assertion: pending }), 400, "invalid_grant", "id-jag-revoked");
    },
  );

  test("of an issuer's tenant reaches that tenant's people, and no other's", async () => {
    const idp = { issuer: "" };
    const of = (tenant: string) => ({ id: tenant, issuers: [{ issuer: idp.issuer, tenant }] });
    const store = memoryStore({ now: () => NOON });
    const home = await house((_, { issuer }) => {
      idp.issuer = issuer;
      const resolveSubject = ({ customer }: { customer: string }) => ({ id: `${customer}/alice`, customer });
      return { store, accessToken: { format }, customers: [of("t1"), of("t2")], resolveSubject };
    });
    await using own = await withApi(home);
    const [one, two] = [await tokenOf(home, { tenant: "t1" }), await tokenOf(home, { tenant: "t2" })];
    await home.server.revoke({ iss: idp.issuer, sub: "alice" });
    expect([await own.call(one), await own.call(two)]).toEqual([GOOD, GOOD]);
    await home.server.revoke({ iss: idp.issuer, tenant: "t1" });
    expect([await own.call(one), await own.call(two)]).toEqual([REVOKED, GOOD]);
  });
});

describe("a revocation", () => {
  test("leaves what is rooted later alone, and what is rooted in its very second dead", async () => {
    await using own = await shared();
    const { home } = own;
    await home.server.revoke({ iss: home.idp.issuer, sub: "alice" });
    expectRefused(await home.redeem(), 400, "invalid_grant", "id-jag-revoked");
    home.clock.now = NOON + 1;
    expect(await own.call(await tokenOf(home))).toEqual(GOOD);
  });

  test.each<[string, (iss: string) => Revocation]>([
    ["another person", (iss) => ({ iss, sub: "bob" })],
    ["another client", (iss) => ({ iss, sub: "alice", clientId: "other-agent" })],
    ["another tenant", (iss) => ({ iss, tenant: "t1", sub: "alice" })],
    ["another issuer", () => ({ iss: "https://other.example", sub: "alice" })],
    ["another ID-JAG", (iss) => ({ iss, jti: "other" })],
  ])("of %s leaves a token alone", async (_, what) => {
    await using own = await shared();
    const token = await tokenOf(own.home);
    await own.home.server.revoke(what(own.home.idp.issuer));
    expect(await own.call(token)).toEqual(GOOD);
  });

  test.each([
    ["a person", { sub: "alice" }],
    ["a client", { clientId: CLIENT.clientId }],
    ["both", { sub: "alice", clientId: CLIENT.clientId }],
  ])("of an ID-JAG together with %s is a mistake", async (_, beside) => {
    await using own = await shared();
    const { revoke } = own.home.server;
    const mistaken = revoke({ iss: own.home.idp.issuer, jti: "j", ...beside });
    await expect(mistaken).rejects.toMatchObject({ code: "configuration", message: /by its jti alone/ });
  });

  test("reaches a token whose issuer's clock was ahead", async () => {
    await using own = await shared();
    const { home } = own;
    const jti = crypto.randomUUID();
    const ahead = await tokenOf(home, { iat: NOON + 20, exp: NOON + 320 });
    const named = await tokenOf(home, { jti, iat: NOON + 20, exp: NOON + 320 });
    home.clock.now = NOON + 5;
    await home.server.revoke({ iss: home.idp.issuer, jti });
    expect([await own.call(ahead), await own.call(named)]).toEqual([GOOD, REVOKED]);
    await home.server.revoke({ iss: home.idp.issuer, sub: "alice" });
    expect(await own.call(ahead)).toEqual(REVOKED);
    // Nor does an ID-JAG from ahead of its time become a token in the second of the revocation.
    const assertion = await home.idJag({ iat: NOON + 25, exp: NOON + 325 });
    expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-revoked");
  });

  test("that can not be looked up refuses, and says so", async () => {
    const store = memoryStore({ now: () => NOON });
    const down = { on: false };
    const epochs = async (keys: readonly string[]) => {
      if (down.on) throw new Error("connection lost");
      return store.epochs(keys);
    };
    const home = await house(() => ({ store: { ...store, epochs } }));
    await using own = await withApi(home);
    const token = await tokenOf(home);
    down.on = true;
    const answer = await home.redeem();
    expectRefused(answer, 503, "temporarily_unavailable", "store-unavailable");
    expect(answer.event?.detail).toBe("store.epochs failed");
    expect(await own.call(token)).toEqual({ status: 503, reason: "store-unavailable" });
  });

  test("that can not be kept is not as if it were", async () => {
    const raiseEpoch = () => Promise.reject(new Error("disk full"));
    await using home = await house(() => ({ store: { ...memoryStore(), raiseEpoch } }));
    await expect(home.server.revoke({ iss: home.idp.issuer })).rejects.toMatchObject({ reason: "store-unavailable" });
  });
});
