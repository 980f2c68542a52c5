import { describe, expect, test } from "vitest";
import type { ResourceDefinition } from "../options.ts";
import { authorizationServerDocument, endpointsOf, protectedResourceDocument } from "./metadata.ts";

const ISSUER = "https://ledger.example";
const MCP = `${ISSUER}/mcp`;
const API = `${ISSUER}/api`;

const read: ResourceDefinition = { scopes: { read: "Read" }, authorizationDetailsTypes: { account: {}, payment: {} } };
const write: ResourceDefinition = {
  scopes: { read: "Read", write: "Write" },
  authorizationDetailsTypes: { account: {}, report: {} },
};

test.each([ISSUER, `${ISSUER}/`])("the endpoints of %s stand below it, with one slash between", (issuer) => {
  expect(endpointsOf(issuer)).toEqual({
    token: `${ISSUER}/token`,
    jwks: `${ISSUER}/jwks`,
    authorize: `${ISSUER}/authorize`,
    introspection: `${ISSUER}/introspect`,
    revocation: `${ISSUER}/revoke`,
  });
});

describe("the authorization server's metadata", () => {
  test("names each scope and each type of details of all resources, once", () => {
    const resources = new Map([
      [MCP, read],
      [API, write],
    ]);
    expect(authorizationServerDocument(ISSUER, resources)).toMatchObject({
      scopes_supported: ["read", "write"],
      authorization_details_types_supported: ["account", "payment", "report"],
    });
  });

  test("names no type of details where there is none", () => {
    const document = authorizationServerDocument(ISSUER, new Map([[MCP, { scopes: {} }]]));
    expect(document).not.toHaveProperty("authorization_details_types_supported");
  });
});

describe("a resource's metadata", () => {
  const least = {
    resource: MCP,
    authorization_servers: [ISSUER],
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
  };

  test("leaves out what a resource does not have", () => {
    expect(protectedResourceDocument(ISSUER, MCP, { scopes: {} })).toStrictEqual(least);
    expect(protectedResourceDocument(ISSUER, MCP, { scopes: {}, requireBound: false })).toStrictEqual(least);
  });

  test("tells its scopes, its types of details, its name, and that it takes bound tokens only", () => {
    const definition = { ...read, requireBound: true, name: "Ledger" };
    expect(protectedResourceDocument(ISSUER, MCP, definition)).toStrictEqual({
      ...least,
      scopes_supported: ["read"],
      authorization_details_types_supported: ["account", "payment"],
      dpop_bound_access_tokens_required: true,
      resource_name: "Ledger",
    });
  });
});
