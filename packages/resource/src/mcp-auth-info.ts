import { type AccessTokenClaims, type Root, scopesOf } from "./access-token/claims.ts";

/** What both MCP SDKs hand to tools about a call, in the form that they share. */
export interface McpAuthInfo {
  readonly token: string;
  readonly clientId: string;
  readonly scopes: string[];
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly resource: URL;
  readonly extra: Record<string, unknown> & {
    /** Id of the local account. */
    readonly account: string;
    readonly customer: string;
    /** The ID-JAG that it all goes back to. */
    readonly root: Root;
  };
}

/**
 * What the SDKs hand to tools as `authInfo`: the local account is `extra.account`, its customer `extra.customer`, the ID-JAG
 * that it all goes back to `extra.root`, and authorization details, where there are any, `extra.authorizationDetails`.
 */
export function authInfoOf(token: string, claims: AccessTokenClaims): McpAuthInfo {
  const { sub: account, customer, root, authorization_details: authorizationDetails } = claims;
  return {
    token,
    clientId: claims.client_id,
    scopes: [...scopesOf(claims)],
    expiresAt: claims.exp,
    resource: new URL(claims.aud),
    extra: { account, customer, root, ...(authorizationDetails === undefined ? {} : { authorizationDetails }) },
  };
}

/** The access token of a request that was let through: what its `Authorization` header has behind the scheme. */
export function tokenOf(authorization: string | null | undefined): string {
  const [, ...token] = (authorization ?? "").split(" ");
  return token.join("").trim();
}
