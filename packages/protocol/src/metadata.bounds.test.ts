import { describe, expect, test } from "vitest";
import type { CredenceError } from "./errors.ts";
import {
  covers,
  parseAuthorizationServerMetadata,
  parseProtectedResourceMetadata,
  tokenEndpointOf,
} from "./metadata.ts";

const ISSUER = "https://as.example";
const AS = { issuer: ISSUER, token_endpoint: `${ISSUER}/token` };
const RESOURCE = "https://ledger.example/mcp";
const RS = { resource: RESOURCE, authorization_servers: [ISSUER] };

function told(run: () => unknown): string {
  try {
    run();
    return "nothing";
  } catch (error) {
    const { code, reason, message } = error as CredenceError;
    return `${code} ${reason}: ${message}`;
  }
}

describe("an authorization server's metadata that is wrong is refused, and its operator learns which member it is", () => {
  test.each<[string, unknown, string]>([
    ["document", "text", "is not a JSON object"],
    ["token_endpoint", { ...AS, token_endpoint: "token" }, "is not a URL"],
    ["token_endpoint", { ...AS, token_endpoint: 7 }, "is not a URL"],
    ["authorization_endpoint", { ...AS, authorization_endpoint: "authorize" }, "is not a URL"],
    ["jwks_uri", { ...AS, jwks_uri: "keys" }, "is not a URL"],
    ["mtls_endpoint_aliases", { ...AS, mtls_endpoint_aliases: "x" }, "does not name URLs"],
    ["mtls_endpoint_aliases", { ...AS, mtls_endpoint_aliases: { token_endpoint: "x" } }, "does not name URLs"],
    ...[
      "grant_types_supported",
      "token_endpoint_auth_methods_supported",
      "scopes_supported",
      "authorization_grant_profiles_supported",
      "identity_chaining_requested_token_types_supported",
      "dpop_signing_alg_values_supported",
    ].map((name): [string, unknown, string] => [name, { ...AS, [name]: "x" }, "is not a list of strings"]),
  ])("%s: %j", (member, document, how) => {
    expect(told(() => parseAuthorizationServerMetadata(document, ISSUER))).toBe(
      `response_invalid metadata-${member.replaceAll("_", "-")}: The authorization server metadata's ${member} ${how}`,
    );
  });
});

describe("the token endpoint", () => {
  const aliases = { mtls_endpoint_aliases: { token_endpoint: `${ISSUER}/mtls` } };
  test("of a client that shows a certificate is the alias, where there is one", () => {
    const endpoint = (more: object, mutual: boolean) =>
      tokenEndpointOf(parseAuthorizationServerMetadata({ ...AS, ...more }, ISSUER), mutual);
    expect(endpoint(aliases, true)).toBe(`${ISSUER}/mtls`);
    expect(endpoint(aliases, false)).toBe(AS.token_endpoint);
    expect(endpoint({}, true)).toBe(AS.token_endpoint);
    expect(endpoint({ mtls_endpoint_aliases: {} }, true)).toBe(AS.token_endpoint);
  });
});

describe("a protected resource's metadata", () => {
  const servers = (count: number) => Array.from({ length: count }, (_, i) => `https://as${i}.example`);

  test.each<[string, unknown, string]>([
    ["resource", undefined, "is not a URL"],
    ["resource", { ...RS, resource: "https://other.example/mcp" }, "does not cover the URL that was called"],
    ["authorization_servers", { resource: RESOURCE }, "names none"],
    ["authorization_servers", { ...RS, authorization_servers: [] }, "names none"],
    ["authorization_servers", { ...RS, authorization_servers: [ISSUER, "as"] }, "names none"],
    ["authorization_servers", { ...RS, authorization_servers: servers(21) }, "names too many"],
    ["scopes_supported", { ...RS, scopes_supported: "read" }, "is not a list"],
  ])("that is wrong in %s is refused: %j", (member, document, how) => {
    expect(told(() => parseProtectedResourceMetadata(document, RESOURCE))).toBe(
      `response_invalid metadata-${member.replaceAll("_", "-")}: The protected resource metadata's ${member} ${how}`,
    );
  });

  test("is read to what it says, and no member more", () => {
    expect(parseProtectedResourceMetadata({ ...RS, more: 1 }, RESOURCE)).toStrictEqual(RS);
    const scoped = { ...RS, scopes_supported: ["read"], authorization_servers: servers(20) };
    expect(parseProtectedResourceMetadata(scoped, RESOURCE)).toStrictEqual(scoped);
  });
});

test.each([
  ["https://a.example/mcp", "https://a.example/mcp", true],
  ["https://a.example/mcp", "https://a.example/mcp/tools", true],
  ["https://a.example/mcp/", "https://a.example/mcp", true],
  ["https://a.example/mcp", "https://a.example/mcpx", false],
  ["https://a.example/mcp", "https://a.example/", false],
  ["https://a.example/mcp", "http://a.example/mcp", false],
  ["https://a.example/mcp", "https://a.example/mcp?x=1", true],
  ["https://a.example/mcp?x=1", "https://a.example/mcp?x=1", true],
  ["https://a.example/mcp?x=1", "https://a.example/mcp?x=2", false],
  ["https://a.example/mcp?x=1", "https://a.example/mcp", false],
])("whether %s covers %s: %s", (resource, url, covered) => {
  expect(covers(resource, url)).toBe(covered);
});
