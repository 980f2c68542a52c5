/** openid-client: two configurations, one for the IdP and one for the app, and a generic grant at each. */
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALICE, BOB, CALLBACK, SECRETS } from "../house.testing.ts";
import { LIST_ENTRIES, startWorld, visit, type World } from "./world.testing.ts";

let world: World;
let idp: openid.Configuration;
let ledger: openid.Configuration;
beforeAll(async () => {
  world = await startWorld();
  // `allowInsecureRequests` is for this test's loopback addresses alone.
  const development = { execute: [openid.allowInsecureRequests] };
  const atIdp = openid.ClientSecretBasic(SECRETS.assistant ?? "");
  idp = await openid.discovery(new URL(world.idp), "assistant", undefined, atIdp, development);
  const { clientId, clientSecret } = world.atLedger;
  const atLedger = openid.ClientSecretBasic(clientSecret);
  ledger = await openid.discovery(new URL(world.ledger), clientId, undefined, atLedger, {
    ...development,
    algorithm: "oauth2",
  });
});
afterAll(() => world[Symbol.asyncDispose]());

/** Authorization code with PKCE and state. */
async function signIn(who: typeof ALICE): Promise<string> {
  const [pkceCodeVerifier, expectedState] = [openid.randomPKCECodeVerifier(), openid.randomState()];
  const url = openid.buildAuthorizationUrl(idp, {
    redirect_uri: CALLBACK,
    scope: "openid",
    state: expectedState,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
  });
  const tokens = await openid.authorizationCodeGrant(idp, await visit(url, who), { pkceCodeVerifier, expectedState });
  return tokens.id_token ?? "";
}

/** ID token to ID-JAG, at the IdP. */
async function exchange(idToken: string): Promise<openid.TokenEndpointResponse> {
  return openid.genericGrantRequest(idp, "urn:ietf:params:oauth:grant-type:token-exchange", {
    requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
    subject_token: idToken,
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
    audience: world.ledger,
    resource: world.mcp,
    scope: "ledger.read",
  });
}

/** ID-JAG to access token, at the app. */
async function redeem(idJag: string): Promise<openid.TokenEndpointResponse> {
  return openid.genericGrantRequest(ledger, "urn:ietf:params:oauth:grant-type:jwt-bearer", { assertion: idJag });
}

describe("openid-client", () => {
  test("goes from a sign-in at the IdP to a tool call at the ledger", async () => {
    const idJag = await exchange(await signIn(ALICE));
    expect(idJag).toMatchObject({
      issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
      token_type: "n_a", // as sent `N_A`: the library writes token types in lower case
      expires_in: 300,
    });
    const token = await redeem(idJag.access_token);
    expect(token).toMatchObject({ token_type: "bearer", scope: "ledger.read", resource: world.mcp });
    expect(token).not.toHaveProperty("refresh_token");
    const { headers, body } = LIST_ENTRIES;
    const url = new URL(world.mcp);
    const call = { headers: new Headers(headers), body };
    const answer = await openid.fetchProtectedResource(
      ledger,
      token.access_token,
      url,
      "POST",
      call.body,
      call.headers,
    );
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("Train to Vienna");
  });

  test("hears a denial as a denial, with its decision", async () => {
    const refused = exchange(await signIn(BOB));
    await expect(refused).rejects.toMatchObject({
      error: "access_denied",
      status: 400,
      cause: { decision_id: expect.any(String) },
    });
  });

  test("hears at the app that an ID token is no ID-JAG", async () => {
    const refused = redeem(await signIn(ALICE));
    await expect(refused).rejects.toMatchObject({ error: "invalid_grant", status: 400 });
  });
});
