import * as oidc from "openid-client";
import { afterEach, describe, expect, it } from "vitest";
import { agent, SECRET, startHouse, type TestHouse } from "../sign-in/house.testing.ts";
import { ask, basic, postToken, signIn } from "../sign-in/journeys.testing.ts";

let house: TestHouse;
afterEach(() => house.stop());

const wrong = { authorization: basic("assistant", "not the secret") };
const REFRESH = { grant_type: "refresh_token", refresh_token: "x" };

describe("whoever proves nothing and calls too often", () => {
  it.each([
    ["token", REFRESH],
    ["revoke", { token: "x" }],
  ])("waits at /%s: 429, with when to come again, before anybody is authenticated", async (path, form) => {
    house = await startHouse({ limits: { failedRequests: 3 } });
    const post = () =>
      fetch(`${house.issuer}/${path}`, { method: "POST", body: new URLSearchParams(form), headers: wrong });
    for (let i = 0; i < 3; i += 1) expect((await post()).status).toBe(401);
    const answer = await post();
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(20);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const body = (await answer.json()) as Record<string, string>;
    expect(body).toMatchObject({ error: "slow_down", decision_id: expect.any(String) });
    expect(house.refused.at(-1)).toMatchObject({ reason: "requests-too-many", decisionId: body.decision_id });
    // Nor does the right secret help: it is not looked at.
    const right = { authorization: basic("assistant", SECRET) };
    expect((await postToken(house, REFRESH, right)).status).toBe(429);
  });

  it("waits for each address by itself, as the proxy in front says it", async () => {
    house = await startHouse({ limits: { failedRequests: 2 }, trustedProxies: ["127.0.0.1"] });
    const from = (address: string) => postToken(house, REFRESH, { ...wrong, "x-forwarded-for": address });
    for (const address of ["192.0.2.1", "192.0.2.2", "2001:db8::1"]) {
      expect([(await from(address)).status, (await from(address)).status]).toEqual([401, 401]);
      expect((await from(address)).status).toBe(429);
    }
    expect((await from("2001:db8::ffff")).status).toBe(429);
    expect((await from("2001:db8:0:1::1")).status).toBe(401);
  });

  it("is told apart from what others claim: nobody forwards an address who is no proxy", async () => {
    house = await startHouse({ limits: { failedRequests: 2 } });
    for (let i = 0; i < 2; i += 1) await postToken(house, REFRESH, { ...wrong, "x-forwarded-for": `192.0.2.${i}` });
    expect((await postToken(house, REFRESH, { ...wrong, "x-forwarded-for": "192.0.2.9" })).status).toBe(429);
  });
});

describe("a client that has proven who it is", () => {
  it("does not use up its address", async () => {
    house = await startHouse({ limits: { failedRequests: 2 } });
    let { tokens } = await signIn(house);
    for (let i = 0; i < 5; i += 1) {
      const form = { grant_type: "refresh_token", refresh_token: String(tokens.refresh_token) };
      const { status, body } = await postToken(house, form);
      expect(status).toBe(200);
      tokens = body as typeof tokens;
    }
  });

  it("waits when it sends too much, and another client at the same address does not", async () => {
    house = await startHouse({ limits: { clientRequests: 3 }, agents: [agent("other")] });
    const { tokens } = await signIn(house);
    const form = { grant_type: "refresh_token", refresh_token: "not one" };
    expect([(await postToken(house, form)).status, (await postToken(house, form)).status]).toEqual([400, 400]);
    const answer = await postToken(house, { grant_type: "refresh_token", refresh_token: String(tokens.refresh_token) });
    expect(answer).toMatchObject({ status: 429, body: { error: "slow_down" } });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    const revoked = await fetch(`${house.issuer}/revoke`, {
      method: "POST",
      body: new URLSearchParams({ token: "x" }),
      headers: { authorization: basic("assistant", SECRET) },
    });
    expect(revoked.status).toBe(429);
    expect((await postToken(house, form, { authorization: basic("other", SECRET) })).status).toBe(400);
    // What it sent too much of was not used up.
    const sent = house.events.filter(({ type }) => type === "grant-refused");
    expect(sent.length).toBeGreaterThan(0);
  });

  it("is not stopped by a stranger who claims to be it", async () => {
    house = await startHouse({ limits: { clientRequests: 3 } });
    for (let i = 0; i < 10; i += 1) expect((await postToken(house, REFRESH, wrong)).status).toBe(401);
    const { tokens } = await signIn(house);
    expect(tokens.id_token).toBeDefined();
  });

  it("that is public pays as its address does: anybody could claim to be it", async () => {
    house = await startHouse({ limits: { failedRequests: 2, clientRequests: 1 } });
    const form = { ...REFRESH, client_id: "desktop" };
    const post = () => fetch(`${house.issuer}/token`, { method: "POST", body: new URLSearchParams(form) });
    expect([(await post()).status, (await post()).status, (await post()).status]).toEqual([400, 400, 429]);
  });
});

describe("who begins too many sign-ins, or sends too many forms", () => {
  it("is shown a page that says so, and when to come again", async () => {
    house = await startHouse({ limits: { signIns: 2 } });
    const { url } = await ask(house);
    const go = () => fetch(url, { redirect: "manual" });
    expect([(await go()).status, (await go()).status]).toEqual([303, 303]);
    const answer = await go();
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(answer.headers.get("x-frame-options")).toBe("DENY");
    expect(await answer.text()).toContain("Too many requests from where you are");
    expect(house.refused.at(-1)).toMatchObject({ reason: "requests-too-many" });
  });

  it.each(["/sign-in/x", "/sign-in/x/password", "/account/passkeys", "/sign-out/confirm", "/authorize"])(
    "is stopped at %s",
    async (path) => {
      house = await startHouse({ limits: { forms: 2, signIns: 2 } });
      const post = () =>
        fetch(`${house.issuer}${path}`, {
          method: "POST",
          body: new URLSearchParams({ email: "x" }),
          redirect: "manual",
        });
      await post();
      await post();
      expect((await post()).status).toBe(429);
      // Looking is free.
      if (path !== "/authorize")
        expect((await fetch(`${house.issuer}${path}`, { redirect: "manual" })).status).not.toBe(429);
    },
  );

  it("gets an answer even when the page can not be made", async () => {
    house = await startHouse({ limits: { signIns: 1 } });
    const { url } = await ask(house);
    await fetch(url, { redirect: "manual" });
    await house.store.close();
    house.clock.offset = 3_600;
    const answer = await fetch(url, { redirect: "manual" });
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([429, "slow_down"]);
  });

  it("keeps nobody from what is read only", async () => {
    house = await startHouse({ limits: { signIns: 1, forms: 1, failedRequests: 1 } });
    await oidc.discovery(new URL(house.issuer), "assistant", undefined, undefined, {
      execute: [oidc.allowInsecureRequests],
    });
    for (let i = 0; i < 5; i += 1) expect((await fetch(`${house.issuer}/jwks`)).status).toBe(200);
  });
});
