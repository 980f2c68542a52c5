import { ID_JAG_GRANT_PROFILE } from "@credence/protocol/id-jag";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import type { ResourceDefinition } from "../options.ts";
import type { Resources } from "../redeem/offer.ts";

/** Where the endpoints are, below the issuer. */
export function endpointsOf(issuer: string): {
  readonly token: string;
  readonly jwks: string;
  readonly authorize: string;
} {
  const base = issuer.replace(/\/$/, "");
  return { token: `${base}/token`, jwks: `${base}/jwks`, authorize: `${base}/authorize` };
}

/**
 * The authorization server's metadata. It says that ID-JAGs are redeemed here, and not whose.
 *
 * @see RFC 8414 §2, ID-JAG draft §7.2
 */
export function authorizationServerDocument(issuer: string, resources: Resources): object {
  const { token, jwks, authorize } = endpointsOf(issuer);
  return {
    issuer,
    token_endpoint: token,
    jwks_uri: jwks,
    // Clients' parsers demand the next two; the endpoint only explains that there is nothing to authorize here.
    authorization_endpoint: authorize,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
    grant_types_supported: [JWT_BEARER_GRANT],
    authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE],
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    token_endpoint_auth_signing_alg_values_supported: JWS_ALGORITHMS,
    scopes_supported: [...new Set([...resources.values()].flatMap(({ scopes }) => Object.keys(scopes)))],
  };
}

/**
 * A protected resource's metadata.
 * @see RFC 9728 §2
 */
export function protectedResourceDocument(issuer: string, resource: string, definition: ResourceDefinition): object {
  return {
    resource,
    authorization_servers: [issuer],
    scopes_supported: Object.keys(definition.scopes),
    bearer_methods_supported: ["header"],
    ...(definition.name === undefined ? {} : { resource_name: definition.name }),
  };
}
