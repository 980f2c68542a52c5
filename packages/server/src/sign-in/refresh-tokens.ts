import type { Provider } from "oidc-provider";

/** What is known of a refresh token that still counts. Times in seconds since the epoch. */
export interface LiveRefreshToken {
  readonly personId: string;
  readonly agentId: string;
  readonly scope: readonly string[];
  readonly binding?: { readonly jkt: string } | { readonly "x5t#S256": string };
  readonly authTime?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

/** Characters of a refresh token at the most. */
const MAX_LENGTH = 512;

/**
 * Looks a refresh token up by all that a refresh would look at, and leaves it as it is.
 *
 * @returns what it stands for; `undefined` where a refresh would be refused: unknown, expired, used up, its grant revoked or
 * another's, its client or person disabled or gone.
 * @see RFC 6749 §6, ID-JAG draft §4.3.3
 */
export async function refreshTokenAlive(provider: Provider, token: string): Promise<LiveRefreshToken | undefined> {
  if (token.length > MAX_LENGTH) return undefined;
  const found = await provider.RefreshToken.find(token);
  // `find` gives used ones too: a use of one is for the refresh grant to punish, and here it is worth nothing.
  if (found === undefined || !found.isValid || found.grantId === undefined || found.clientId === undefined)
    return undefined;
  const { accountId, clientId, grantId } = found;
  const grant = await provider.Grant.find(grantId);
  if (grant === undefined || grant.accountId !== accountId || grant.clientId !== clientId) return undefined;
  const client = grant.isExpired ? undefined : await provider.Client.find(clientId);
  // An agent that no longer signs anybody in has no refresh tokens either.
  if (!client?.grantTypeAllowed("refresh_token")) return undefined;
  const { jkt, "x5t#S256": certificate, authTime, acr, amr } = found;
  return {
    personId: accountId,
    agentId: clientId,
    scope: (found.scope ?? "").split(" "),
    ...(jkt === undefined ? {} : { binding: { jkt } }),
    ...(certificate === undefined ? {} : { binding: { "x5t#S256": certificate } }),
    ...(authTime === undefined ? {} : { authTime }),
    ...(acr === undefined ? {} : { acr }),
    ...(amr === undefined ? {} : { amr }),
  };
}
