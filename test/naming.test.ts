/** What an app knows people by: the same in single sign-on and in ID-JAGs. */
import { createAgent } from "@credence/client";
import { decodeJws } from "@credence/protocol/jws";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { App, Organization } from "../packages/server/src/directory/types.ts";
import { type Answer, exchange, expectRefused, recorded } from "./exchange.testing.ts";
import { acme, CALLBACK, type House, SECRETS, startHouse } from "./house.testing.ts";

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

/** Signs Alice in to the app itself, and gives what its ID token says. */
async function signInToApp(): Promise<Record<string, unknown>> {
  const client = {
    method: "client_secret_basic",
    clientId: SSO.clientId,
    clientSecret: SECRETS.assistant ?? "",
  } as const;
  const app = createAgent({ idp: { issuer: house.issuer, client }, apps: [], development: true });
  return decodeJws((await house.signIn(app)).signIn().idToken)?.payload ?? {};
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

describe("beside the name", () => {
  test("stands what the app is registered to need, and nothing else", async () => {
    await house.change(ledger({ claims: ["auth_time"] }));
    const { claims } = await ask();
    expect(claims).toHaveProperty("auth_time");
    for (const claim of ["email", "acr", "amr", "aud_sub", "aud_tenant", "tenant", "sub_id"]) {
      expect(claims).not.toHaveProperty(claim);
    }
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
    const client = {
      method: "client_secret_basic",
      clientId: SSO.clientId,
      clientSecret: SECRETS.assistant ?? "",
    } as const;
    const app = createAgent({ idp: { issuer: house.issuer, client }, apps: [], development: true });
    const { idToken: ofApp } = (await house.signIn(app)).signIn();
    const asAgent = await exchange(house, { subjectToken: ofApp, client });
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
