import {
  parseAuthorizationServerMetadata,
  parseProtectedResourceMetadata,
  redeemsIdJags,
} from "@credence/protocol/metadata";
import { describe, expect, test } from "vitest";
import { house, newKey } from "../house.testing.ts";
import type { ResourceServerOptions } from "../options.ts";
import type { Account } from "../redeem/subject.ts";
import { createResourceServer } from "../server.ts";

const get = async (url: string) => {
  const answer = await fetch(url);
  return { answer, body: await answer.json() };
};

describe("metadata", () => {
  test("of the authorization server says that ID-JAGs are redeemed, and not whose", async () => {
    await using home = await house();
    const { answer, body } = await get(`${home.url}/.well-known/oauth-authorization-server`);
    expect(body).toEqual({
      issuer: home.url,
      token_endpoint: `${home.url}/token`,
      jwks_uri: `${home.url}/jwks`,
      authorization_endpoint: `${home.url}/authorize`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      grant_types_supported: ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
      authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
      token_endpoint_auth_signing_alg_values_supported: ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
      introspection_endpoint: `${home.url}/introspect`,
      introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
      revocation_endpoint: `${home.url}/revoke`,
      revocation_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
      dpop_signing_alg_values_supported: ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
      tls_client_certificate_bound_access_tokens: true,
      scopes_supported: ["ledger.read", "ledger.write"],
    });
    expect(redeemsIdJags(parseAuthorizationServerMetadata(body, home.url))).toBe(true);
    expect(JSON.stringify(body)).not.toContain(home.idp.issuer);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });

  test("of a resource stands at the path-inserted place", async () => {
    await using home = await house();
    const url = home.server.resourceMetadataUrl();
    expect(url).toBe(`${home.url}/.well-known/oauth-protected-resource/mcp`);
    const { body } = await get(url);
    expect(body).toEqual({
      resource: home.resource,
      authorization_servers: [home.url],
      scopes_supported: ["ledger.read", "ledger.write"],
      bearer_methods_supported: ["header"],
      dpop_signing_alg_values_supported: ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
    });
    expect(parseProtectedResourceMetadata(body, home.resource).resource).toBe(home.resource);
  });

  test("and endpoints of an issuer with a path stand below it", async () => {
    const { privateJwk } = await newKey();
    const issuer = "https://apps.example/ledger";
    const options: ResourceServerOptions<Account> = {
      issuer,
      resources: { "https://apps.example/ledger/mcp": { scopes: {}, name: "Ledger" } },
      customers: [],
      clients: [],
      resolveSubject: () => undefined,
      signingKey: privateJwk,
      record: () => undefined,
    };
    const server = createResourceServer(options);
    const status = async (path: string) => (await server.fetch(new Request(`https://apps.example${path}`))).status;
    expect(await status("/.well-known/oauth-authorization-server/ledger")).toBe(200);
    expect(await status("/.well-known/oauth-protected-resource/ledger/mcp")).toBe(200);
    expect(await status("/ledger/jwks")).toBe(200);
    expect(await status("/ledger/token")).toBe(405);
    expect(await status("/ledger/authorize?client_id=x")).toBe(400);
    expect(await status("/.well-known/oauth-authorization-server")).toBe(404);
    expect(await status("/token")).toBe(404);
    expect(await server.tryFetch(new Request("https://apps.example/elsewhere"))).toBeUndefined();
  });

  test("is read only, also from a browser on another origin", async () => {
    await using home = await house();
    const url = `${home.url}/.well-known/oauth-authorization-server`;
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
    const allowed = "GET, HEAD, OPTIONS";
    const refused = await fetch(url, { method: "DELETE" });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, allowed]);
    const preflight = await fetch(url, { method: "OPTIONS" });
    expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([204, "*"]);
    expect(preflight.headers.get("access-control-allow-methods")).toBe(allowed);
  });

  test("is kept for five minutes, by whoever passes it on", async () => {
    await using home = await house();
    for (const path of [
      "/.well-known/oauth-authorization-server",
      "/.well-known/oauth-protected-resource/mcp",
      "/jwks",
    ])
      expect((await fetch(home.url + path)).headers.get("cache-control")).toBe("public, max-age=300");
  });

  test("of resources that differ in their query alone is each one's own", async () => {
    await using home = await house(({ issuer }) => ({
      resources: Object.fromEntries(["?of=a", "?of=b"].map((query) => [`${issuer}/mcp${query}`, { scopes: {} }])),
    }));
    for (const resource of home.server.resources) {
      expect((await get(home.server.resourceMetadataUrl(resource))).body.resource).toBe(resource);
    }
    expect((await fetch(`${home.url}/.well-known/oauth-protected-resource/mcp`)).status).toBe(404);
  });
});

test("the keys are published without any private member", async () => {
  await using home = await house();
  const { body } = await get(`${home.url}/jwks`);
  expect(body).toEqual({ keys: [home.key.publicJwk] });
  expect(body.keys[0]).not.toHaveProperty("d");
});

test("the authorization endpoint explains itself, and shows nothing of the request", async () => {
  await using home = await house();
  const answer = await fetch(`${home.url}/authorize?response_type=code&client_id=<script>alert(1)</script>`);
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  const others = ["cache-control", "referrer-policy", "x-content-type-options"].map((name) => answer.headers.get(name));
  expect(others).toEqual(["no-store", "no-referrer", "nosniff"]);
  const page = await answer.text();
  expect(page).toContain("ID-JAG");
  expect(page).not.toContain("alert");
});
