/** What the standards ask of the IdP at its sign-in, where no other test looks: over real HTTP, by a client's own hand. */
import { addClientAuth } from "@credence/protocol/client-auth";
import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openUserAgent } from "../../examples/demo/src/user-agent.ts";
import { exchange, secretOf } from "../exchange.testing.ts";
import { ALICE, acme, CALLBACK, type House, startHouse } from "../house.testing.ts";

const key = await generateDpopKey();
const other = await generateDpopKey();

const WEB_CALLBACK = "https://assistant.example/callback";
const APP_CALLBACK = "com.example.assistant:/callback";

let house: House;
beforeAll(async () => {
  house = await startHouse();
  const { agents, ...rest } = acme();
  await house.change({
    ...rest,
    agents: [
      ...agents,
      ...agents
        .filter(({ id }) => id === "public")
        .flatMap((one) => [
          { ...one, id: "bound", name: "Bound", dpopBound: true },
          { ...one, id: "web", name: "Web", redirectUris: [WEB_CALLBACK] },
          { ...one, id: "native", name: "Native", redirectUris: [APP_CALLBACK] },
        ]),
    ],
  });
});
afterAll(() => house[Symbol.asyncDispose]());

const VERIFIER = "a-verifier-of-at-least-43-characters-as-rfc-7636-wants";
const CHALLENGE = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(VERIFIER))).toString(
  "base64url",
);

function authorizationUrl(clientId: string, parameters: Record<string, string>): string {
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: "code",
    redirect_uri: CALLBACK,
    scope: "openid offline_access",
    state: "s",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
    ...parameters,
  });
  return `${house.issuer}/authorize?${query}`;
}

/** Asks for an authorization; the answer is where the browser is sent back to. */
async function authorize(clientId: string, parameters: Record<string, string> = {}): Promise<URL> {
  const end = await openUserAgent(ALICE).browse(authorizationUrl(clientId, parameters), CALLBACK);
  if ("html" in end) throw new Error(`the sign-in ended at ${end.url} with ${end.status}`);
  return new URL(end.url);
}

async function token(form: Record<string, string>, by?: DpopKey): Promise<Record<string, unknown>> {
  const url = `${house.issuer}/token`;
  const proof = by && (await createDpopProof(by, { method: "POST", url, now: Date.now() / 1_000 }));
  const answer = await fetch(url, {
    method: "POST",
    headers: proof ? { dpop: proof } : {},
    body: new URLSearchParams(form),
  });
  return (await answer.json()) as Record<string, unknown>; // The endpoint answers objects only.
}

const redeem = (clientId: string, back: URL, by?: DpopKey) =>
  token(
    {
      grant_type: "authorization_code",
      client_id: clientId,
      code: back.searchParams.get("code") ?? "",
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
    },
    by,
  );

describe("the answer to an authorization request names the issuer", () => {
  test.each<[string, Record<string, string>, string | undefined]>([
    ["with a code", {}, undefined],
    ["with an error", { prompt: "none" }, "login_required"],
    [
      "with an error of the request itself",
      { response_type: "code", scope: "openid", prompt: "none login" },
      "invalid_request",
    ],
  ])("%s, exactly as the metadata does", async (_, parameters, error) => {
    const { searchParams } = await authorize("assistant", parameters);
    const metadata = await (await fetch(`${house.issuer}/.well-known/oauth-authorization-server`)).json();
    expect(searchParams.get("error") ?? undefined).toBe(error);
    expect(searchParams.get("iss")).toBe(metadata.issuer);
    expect(metadata.authorization_response_iss_parameter_supported).toBe(true);
  });
});

describe("the refresh token of a public client", () => {
  test("that proved a key refreshes with a proof of that key alone", async () => {
    const first = await redeem("public", await authorize("public"), key);
    expect(first).toMatchObject({ token_type: "DPoP", refresh_token: expect.any(String) });
    const refresh = (by?: DpopKey) =>
      token({ grant_type: "refresh_token", client_id: "public", refresh_token: String(first.refresh_token) }, by);
    expect(await refresh()).toMatchObject({ error: "invalid_grant" });
    expect(await refresh(other)).toMatchObject({ error: "invalid_grant" });
    expect(await refresh(key)).toMatchObject({ token_type: "DPoP" });
  });
});

test("a refresh token that is given back takes the access tokens of its authorization with it", async () => {
  const given = await redeem("public", await authorize("public"), key);
  const userinfo = async () => {
    const accessToken = String(given.access_token);
    const url = `${house.issuer}/userinfo`;
    const dpop = await createDpopProof(key, { method: "GET", url, now: Date.now() / 1_000, accessToken });
    return (await fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop } })).status;
  };
  expect(await userinfo()).toBe(200);
  const body = new URLSearchParams({ client_id: "public", token: String(given.refresh_token) });
  expect((await fetch(`${house.issuer}/revoke`, { method: "POST", body })).status).toBe(200);
  expect(await userinfo()).toBe(401);
});

describe("a client that is DPoP-bound", () => {
  test("gets nothing for its code without a proof", async () => {
    const refused = await redeem("bound", await authorize("bound"));
    expect(refused).not.toHaveProperty("access_token");
    expect(refused).toMatchObject({ error: "invalid_grant" });
    expect(await redeem("bound", await authorize("bound"), key)).toMatchObject({ token_type: "DPoP" });
  });
});

describe("a code that was asked for with dpop_jkt", () => {
  test("is redeemed with a proof of that key alone", async () => {
    const ask = () => authorize("public", { dpop_jkt: key.jkt });
    expect(await redeem("public", await ask())).toMatchObject({ error: "invalid_grant" });
    expect(await redeem("public", await ask(), other)).toMatchObject({ error: "invalid_grant" });
    expect(await redeem("public", await ask(), key)).toMatchObject({ token_type: "DPoP" });
  });
});

test("the metadata offers no pushed authorization requests, so nothing of DPoP is asked of them", async () => {
  const metadata = await (await fetch(`${house.issuer}/.well-known/oauth-authorization-server`)).json();
  expect(metadata).not.toHaveProperty("pushed_authorization_request_endpoint");
});

test("the metadata does not invite agents by the URL of their document: only those that are listed may come", async () => {
  const metadata = await (await fetch(`${house.issuer}/.well-known/oauth-authorization-server`)).json();
  expect(metadata).not.toHaveProperty("client_id_metadata_document_supported");
});

describe("the page on which somebody signs in", () => {
  async function page(clientId: string, redirectUri: string): Promise<string> {
    const first = await fetch(authorizationUrl(clientId, { redirect_uri: redirectUri }), { redirect: "manual" });
    const cookie = first.headers.getSetCookie().map((one) => one.split(";")[0]);
    const next = new URL(first.headers.get("location") ?? "", house.issuer);
    return (await fetch(next, { headers: { cookie: cookie.join("; ") } })).text();
  }

  test.each([
    ["to this computer", "public", CALLBACK],
    ["to this computer, at another port", "public", "http://127.0.0.1:51234/callback"],
    ["to an app by a scheme of its own", "native", APP_CALLBACK],
  ])("warns of other programs where the way leads %s", async (_, clientId, redirectUri) => {
    expect(await page(clientId, redirectUri)).toContain("Any program on this computer could be waiting there");
  });

  test("does not where it leads to a host", async () => {
    const html = await page("web", WEB_CALLBACK);
    expect(html).toContain("assistant.example");
    expect(html).not.toContain("Any program on this computer");
  });
});

test("a nonce counts at every grant of the token endpoint, whichever grant gave it", async () => {
  await using own = await startHouse({ server: { dpopNonces: true } });
  const { idToken, refreshToken = "" } = (await own.signIn(own.agent("assistant"))).signIn();
  const url = `${own.issuer}/token`;
  const refresh = async (nonce?: string) => {
    const proof = await createDpopProof(key, { method: "POST", url, now: Date.now() / 1_000, nonce });
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken });
    const headers = await addClientAuth(body, secretOf("assistant"), own.issuer, 0);
    return fetch(url, { method: "POST", headers: { ...headers, dpop: proof }, body });
  };
  const bySignIn = (await refresh()).headers.get("dpop-nonce") ?? "";
  const exchanged = await exchange(own, { subjectToken: idToken, key, nonce: bySignIn });
  expect(exchanged.claims?.cnf).toEqual({ jkt: key.jkt });
  const byExchange = (await exchange(own, { subjectToken: idToken, key })).headers.get("dpop-nonce") ?? "";
  expect((await refresh(byExchange)).status).toBe(200);
});
