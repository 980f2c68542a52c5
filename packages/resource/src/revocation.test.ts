import { describe, expect, test } from "vitest";
import { basic, CLIENT, expectRefused, type House, house, NOON } from "./house.testing.ts";
import type { Revocation } from "./revocation.ts";
import { memoryStore } from "./store.ts";

/** A house with a clock that its store reads, too. */
async function shared(format: "jwt" | "opaque" = "jwt"): Promise<House> {
  const time = { now: () => NOON };
  const home = await house(() => ({ store: memoryStore({ now: () => time.now() }), accessToken: { format } }));
  time.now = () => home.clock.now;
  return home;
}

const tokenOf = async (home: House, claims = {}) =>
  String((await home.redeem({ assertion: await home.idJag(claims) })).body.access_token);
const works = async (home: House, token: string) => (await home.server.check(token)).ok;

function post(
  home: House,
  path: string,
  form: Record<string, string>,
  who: string = CLIENT.clientId,
): Promise<Response> {
  const headers = { authorization: basic(who, CLIENT.clientSecret) };
  return fetch(`${home.url}${path}`, { method: "POST", headers, body: new URLSearchParams(form) });
}

describe("a revocation", () => {
  test.each<[string, (iss: string, jti: string) => Revocation]>([
    ["of a person", (iss) => ({ iss, sub: "alice" })],
    ["of a person's client", (iss) => ({ iss, sub: "alice", clientId: CLIENT.clientId })],
    ["of a client", (iss) => ({ iss, clientId: CLIENT.clientId })],
    ["of one ID-JAG", (iss, jti) => ({ iss, jti })],
    ["of an issuer", (iss) => ({ iss })],
  ])("%s kills the token that is out, and the ID-JAG that is not redeemed yet", async (_, what) => {
    await using home = await shared();
    const jti = crypto.randomUUID();
    const token = await tokenOf(home, { jti });
    const pending = await home.idJag({ jti: what("", "x").jti === undefined ? crypto.randomUUID() : jti });
    expect(await works(home, token)).toBe(true);
    await home.server.revoke(what(home.idp.issuer, jti));
    expect(await home.server.check(token)).toMatchObject({ ok: false, refusal: { reason: "access-token-revoked" } });
    expectRefused(await home.redeem({ assertion: pending }), 400, "invalid_grant", "id-jag-revoked");
  });

  test("leaves what is rooted later alone, and what is rooted in its very second dead", async () => {
    await using home = await shared();
    await home.server.revoke({ iss: home.idp.issuer, sub: "alice" });
    expectRefused(await home.redeem(), 400, "invalid_grant", "id-jag-revoked");
    home.clock.now = NOON + 1;
    expect(await works(home, await tokenOf(home))).toBe(true);
  });

  test.each<[string, (iss: string) => Revocation]>([
    ["another person", (iss) => ({ iss, sub: "bob" })],
    ["another client", (iss) => ({ iss, sub: "alice", clientId: "other-agent" })],
    ["another tenant", (iss) => ({ iss, tenant: "t1", sub: "alice" })],
    ["another issuer", () => ({ iss: "https://other.example", sub: "alice" })],
    ["another ID-JAG", (iss) => ({ iss, jti: "other" })],
  ])("of %s leaves a token alone", async (_, what) => {
    await using home = await shared();
    const token = await tokenOf(home);
    await home.server.revoke(what(home.idp.issuer));
    expect(await works(home, token)).toBe(true);
  });

  test("of an ID-JAG and a person together is a mistake", async () => {
    await using home = await shared();
    await expect(home.server.revoke({ iss: home.idp.issuer, sub: "alice", jti: "j" })).rejects.toThrow(
      "by its jti alone",
    );
  });

  test("counts for every server on the same store", async () => {
    const store = memoryStore({ now: () => NOON });
    await using one = await house(() => ({ store }));
    const token = await tokenOf(one);
    await using other = await house(() => ({ store }));
    await other.server.revoke({ iss: one.idp.issuer, sub: "alice" });
    expect(await works(one, token)).toBe(false);
  });

  test("that can not be looked up refuses", async () => {
    const store = memoryStore({ now: () => NOON });
    await using home = await house(() => ({ store: { ...store, epochs: () => Promise.reject(new Error("down")) } }));
    expectRefused(await home.redeem(), 503, "temporarily_unavailable", "store-unavailable");
  });
});

describe.each(["jwt", "opaque"] as const)("with %s tokens", (format) => {
  test("the revocation endpoint ends a client's own token, whoever asks again", async () => {
    await using home = await shared(format);
    const token = await tokenOf(home);
    expect((await post(home, "/revoke", { token })).status).toBe(200);
    expect(await works(home, token)).toBe(false);
    expect((await post(home, "/revoke", { token })).status).toBe(200);
    expect((await post(home, "/revoke", { token: "unknown" })).status).toBe(200);
  });

  test("another client's token is left alone, and a stranger is refused", async () => {
    await using home = await shared(format);
    const token = await tokenOf(home);
    expect((await post(home, "/revoke", { token }, "other-agent")).status).toBe(200);
    expect((await post(home, "/revoke", { token }, "nobody")).status).toBe(401);
    expect(await works(home, token)).toBe(true);
  });

  test("introspection tells a client of its own tokens, and nobody of the root", async () => {
    await using home = await shared(format);
    const token = await tokenOf(home);
    const told = await (await post(home, "/introspect", { token })).json();
    expect(told).toMatchObject({
      active: true,
      token_type: "Bearer",
      client_id: CLIENT.clientId,
      sub: "acme/alice",
      aud: home.resource,
      scope: "ledger.read",
    });
    expect(told).not.toHaveProperty("root");
    expect(await (await post(home, "/introspect", { token }, "other-agent")).json()).toEqual({ active: false });
    home.clock.now = NOON + 300;
    expect(await (await post(home, "/introspect", { token })).json()).toEqual({ active: false });
  });

  test("introspection tells a protected resource of every token, and of nothing that is none", async () => {
    const store = memoryStore({ now: () => NOON });
    const api = {
      clientId: "api",
      method: "client_secret_basic",
      clientSecret: CLIENT.clientSecret,
      introspects: true,
    } as const;
    await using home = await house(() => ({ store, accessToken: { format }, clients: [CLIENT, api] }));
    const token = await tokenOf(home);
    expect(await (await post(home, "/introspect", { token }, "api")).json()).toMatchObject({ active: true });
    for (const no of ["x", await home.idJag(), `${token}x`]) {
      expect(await (await post(home, "/introspect", { token: no }, "api")).json()).toEqual({ active: false });
    }
    expect((await post(home, "/introspect", {}, "api")).status).toBe(400);
    expect((await fetch(`${home.url}/introspect`)).status).toBe(405);
  });
});

test("an opaque token says nothing, and the store holds none", async () => {
  const kept: string[] = [];
  const store = memoryStore({ now: () => NOON });
  await using home = await house(() => ({
    store: {
      ...store,
      put: (key, value, at) => {
        kept.push(key, value);
        return store.put(key, value, at);
      },
    },
    accessToken: { format: "opaque" },
  }));
  const token = await tokenOf(home);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(kept.join()).not.toContain(token);
});
