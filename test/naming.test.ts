/** What an app knows people by: the same in single sign-on and in ID-JAGs. */
import { createAgent } from "@credence/client";
import { decodeJws } from "@credence/protocol/jws";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import type { App, Organization } from "../packages/server/src/directory/types.ts";
import { type Answer, exchange, expectRefused, recorded } from "./exchange.testing.ts";
import { ALICE, acme, CALLBACK, type House, SECRETS, startHouse } from "./house.testing.ts";

const SSO: NonNullable<App["sso"]> = {
  clientId: "ledger-sso",
  auth: { method: "client_secret_basic", secret: { env: "assistant" } },
  // On two hosts: which of them are the app's, the organization says.
  redirectUris: [CALLBACK, "https://ledger.example/callback"],
  postLogoutRedirectUris: [],
};

let house: House;
let idToken: string;
beforeAll(async () => {
  house = await startHouse();
  idToken = (await house.signIn(house.agent("assistant"))).signIn().idToken;
});
afterAll(() => house[Symbol.asyncDispose]());
afterEach(() => house.change(acme()));

const ledger = (change: Partial<App>): Organization => ({
  ...acme(),
  apps: acme().apps.map((app) => (app.id === "ledger" ? { ...app, sso: SSO, ...change } : app)),
});
const ask = (): Promise<Answer> => exchange(house, { subjectToken: idToken });

const CLIENT = {
  method: "client_secret_basic",
  clientId: SSO.clientId,
  clientSecret: SECRETS.assistant ?? "",
} as const;
/** The app itself, as a client that signs people in. */
const app = () => createAgent({ idp: { issuer: house.issuer, client: CLIENT }, apps: [], development: true });

/** Signs Alice in to the app itself, and gives what its ID token says. */
async function signInToApp(): Promise<Record<string, unknown>> {
  return decodeJws((await house.signIn(app())).signIn().idToken)?.payload ?? {};
}

describe("the name of a person", () => {
  test.each<[string, Partial<App>, RegExp]>([
    ["her stable id", { subject: "id" }, /^alice$/],
    ["an id that only this app sees", { subject: "pairwise" }, /^[\w-]{43}$/],
    ["the app's own id", { subject: "own", people: { alice: "4711" } }, /^4711$/],
    ["her address", { subject: "email" }, /^alice@acme\.example$/],
  ])("is %s, in the app's ID token and in the ID-JAG alike", async (_, change, sub) => {
    await house.change(ledger(change));
    const idJag = (await ask()).claims;
    expect(idJag?.sub).toMatch(sub);
    expect(await signInToApp()).toMatchObject({ sub: idJag?.sub, aud: SSO.clientId });
  });

  test("that the app does not have is no other name: she gets no ID-JAG, and can not sign in", async () => {
    await house.change(ledger({ subject: "own", people: { bob: "1" } }));
    await expectRefused(house, await ask(), "access_denied", "person-unknown-to-app");
    await expect(signInToApp()).rejects.toThrow();
  });
});

test("the app's userinfo names her alike, and so does a refreshed ID token", async () => {
  await house.change(ledger({ subject: "pairwise" }));
  const idJag = (await ask()).claims;
  const started = await app().startSignIn({ redirectUri: CALLBACK });
  const end = await openUserAgent(ALICE).browse(started.url, CALLBACK);
  const token = (form: Record<string, string>) =>
    fetch(`${house.issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${SSO.clientId}:${SECRETS.assistant}`)}` },
      body: new URLSearchParams(form),
    }).then((response) => response.json());
  const tokens = await token({
    grant_type: "authorization_code",
    code: new URL(end.url).searchParams.get("code") ?? "",
    redirect_uri: CALLBACK,
    code_verifier: String((started.checks as { codeVerifier?: string }).codeVerifier),
  });
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const userinfo = await (await fetch(`${house.issuer}/userinfo`, { headers })).json();
  const renewed = await token({ grant_type: "refresh_token", refresh_token: tokens.refresh_token });
  const named = [userinfo.sub, ...[tokens, renewed].map((one) => decodeJws(one.id_token)?.payload.sub)];
  expect(named).toEqual([idJag?.sub, idJag?.sub, idJag?.sub]);
});

test("two apps that know her by an id of their own can not tell that she is one", async () => {
  const organization = ledger({ subject: "pairwise" });
  const apps = organization.apps.map((one) => ({ ...one, subject: "pairwise" as const }));
  const [first] = organization.connections;
  const wiki = first && { ...first, id: "wiki", app: "wiki", scopes: ["wiki.read"], defaultScopes: ["wiki.read"] };
  await house.change({ ...organization, apps, connections: wiki ? [...organization.connections, wiki] : [] });
  const atWiki = await exchange(house, {
    subjectToken: idToken,
    audience: "https://wiki.example",
    resource: "https://wiki.example/api",
  });
  const [one, other] = [(await ask()).claims?.sub, atWiki.claims?.sub];
  expect([one, other]).toEqual([expect.stringMatching(/^[\w-]{43}$/), expect.stringMatching(/^[\w-]{43}$/)]);
  expect(one).not.toBe(other);
  expect(`${one}${other}`).not.toContain("alice");
});

describe("beside the name", () => {
  test("stands what the app is registered to need, and nothing else", async () => {
    await house.change(ledger({ claims: ["auth_time"] }));
    const { claims } = await ask();
    expect(claims).toHaveProperty("auth_time");
    for (const claim of ["email", "acr", "amr", "aud_sub", "aud_tenant", "tenant", "sub_id"]) {
      expect(claims).not.toHaveProperty(claim);
    }
  });

  test.each<[string, Partial<App>, string | undefined]>([
    ["does not, where the app does not need it", { claims: ["auth_time"] }, undefined],
    ["does, where it does", { claims: ["email"] }, ALICE.email],
    ["does, where nothing is said", {}, ALICE.email],
  ])("her address %s: in the app's ID token either, whatever scope it asks for", async (_, change, email) => {
    await house.change(ledger({ subject: "pairwise", ...change }));
    const started = await app().startSignIn({ redirectUri: CALLBACK });
    const url = new URL(started.url);
    url.searchParams.set("scope", "openid email profile");
    const end = await openUserAgent(ALICE).browse(url.href, CALLBACK);
    const told = decodeJws((await started.finish(end.url)).signIn().idToken)?.payload;
    expect(told?.email).toBe(email);
    expect(told?.sub).toMatch(/^[\w-]{43}$/);
  });

  test("stand the tenants, and the app's own id of her", async () => {
    await house.change({ ...ledger({ audTenant: "acme-at-ledger", people: { alice: "4711" } }), tenant: "acme" });
    expect((await ask()).claims).toMatchObject({ tenant: "acme", aud_tenant: "acme-at-ledger", aud_sub: "4711" });
  });

  test("stands her NameID, with exactly the attributes that are configured", async () => {
    const issuer = "https://saml.acme.example";
    await house.change(ledger({ samlNameId: { issuer, nameId: "email", format: "urn:f", spNameQualifier: "q" } }));
    expect((await ask()).claims?.sub_id).toEqual({
      format: "saml-nameid",
      issuer,
      nameid: "alice@acme.example",
      nameid_format: "urn:f",
      sp_name_qualifier: "q",
    });
  });
});

describe("an app that signs people in", () => {
  test("is no agent: it exchanges nothing, and its ID token is nobody's subject token", async () => {
    await house.change(ledger({}));
    const { idToken: ofApp } = (await house.signIn(app())).signIn();
    const asAgent = await exchange(house, { subjectToken: ofApp, client: CLIENT });
    expect(asAgent.body).toMatchObject({ error: "invalid_client" });
    const byAgent = await exchange(house, { subjectToken: ofApp });
    await expectRefused(house, byAgent, "invalid_grant", "subject-token-audience");
    expect((await recorded(house, byAgent))?.agent).toBe("assistant");
  });

  test("that is disabled signs nobody in", async () => {
    await house.change(ledger({ enabled: false }));
    await expect(signInToApp()).rejects.toThrow();
  });
});
