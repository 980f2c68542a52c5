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
  readonly introspection: string;
  readonly revocation: string;
} {
  const base = issuer.replace(/\/$/, "");
  return {
    token: `${base}/token`,
    jwks: `${base}/jwks`,
    authorize: `${base}/authorize`,
    introspection: `${base}/introspect`,
    revocation: `${base}/revoke`,
  };
}

/**
 * The authorization server's metadata. It says that ID-JAGs are redeemed here, and not whose.
 *
 * @see RFC 8414 §2, ID-JAG draft §7.2
 */
export function authorizationServerDocument(issuer: string, resources: Resources): object {
  const { token, jwks, authorize, introspection, revocation } = endpointsOf(issuer);
  const types = [...new Set([...resources.values()].flatMap(typesOf))];
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
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: JWS_ALGORITHMS,
    introspection_endpoint: introspection,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint: revocation,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    dpop_signing_alg_values_supported: JWS_ALGORITHMS,
    tls_client_certificate_bound_access_tokens: true,
    ...(types.length === 0 ? {} : { authorization_details_types_supported: types }),
    scopes_supported: [...new Set([...resources.values()].flatMap(({ scopes }) => Object.keys(scopes)))],
  };
}

const AUTH_METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"];

function typesOf({ authorizationDetailsTypes = {} }: ResourceDefinition): readonly string[] {
  return Object.keys(authorizationDetailsTypes);
}

/**
 * A protected resource's metadata.
 * @see RFC 9728 §2
 */
export function protectedResourceDocument(issuer: string, resource: string, definition: ResourceDefinition): object {
  return {
    resource,
    authorization_servers: [issuer],
    // RFC 9728 §3.2: what has no members is left out.
    ...(Object.keys(definition.scopes).length === 0 ? {} : { scopes_supported: Object.keys(definition.scopes) }),
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: JWS_ALGORITHMS,
    ...(definition.requireBound ? { dpop_bound_access_tokens_required: true } : {}),
    ...(typesOf(definition).length === 0 ? {} : { authorization_details_types_supported: typesOf(definition) }),
    ...(definition.name === undefined ? {} : { resource_name: definition.name }),
  };
}
