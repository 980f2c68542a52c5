import { describe, expect, test } from "vitest";
import { buildClientMetadata, isClientIdUrl, parseClientMetadata } from "./client-metadata.ts";
import type { CredenceError } from "./errors.ts";
import { ID_JAG_GRANT_PROFILE } from "./id-jag.ts";
import { generateSigningKey } from "./jws.ts";
import { JWT_BEARER_GRANT } from "./jwt-bearer.ts";
import { TOKEN_EXCHANGE_GRANT } from "./token-exchange.ts";

const ID = "https://scout.example/agent.json";
const { publicJwk, privateJwk } = await generateSigningKey("ES256");
const { publicJwk: rsa } = await generateSigningKey("RS256");
const MINIMAL = { client_id: ID };

/** What is wrong with a document, as the operator reads it. */
function told(document: unknown): string {
  try {
    parseClientMetadata(document, ID);
    return "nothing";
  } catch (error) {
    const { message, reason } = error as CredenceError;
    return `${reason}: ${message.replace("The client metadata's ", "")}`;
  }
}

describe("a document is refused, and whoever wrote it learns which member is wrong, and how", () => {
  test.each<[string, unknown]>([
    ["client-metadata-document: document is not a JSON object", "text"],
    ["client-metadata-client-id: client_id is not the URL of the document", { client_id: `${ID}?` }],
    [
      "client-metadata-client-secret: client_secret must not stand in a public document",
      { ...MINIMAL, client_secret: "" },
    ],
    [
      "client-metadata-token-endpoint-auth-method: token_endpoint_auth_method is neither private_key_jwt nor none",
      { ...MINIMAL, token_endpoint_auth_method: "client_secret_basic" },
    ],
    ["client-metadata-grant-types: grant_types is not a list of strings", { ...MINIMAL, grant_types: "x" }],
    [
      "client-metadata-redirect-uris: redirect_uris has one that nobody may be sent to",
      { ...MINIMAL, redirect_uris: ["https://a.example/", "javascript:alert(1)"] },
    ],
    ["client-metadata-client-name: client_name is not a name", { ...MINIMAL, client_name: "x".repeat(201) }],
    ["client-metadata-client-name: client_name is not a name", { ...MINIMAL, client_name: 7 }],
    [
      "client-metadata-dpop-bound-access-tokens: dpop_bound_access_tokens is no boolean",
      { ...MINIMAL, dpop_bound_access_tokens: "yes" },
    ],
    ["client-metadata-jwks-uri: jwks_uri is not a URL", { ...MINIMAL, jwks_uri: "keys" }],
    ["client-metadata-jwks-uri: jwks_uri is not a URL", { ...MINIMAL, jwks_uri: ["https://scout.example/keys"] }],
    [
      "client-metadata-jwks: jwks stands beside jwks_uri",
      { ...MINIMAL, jwks: { keys: [publicJwk] }, jwks_uri: "https://scout.example/keys" },
    ],
    ["client-metadata-jwks: jwks is missing", { ...MINIMAL, token_endpoint_auth_method: "private_key_jwt" }],
    ["client-metadata-jwks: jwks has no public key", { ...MINIMAL, jwks: { keys: [] } }],
    ["client-metadata-jwks: jwks has no public key", { ...MINIMAL, jwks: "keys" }],
    [
      "client-metadata-jwks: jwks has a private or symmetric key",
      { ...MINIMAL, jwks: { keys: [publicJwk, privateJwk] } },
    ],
    ...["d", "p", "q", "k"].map((member): [string, unknown] => [
      "client-metadata-jwks: jwks has a private or symmetric key",
      { ...MINIMAL, jwks: { keys: [null, { ...rsa, [member]: "x" }] } },
    ]),
    [
      "client-metadata-grant-types: grant_types does not list token-exchange and jwt-bearer, as the ID-JAG profile demands",
      { ...MINIMAL, authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE], grant_types: [JWT_BEARER_GRANT] },
    ],
  ])("%s", (what, document) => {
    expect(told(document)).toBe(what);
  });
});

describe("a document is read", () => {
  test("to what it says, and no member more", () => {
    expect(parseClientMetadata(MINIMAL, ID)).toStrictEqual({
      ...MINIMAL,
      redirect_uris: [],
      token_endpoint_auth_method: "none",
    });
  });

  test("with keys of its own, or with the place where they are", () => {
    const method = { token_endpoint_auth_method: "private_key_jwt" };
    expect(parseClientMetadata({ ...MINIMAL, ...method, jwks: { keys: [publicJwk] } }, ID)).toMatchObject({
      jwks: { keys: [publicJwk] },
    });
    const elsewhere = { ...MINIMAL, ...method, jwks_uri: "https://scout.example/keys" };
    expect(parseClientMetadata(elsewhere, ID)).toStrictEqual({ ...elsewhere, redirect_uris: [] });
  });

  test("at its bounds", () => {
    const uri = `https://scout.example/${"x".repeat(2_048 - "https://scout.example/".length)}`;
    expect(told({ ...MINIMAL, client_name: "x".repeat(200), redirect_uris: [uri] })).toBe("nothing");
    expect(told({ ...MINIMAL, redirect_uris: [`${uri}x`] })).toMatch(/nobody may be sent to/);
    expect([isClientIdUrl(uri), isClientIdUrl(`${uri}x`)]).toEqual([true, false]);
  });

  test.each(["https://user@scout.example/", "https://:password@scout.example/"])(
    "not with credentials in a redirect URI: %s",
    (uri) => {
      expect(told({ ...MINIMAL, redirect_uris: [uri] })).toMatch(/nobody may be sent to/);
    },
  );
});

test("on this machine a document may be by http, and not by any other scheme", () => {
  expect(isClientIdUrl("http://127.0.0.1/agent.json", true)).toBe(true);
  expect(isClientIdUrl("ftp://127.0.0.1/agent.json", true)).toBe(false);
  expect(isClientIdUrl("http://127.0.0.1/agent.json", false)).toBe(false);
});

describe("the document of an agent", () => {
  const parameters = { clientId: ID, name: "Scout", redirectUris: ["https://scout.example/callback"] };

  test("of a public client says what it may do, and no member more", () => {
    expect(buildClientMetadata(parameters)).toStrictEqual({
      client_id: ID,
      client_name: "Scout",
      redirect_uris: ["https://scout.example/callback"],
      grant_types: ["authorization_code", "refresh_token", TOKEN_EXCHANGE_GRANT, JWT_BEARER_GRANT],
      authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE],
      token_endpoint_auth_method: "none",
    });
  });

  test("says where people go after signing out, and whether all of its tokens are bound", () => {
    const postLogoutRedirectUris = ["https://scout.example/bye"];
    const built = buildClientMetadata({ ...parameters, postLogoutRedirectUris, dpopBound: false });
    expect(built).toMatchObject({ post_logout_redirect_uris: postLogoutRedirectUris, dpop_bound_access_tokens: false });
  });

  test("of a client on this machine may be built, and one that nobody could fetch may not", () => {
    expect(buildClientMetadata({ ...parameters, clientId: "http://127.0.0.1/a" }).client_id).toBe("http://127.0.0.1/a");
    expect(() => buildClientMetadata({ ...parameters, clientId: "scout" })).toThrow(
      expect.objectContaining({ code: "configuration" }),
    );
  });
});
