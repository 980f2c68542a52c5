/** What the IdP says of itself, over real HTTP. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acme, type House, startHouse } from "./house.testing.ts";

let house: House;
beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house[Symbol.asyncDispose]());

describe("the metadata of the IdP", () => {
  test.each(["openid-configuration", "oauth-authorization-server"])(
    "in %s says all that its clients need",
    async (name) => {
      const { issuer } = house;
      const metadata = await (await fetch(`${issuer}/.well-known/${name}`)).json();
      const algorithms = ["ES256", "ES384", "RS256", "PS256", "EdDSA"];
      expect(metadata).toMatchObject({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        grant_types_supported: [
          "authorization_code",
          "refresh_token",
          "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        identity_chaining_requested_token_types_supported: ["urn:ietf:params:oauth:token-type:id-jag"],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        token_endpoint_auth_signing_alg_values_supported: algorithms,
        dpop_signing_alg_values_supported: algorithms,
        code_challenge_methods_supported: ["S256"],
        subject_types_supported: ["public", "pairwise"],
        authorization_response_iss_parameter_supported: true,
        revocation_endpoint: `${issuer}/revoke`,
      });
    },
  );

  test("tells a stranger neither the apps nor their types of authorization details, and promises no bound access tokens", async () => {
    const apps = acme().apps.map((app) => ({ ...app, authorizationDetailsTypes: { "ledger-account": "One" } }));
    await house.change({ ...acme(), apps });
    const text = await (await fetch(`${house.issuer}/.well-known/openid-configuration`)).text();
    expect(text).not.toMatch(/ledger|wiki|authorization_details|tls_client_certificate_bound/);
  });
});
