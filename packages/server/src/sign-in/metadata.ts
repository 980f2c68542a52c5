import { ID_JAG_TOKEN_TYPE } from "@credence/protocol/id-jag";
import { TOKEN_EXCHANGE_GRANT } from "@credence/protocol/token-exchange";

/**
 * The server's metadata: oidc-provider's, with what the token endpoint can do beside it.
 *
 * @param metadata - As oidc-provider makes it.
 * @see RFC 8414 §2, ID-JAG draft §7.1 (`identity_chaining_requested_token_types_supported`)
 */
export function completeMetadata(metadata: Record<string, unknown>): Record<string, unknown> {
  return {
    ...metadata,
    grant_types_supported: ["authorization_code", "refresh_token", TOKEN_EXCHANGE_GRANT],
    response_modes_supported: ["query"],
    identity_chaining_requested_token_types_supported: [ID_JAG_TOKEN_TYPE],
  };
}
