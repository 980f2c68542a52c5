/** ID-JAGs and issuers in the shapes that other makers publish: redeemed as they are, from metadata and keys where those are. */
import { signIdJag } from "@credence/protocol/id-jag";
import { decodeJws } from "@credence/protocol/jws";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIENT, expectRefused, type House, house, type Key, NOON, newKey } from "../house.testing.ts";
import type { TrustedIssuer } from "./customers.ts";

interface Peer {
  readonly issuer: string;
  /** Where its metadata is. */
  readonly metadata: string;
  readonly jwks: string;
  /** What its ID-JAGs have beside the claims that the draft requires. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** How an app trusts it. */
  readonly trusted: Partial<TrustedIssuer>;
  /** An issuer of the same maker that is another one. */
  readonly beside: string;
  /** The client's id here, where it is the IdP that makes it up. */
  readonly clientId?: string;
}

const PEERS: readonly [string, Peer][] = [
  [
    // The org authorization server exchanges the ID token: developer.okta.com/docs/guides/ai-agent-token-exchange/-/main/.
    // RS256 and the keys below /oauth2/v1: the org's openid-configuration; typ, jti and single claims as
    // developer.okta.com/docs/guides/xaa-validate-id-jag/main/ has them validated. The agent (wlp…) is the actor.
    "Okta's org authorization server",
    {
      issuer: "https://acme.okta.com",
      metadata: "https://acme.okta.com/.well-known/openid-configuration",
      jwks: "https://acme.okta.com/oauth2/v1/keys",
      claims: {
        sub: "00u1ab2cd3EF4gh5i6d7",
        act: { sub: "wlp8x5q7mvH86KvFJ0g7", sub_profile: "ai_agent" },
        scope: "ledger.read ledger.write",
        auth_time: NOON - 120,
        amr: ["pwd", "otp"],
      },
      trusted: { algorithms: ["RS256"], maxLifetime: 300 },
      beside: "https://acme.okta.com/oauth2/default",
    },
  ],
  [
    // A custom authorization server has its path in its issuer, and its own keys:
    // docs.oracle.com, "Identity Provider Details to Use for iss and aud Claims, and for the JWKS URI".
    "Okta's custom authorization server",
    {
      issuer: "https://acme.okta.com/oauth2/default",
      metadata: "https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
      jwks: "https://acme.okta.com/oauth2/default/v1/keys",
      claims: { sub: "00u1ab2cd3EF4gh5i6d7", act: { sub: "wlp8x5q7mvH86KvFJ0g7" } },
      trusted: { algorithms: ["RS256"], maxLifetime: 300 },
      beside: "https://acme.okta.com",
    },
  ],
  [
    // auth0.com/docs/secure/call-apis-on-users-behalf/xaa/test-xaa-flow: the issuer ends in a slash.
    // auth0.com/docs/api/authentication/cross-app-access/get-token: one ID-JAG is redeemed again until it expires, and its
    // `resource` counts before the request's.
    "Auth0",
    {
      issuer: "https://acme.eu.auth0.com/",
      metadata: "https://acme.eu.auth0.com/.well-known/openid-configuration",
      jwks: "https://acme.eu.auth0.com/.well-known/jwks.json",
      claims: { sub: "auth0|64f1c2a7b8d9e0f1a2b3c4d5", email: "alice@acme.example" },
      trusted: { algorithms: ["RS256"], replay: "resubmit" },
      beside: "https://acme.eu.auth0.com",
    },
  ],
  [
    // keycloak.org/securing-apps/identity-assertion-jwt-authorization-grant: the realm is in the issuer, keys at
    // protocol/openid-connect/certs, no reuse, 300 seconds. `client_id` and `iat` must be there: keycloak/keycloak,
    // IDJWTAuthorizationGrantValidator.
    "Keycloak's realm",
    {
      issuer: "https://sso.acme.example/realms/acme",
      metadata: "https://sso.acme.example/realms/acme/.well-known/openid-configuration",
      jwks: "https://sso.acme.example/realms/acme/protocol/openid-connect/certs",
      claims: { sub: "f3b1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d", typ: "ID", azp: "agent-at-idp", sid: "s-1" },
      trusted: { algorithms: ["RS256"], replay: "single-use", maxLifetime: 300 },
      beside: "https://sso.acme.example/realms/globex",
    },
  ],
  [
    // xaa.dev/docs/token-structure: nbf, the address as sub, and a client id that is made of the agent's and the app's.
    "the playground xaa.dev",
    {
      issuer: "https://idp.xaa.dev",
      metadata: "https://idp.xaa.dev/.well-known/openid-configuration",
      jwks: "https://idp.xaa.dev/jwks",
      claims: { sub: "alice@acme.example", nbf: NOON },
      trusted: { algorithms: ["RS256"] },
      beside: "https://auth.xaa.dev",
      clientId: "ledger-assistant-at-ledger",
    },
  ],
];

describe.each(PEERS)("%s", (_, peer) => {
  let home: House;
  let key: Key;
  const asked: string[] = [];
  const clientId = peer.clientId ?? CLIENT.clientId;

  beforeAll(async () => {
    key = await newKey("RS256");
    const documents: Readonly<Record<string, object>> = {
      [peer.metadata]: { issuer: peer.issuer, jwks_uri: peer.jwks, token_endpoint: `${peer.issuer}/token` },
      [peer.jwks]: { keys: [key.publicJwk] },
    };
    home = await house(() => ({
      customers: [{ id: "acme", issuers: [{ issuer: peer.issuer, ...peer.trusted }] }],
      clients: [{ ...CLIENT, clientId }],
      resolveSubject: ({ iss, sub }) => (iss === peer.issuer ? { id: `acme/${sub}` } : undefined),
      fetch: async (input) => {
        asked.push(String(input));
        const document = documents[String(input)];
        return document === undefined ? new Response(null, { status: 404 }) : Response.json(document);
      },
    }));
  });
  afterAll(() => home[Symbol.asyncDispose]());

  const idJag = (change: Record<string, unknown> = {}) => {
    const required = {
      iss: peer.issuer,
      sub: "",
      aud: home.url,
      client_id: clientId,
      jti: crypto.randomUUID(),
      iat: NOON,
      exp: NOON + 300,
      resource: home.resource,
      scope: "ledger.read",
    };
    return signIdJag({ ...required, ...peer.claims, ...change }, key.signer);
  };
  const redeem = (assertion: string, form: Record<string, string> = {}) =>
    home.redeem({ assertion, ...form }, { authorization: `Basic ${btoa(`${clientId}:${CLIENT.clientSecret}`)}` });

  test("is trusted by its exact issuer, and its keys are found where it publishes them", async () => {
    const answer = await redeem(await idJag());
    expect([answer.status, answer.event?.account]).toEqual([200, `acme/${peer.claims.sub}`]);
    expect(asked.at(-1)).toBe(peer.jwks);
    expect(asked).toContain(peer.metadata);
  });

  test("names the person, who acts, and when they signed in; the token says so", async () => {
    const { body } = await redeem(await idJag());
    const claims = decodeJws(String(body.access_token))?.payload;
    expect(claims).toMatchObject({ sub: `acme/${peer.claims.sub}`, client_id: clientId, aud: home.resource });
    expect(claims?.act).toEqual(peer.claims.act);
    expect(claims?.root).toMatchObject({ iss: peer.issuer, sub: peer.claims.sub });
  });

  test("is not the issuer beside it, and not itself with another ending", async () => {
    const ending = peer.issuer.endsWith("/") ? peer.issuer.slice(0, -1) : `${peer.issuer}/`;
    for (const iss of [peer.beside, ending]) {
      expectRefused(await redeem(await idJag({ iss })), 400, "invalid_grant", "id-jag-issuer");
    }
  });

  test("may be redeemed as often as it is trusted to", async () => {
    const assertion = await idJag();
    const statuses = [(await redeem(assertion)).status, (await redeem(assertion)).status];
    expect(statuses).toEqual(peer.trusted.replay === "resubmit" ? [200, 200] : [200, 400]);
  });

  test("says what the resource is, and the request can not say another", async () => {
    const other = await redeem(await idJag(), { resource: "https://other.example/api" });
    expectRefused(other, 400, "invalid_target", "resource-foreign");
  });

  test("is held to what its maker says of algorithm and lifetime", async () => {
    const weak = await newKey("ES256");
    const other = await signIdJag(JSON.parse(JSON.stringify(decodeJws(await idJag())?.payload)), weak.signer);
    expectRefused(await redeem(other), 400, "invalid_grant", "id-jag-algorithm");
    const long = await idJag({ exp: NOON + 3_601 });
    expectRefused(await redeem(long), 400, "invalid_grant", "id-jag-lifetime");
  });
});

test("two of one maker's tenants are two issuers: neither's keys vouch for the other", async () => {
  const [acme, globex] = [await newKey("RS256"), await newKey("RS256")];
  const realm = (name: string) => `https://sso.example/realms/${name}`;
  await using home = await house(() => ({
    customers: [
      { id: "acme", issuers: [{ issuer: realm("acme"), jwks: { keys: [acme.publicJwk] } }] },
      { id: "globex", issuers: [{ issuer: realm("globex"), jwks: { keys: [globex.publicJwk] } }] },
    ],
    resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}`, customer }),
  }));
  const by = async (name: string, key: Key) =>
    home.redeem({ assertion: await home.idJag({ iss: realm(name) }, key.signer) });
  expect((await by("acme", acme)).event?.account).toBe("acme/alice");
  expect((await by("globex", globex)).event?.account).toBe("globex/alice");
  expectRefused(await by("acme", globex), 400, "invalid_grant", "id-jag-key");
});
