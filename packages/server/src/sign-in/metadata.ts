import { ID_JAG_TOKEN_TYPE } from "@credence/protocol/id-jag";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";

/**
 * The server's metadata: oidc-provider's, with what the token endpoint can do beside it.
 *
 * @param metadata - As oidc-provider makes it.
 * Which types of authorization details there are (RFC 9396 §10) is not said: they are the apps', and a stranger would learn
 * which apps there are.
 *
 * @see RFC 8414 §2, ID-JAG draft §7.1 (`identity_chaining_requested_token_types_supported`)
 */
export function completeMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  return {
    ...metadata,
    grant_types_supported: ["authorization_code", "refresh_token", TOKEN_EXCHANGE_GRANT],
    response_modes_supported: ["query"],
    revocation_endpoint_auth_methods_supported: metadata.token_endpoint_auth_methods_supported,
    revocation_endpoint_auth_signing_alg_values_supported: metadata.token_endpoint_auth_signing_alg_values_supported,
    identity_chaining_requested_token_types_supported: [ID_JAG_TOKEN_TYPE],
  };
}
