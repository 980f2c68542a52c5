/** oauth4webapi: every request and every answer by its own function, from the resource's challenge to the call. */
import * as oauth from "oauth4webapi";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ALICE, acme, BOB, CALLBACK, SECRETS } from "../house.testing.ts";
import { LIST_ENTRIES, startWorld, visit, type World } from "./world.testing.ts";

// For this test's loopback addresses alone.
const development = { [oauth.allowInsecureRequests]: true };
/** An ID-JAG is not an access token, and its `token_type` says so: `N_A`. */
const recognizedTokenTypes: oauth.RecognizedTokenTypes = { n_a() {} };

let world: World;
let idp: oauth.AuthorizationServer;
beforeAll(async () => {
  world = await startWorld();
  const issuer = new URL(world.idp);
  idp = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, development));
});
afterAll(() => world[Symbol.asyncDispose]());
afterEach(() => world.house.change(acme(world.ledger)));

const assistant: oauth.Client = { client_id: "assistant" };
const bySecret = oauth.ClientSecretBasic(SECRETS.assistant ?? "");

/** The app's authorization server, by way of the resource's own metadata. */
async function discoverLedger(): Promise<oauth.AuthorizationServer> {
  const resource = new URL(world.mcp);
  const found = await oauth.resourceDiscoveryRequest(resource, development);
  const { authorization_servers: servers = [] } = await oauth.processResourceDiscoveryResponse(resource, found);
  const issuer = new URL(servers[0] ?? "");
  const metadata = await oauth.discoveryRequest(issuer, { ...development, algorithm: "oauth2" });
  return oauth.processDiscoveryResponse(issuer, metadata);
}

/** Authorization code with PKCE, state and nonce. */
async function signIn(authentication: oauth.ClientAuth, who = ALICE): Promise<string> {
  const [verifier, state, nonce] = [
    oauth.generateRandomCodeVerifier(),
    oauth.generateRandomState(),
    oauth.generateRandomNonce(),
  ];
  const url = new URL(idp.authorization_endpoint ?? "");
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: assistant.client_id,
    redirect_uri: CALLBACK,
    scope: "openid",
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  }).toString();
  const callback = oauth.validateAuthResponse(idp, assistant, await visit(url, who), state);
  const answer = await oauth.authorizationCodeGrantRequest(
    idp,
    assistant,
    authentication,
    callback,
    CALLBACK,
    verifier,
    development,
  );
  const expected = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await oauth.processAuthorizationCodeResponse(idp, assistant, answer, expected);
  await oauth.validateApplicationLevelSignature(idp, answer, development);
  return tokens.id_token ?? "";
}

/** ID token to ID-JAG, at the IdP. */
async function exchange(authentication: oauth.ClientAuth, idToken: string): Promise<string> {
  const answer = await oauth.genericTokenEndpointRequest(
    idp,
    assistant,
    authentication,
    "urn:ietf:params:oauth:grant-type:token-exchange",
    {
      requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
      subject_token: idToken,
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
      audience: world.ledger,
      resource: world.mcp,
      scope: "ledger.read",
    },
    development,
  );
  const response = await oauth.processGenericTokenEndpointResponse(idp, assistant, answer, { recognizedTokenTypes });
  return response.access_token;
}

/** ID-JAG to access token, at the app. */
async function redeem(ledger: oauth.AuthorizationServer, idJag: string): Promise<oauth.TokenEndpointResponse> {
  const client = { client_id: world.atLedger.clientId };
  const answer = await oauth.genericTokenEndpointRequest(
    ledger,
    client,
    oauth.ClientSecretBasic(world.atLedger.clientSecret),
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    { assertion: idJag },
    development,
  );
  return oauth.processGenericTokenEndpointResponse(ledger, client, answer);
}

async function listEntries(accessToken: string): Promise<Response> {
  const { headers, body } = LIST_ENTRIES;
  return oauth.protectedResourceRequest(
    accessToken,
    "POST",
    new URL(world.mcp),
    new Headers(headers),
    body,
    development,
  );
}

/** Registers the assistant with a key in place of a secret; gives the key's half that stays with the agent. */
async function registerKey(): Promise<oauth.ClientAuth> {
  const { privateKey, publicKey } = await oauth.generateKeyPair("ES256");
  const jwk: Record<string, unknown> = { ...(await crypto.subtle.exportKey("jwk", publicKey)), alg: "ES256" };
  const organization = acme(world.ledger);
  const auth = { method: "private_key_jwt", jwks: { keys: [jwk] } } as const;
  const agents = organization.agents.map((one) => (one.id === "assistant" ? { ...one, auth } : one));
  await world.house.change({ ...organization, agents });
  return oauth.PrivateKeyJwt(privateKey);
}

describe("oauth4webapi", () => {
  test.each([
    ["client_secret_basic", async () => bySecret],
    ["private_key_jwt", registerKey],
  ])("goes from a sign-in to a tool call, with %s at the IdP", async (_, authenticate) => {
    const authentication = await authenticate();
    const idJag = await exchange(authentication, await signIn(authentication));
    const token = await redeem(await discoverLedger(), idJag);
    expect(token).toMatchObject({ token_type: "bearer", scope: "ledger.read", resource: world.mcp });
    const answer = await listEntries(token.access_token);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("Train to Vienna");
  });

  test("hears a denial as a denial, with its decision", async () => {
    const refused = exchange(bySecret, await signIn(bySecret, BOB));
    await expect(refused).rejects.toMatchObject({
      name: "ResponseBodyError",
      error: "access_denied",
      cause: { decision_id: expect.any(String) },
    });
  });

  test("with a key registered, a secret is no proof any more", async () => {
    const authentication = await registerKey();
    const idToken = await signIn(authentication);
    await expect(exchange(bySecret, idToken)).rejects.toMatchObject({ status: 401 });
  });

  test("hears from the ledger that an ID-JAG is no access token", async () => {
    const idJag = await exchange(bySecret, await signIn(bySecret));
    await expect(listEntries(idJag)).rejects.toMatchObject({
      name: "WWWAuthenticateChallengeError",
      status: 401,
      cause: [{ scheme: "bearer", parameters: { error: "invalid_token" } }],
    });
  });
});
