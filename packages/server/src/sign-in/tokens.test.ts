import { DatabaseSync } from "node:sqlite";
import { generateSigningKey } from "@credence/protocol/jws";
import { decodeJwt, importJWK, SignJWT } from "jose";
import * as oidc from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agent, CALLBACK, SECRET, startHouse, type TestHouse } from "./house.testing.ts";
import { ask, basic, postToken, signIn, signInOnPage } from "./journeys.testing.ts";
import { createUserAgent } from "./user-agent.testing.ts";

/** How many at once, round by round: 100, then 50 rounds of 50. */
const RACES: readonly number[] = [100, ...Array<number>(50).fill(50)];
const URL_CLIENT = "https://agent.example/client.json";

let house: TestHouse;
let key: Awaited<ReturnType<typeof generateSigningKey>>;

beforeAll(async () => {
  key = await generateSigningKey("ES256");
  house = await startHouse({
    agents: [
      agent("keyed", { auth: { method: "private_key_jwt", jwks: { keys: [key.publicJwk] } } }),
      agent("posting", { auth: { method: "client_secret_post", secret: { literal: SECRET } } }),
      agent(URL_CLIENT),
      agent("other"),
    ],
  });
});
afterAll(() => house.stop());

/** A fresh code of Alice's for the assistant, and the form that redeems it. */
async function freshCode(options: Parameters<typeof ask>[1] = {}) {
  const asked = await ask(house, options);
  const page = await signInOnPage(createUserAgent(), asked.url);
  const code = page.left?.searchParams.get("code") ?? "";
  expect(code).not.toBe("");
  return { grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: asked.verifier };
}

const refresh = (token: unknown) => postToken(house, { grant_type: "refresh_token", refresh_token: String(token) });

describe("a refresh token", () => {
  it("is good once, and brings the next one and a fresh ID token of the same sign-in", async () => {
    const { config, tokens, claims } = await signIn(house);
    const next = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? "");
    expect(next.refresh_token).not.toBe(tokens.refresh_token);
    expect(next.claims()).toMatchObject({ sub: "alice", sid: claims.sid, auth_time: claims.auth_time, amr: ["pwd"] });
  });

  it("used a second time ends the whole grant", async () => {
    const { tokens, config } = await signIn(house);
    const first = await refresh(tokens.refresh_token);
    expect(first.status).toBe(200);
    expect((await refresh(tokens.refresh_token)).body.error).toBe("invalid_grant");
    expect((await refresh(first.body.refresh_token)).body.error).toBe("invalid_grant");
    await expect(oidc.fetchUserInfo(config, String(first.body.access_token), "alice")).rejects.toThrow();
  });

  it("of another client is refused", async () => {
    const { tokens } = await signIn(house);
    const form = { grant_type: "refresh_token", refresh_token: tokens.refresh_token ?? "" };
    const answer = await postToken(house, form, { authorization: basic("other", SECRET) });
    expect(answer).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    expect((await refresh(tokens.refresh_token)).status).toBe(200);
  });

  it("of a person who was disabled is refused", async () => {
    const { tokens } = await signIn(house, { email: "bob@acme.example" });
    const enable = (enabled: boolean) =>
      house.change((document) => ({
        ...document,
        people: document.people.map((one) => (one.id === "bob" ? { ...one, enabled } : one)),
      }));
    await enable(false);
    expect((await refresh(tokens.refresh_token)).body.error).toBe("invalid_grant");
    await enable(true);
  });

  it("of an agent that was switched off is refused", async () => {
    const { tokens } = await signIn(house, { id: "other" });
    const enable = (enabled: boolean) =>
      house.change((document) => ({
        ...document,
        agents: document.agents.map((one) => (one.id === "other" ? { ...one, enabled } : one)),
      }));
    await enable(false);
    const form = { grant_type: "refresh_token", refresh_token: tokens.refresh_token ?? "" };
    const answer = await postToken(house, form, { authorization: basic("other", SECRET) });
    expect(answer).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    await enable(true);
  });
});

describe("a code is refused", () => {
  it.each([
    ["with another verifier", { code_verifier: "x".repeat(43) }, {}],
    ["without a verifier", { code_verifier: "" }, {}],
    ["with another redirect", { redirect_uri: "http://127.0.0.1:5000/callback" }, {}],
    ["of another client", {}, { authorization: basic("other", SECRET) }],
    ["that was never issued", { code: "x".repeat(43) }, {}],
  ])("%s", async (_name, change, headers) => {
    const form: Record<string, string> = { ...(await freshCode()), ...change };
    if (form.code_verifier === "") delete form.code_verifier;
    const answer = await postToken(house, form, headers);
    expect(answer).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });
});

describe("of many simultaneous uses exactly one succeeds, and afterwards its refresh token fails", () => {
  it.each([["a code"], ["a refresh token"]])(
    "%s",
    async (what) => {
      for (const atOnce of RACES) {
        const form: Record<string, string> = await freshCode();
        if (what === "a refresh token") {
          const { body } = await postToken(house, form);
          for (const name of Object.keys(form)) delete form[name];
          Object.assign(form, { grant_type: "refresh_token", refresh_token: String(body.refresh_token) });
        }
        const answers = await Promise.all(Array.from({ length: atOnce }, () => postToken(house, form)));
        const [winner, ...more] = answers.filter(({ status }) => status === 200);
        expect(more).toEqual([]);
        expect(winner?.body.refresh_token).toBeTypeOf("string");
        for (const { status, body } of answers) {
          if (status !== 200) expect({ status, error: body.error }).toEqual({ status: 400, error: "invalid_grant" });
        }
        expect((await refresh(winner?.body.refresh_token)).body.error).toBe("invalid_grant");
      }
    },
    240_000,
  );
});

describe("a client proves itself", () => {
  it("with its secret in the form", async () => {
    const { claims } = await signIn(house, { id: "posting", auth: oidc.ClientSecretPost(SECRET) });
    expect(claims.aud).toBe("posting");
  });

  it.each([
    ["encoded, as RFC 6749 says", basic(URL_CLIENT, SECRET)],
    ["raw, as peers do", `Basic ${btoa(`${URL_CLIENT}:${SECRET}`)}`],
  ])("by Basic, %s, with a client id that is a URL", async (_name, authorization) => {
    const form = await freshCode({ id: URL_CLIENT });
    expect(await postToken(house, form, { authorization })).toMatchObject({ status: 200 });
  });

  it.each([
    ["a wrong secret", { authorization: basic("assistant", "wrong") }],
    ["a wrong secret sent raw", { authorization: `Basic ${btoa(`${URL_CLIENT}:wrong`)}` }],
    ["a client that nobody knows", { authorization: basic("nobody", SECRET) }],
    ["a public client's name", { authorization: basic("desktop", SECRET) }],
  ])("and %s is refused", async (_name, headers) => {
    expect(await postToken(house, await freshCode(), headers)).toMatchObject({
      status: 401,
      body: { error: "invalid_client" },
    });
  });

  it("with a key, for this issuer, once", async () => {
    const { form } = await assertion({});
    expect((await post(form)).status).toBe(200);
    const again = await post({ ...(await freshCode({ id: "keyed" })), ...onlyAssertion(form) });
    expect(again).toMatchObject({ status: 401, body: { error: "invalid_client" } });
  });

  it("with a key, and the mark of that use outlives the assertion for as long as the exchange would take it", async () => {
    const { form } = await assertion({ exp: house.now() + 60 });
    expect((await post(form)).status).toBe(200);
    const { jti } = decodeJwt(form.client_assertion);
    await house.store.sweep(house.now() + 60 + 29);
    expect(await house.store.consume("client-assertion", `keyed ${jti}`, house.now() + 60)).toBe("again");
  });

  it.each([
    ["for the token endpoint", async () => ({ aud: `${house.issuer}/token` })],
    ["for several audiences", async () => ({ aud: [house.issuer, "https://elsewhere.example"] })],
    ["for another issuer", async () => ({ aud: "https://elsewhere.example" })],
    ["that lives too long", async () => ({ exp: house.now() + 3600 })],
    ["that has expired", async () => ({ exp: house.now() - 60 })],
  ])("and an assertion %s is refused", async (_name, change) => {
    const { form } = await assertion(await change());
    expect(await post(form)).toMatchObject({ status: 401, body: { error: "invalid_client" } });
  });

  async function assertion(claims: Record<string, unknown>) {
    const payload = { aud: house.issuer, exp: house.now() + 60, jti: crypto.randomUUID(), ...claims };
    const jwt = await new SignJWT({ ...payload, iss: "keyed", sub: "keyed", iat: house.now() })
      .setProtectedHeader({ alg: "ES256", kid: String(key.privateJwk.kid) })
      .sign(await importJWK(key.privateJwk, "ES256"));
    const type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    return {
      form: { ...(await freshCode({ id: "keyed" })), client_assertion: jwt, client_assertion_type: type },
    };
  }

  const onlyAssertion = ({ client_assertion, client_assertion_type }: Record<string, string>) => ({
    client_assertion: client_assertion ?? "",
    client_assertion_type: client_assertion_type ?? "",
  });

  async function post(form: Record<string, string>) {
    const response = await fetch(`${house.issuer}/token`, { method: "POST", body: new URLSearchParams(form) });
    return { status: response.status, body: await response.json() };
  }
});

describe("a copy of the store", () => {
  it("holds no code, token, session cookie or personal datum in clear", async () => {
    const form = await freshCode();
    const { body } = await postToken(house, form);
    const copy = new DatabaseSync(house.storeFile, { readOnly: true });
    const rows = JSON.stringify(copy.prepare("SELECT * FROM artifacts").all());
    copy.close();
    for (const secret of [form.code, body.access_token, body.refresh_token, "alice@acme.example", "alice"]) {
      expect(rows).not.toContain(String(secret));
    }
  });
});
