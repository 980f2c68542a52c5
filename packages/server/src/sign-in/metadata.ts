/** Token type of an ID-JAG. */
const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

/**
 * The server's metadata: oidc-provider's, with what the token endpoint can do beside it.
 *
 * @param metadata - As oidc-provider makes it.
 * @see RFC 8414 §2, ID-JAG draft §7.1 (`identity_chaining_requested_token_types_supported`)
 */
export function completeMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  return {
    ...metadata,
    grant_types_supported: ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
    response_modes_supported: ["query"],
    identity_chaining_requested_token_types_supported: [ID_JAG],
  };
}
