import { CredenceError } from "@credence/protocol";
import type { Confirmation } from "@credence/protocol/dpop";
import { type JwkSet, type JwsAlgorithm, parseJwks } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import type { AccessToken, Client, ClientCredentials, Provider, UnknownObject } from "oidc-provider";
import { type AccessTokenClaims, parseAccessTokenClaims } from "../access-token/claims.ts";
import { checkLifetime } from "../configuration.ts";
import type { Grant } from "../redeem/redeem.ts";

/** How the provider's access tokens for ID-JAGs are made. */
export type ProviderAccessTokenOptions = {
  /** Seconds that an access token lives; 300 by default. */
  readonly lifetime?: number;
} & (
  | {
      /** The provider's adapter keeps them (the default), so that each can be revoked by itself. */
      readonly format?: "opaque";
    }
  | {
      /** RFC 9068 `at+jwt`, signed by the provider. */
      readonly format: "jwt";
      /** The provider's keys: what it has for `jwks` in its configuration; only public halves are kept. */
      readonly jwks: JwkSet;
      /** What the provider signs with; as its ID tokens by default. */
      readonly algorithm?: JwsAlgorithm;
    }
);

/**
 * Checks the options, and finds the keys that the provider's JWTs are checked with: none where its tokens are opaque.
 *
 * @throws CredenceError `configuration`, whose message says what is wrong.
 */
export function tokenKeys(options: ProviderAccessTokenOptions): JwkSet {
  checkLifetime(options.lifetime ?? LIFETIME);
  if (options.format !== "jwt") return { keys: [] };
  const jwks = parseJwks(options.jwks);
  if (jwks === undefined || jwks.keys.length === 0) throw wrong("accessToken.jwks has no keys");
  return jwks;
}

/** Seconds that an access token lives by default. */
const LIFETIME = 300;

/** What stands in a token beside oidc-provider's own claims: whose it is, and what it goes back to. */
const ownClaims = new WeakMap<object, UnknownObject>();

/**
 * The claims by which a revocation finds an access token that was made for an ID-JAG: for `extraTokenClaims` of the provider's
 * configuration, alone or among claims of your own.
 *
 * @returns `undefined` for every other token.
 */
export function idJagTokenClaims(_ctx: unknown, token: AccessToken | ClientCredentials): UnknownObject | undefined {
  return ownClaims.get(token);
}

/** An access token of the provider's, and how to take it back. */
export interface IssuedToken {
  readonly value: string;
  /** Not the token, whatever its format. */
  readonly id: string;
  /** Seconds. */
  readonly expiresIn: number;
  undo(): Promise<void>;
}

/**
 * Makes the provider's own access token of what an ID-JAG grants: for one resource, bound, with a grant of its own and no
 * refresh token.
 *
 * @throws CredenceError `configuration` when the provider's configuration lacks {@link idJagTokenClaims}. Rejects when the
 * provider's adapter does.
 */
export async function issueProviderToken(
  grant: Grant,
  scopes: readonly string[],
  client: Client,
  provider: Provider,
  options: ProviderAccessTokenOptions,
): Promise<IssuedToken> {
  const { account, resource, scope, authorizationDetails: details, binding, customer, root, claims } = grant;
  const { lifetime = LIFETIME } = options;
  // A JWT's sub would be the pairwise one, and the resource looks accounts up by it.
  if (options.format === "jwt" && client.subjectType === "pairwise") {
    throw wrong(`the access tokens of ${client.clientId} are JWTs, and its subject_type is pairwise: use opaque ones`);
  }
  const kept = new provider.Grant({ accountId: account.id, clientId: client.clientId });
  kept.addResourceScope(resource, scope.join(" "));
  // It ends with its only token.
  Object.assign(kept, { expiresIn: lifetime });
  const grantId = await kept.save();
  const token = new provider.AccessToken({
    accountId: account.id,
    client,
    grantId,
    gty: JWT_BEARER_GRANT,
    expiresIn: lifetime,
    resourceServer: new provider.ResourceServer(resource, {
      scope: scopes.join(" "),
      accessTokenFormat: options.format ?? "opaque",
      ...(options.format === "jwt" && options.algorithm !== undefined
        ? { jwt: { sign: { alg: options.algorithm } } }
        : {}),
    }),
    ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
    ...(details.length === 0 ? {} : { rar: details.map((detail) => ({ ...detail })) }),
    ...binding,
  });
  ownClaims.set(token, {
    customer,
    root,
    ...(claims.acr === undefined ? {} : { acr: claims.acr }),
    ...(claims.auth_time === undefined ? {} : { auth_time: claims.auth_time }),
    ...(claims.act === undefined ? {} : { act: claims.act }),
  });
  const value = await token.save();
  const undo = async (): Promise<void> => {
    if (options.format !== "jwt") await token.destroy();
    await kept.destroy();
  };
  if (token.extra?.root === undefined) {
    await undo();
    throw wrong("extraTokenClaims of the provider's configuration does not add idJagTokenClaims: nothing could revoke");
  }
  // The jti of an opaque token is the token itself.
  return { value, id: options.format === "jwt" ? token.jti : grantId, expiresIn: lifetime, undo };
}

/** Reads an opaque access token that {@link issueProviderToken} made, while its grant lives. */
export function providerTokenReader(provider: Provider): (token: string) => Promise<AccessTokenClaims | undefined> {
  return async (token) => {
    const found = await provider.AccessToken.find(token);
    if (found === undefined || !found.isValid) return undefined;
    const grant = await provider.Grant.find(found.grantId);
    const same = grant?.clientId === found.clientId && grant?.accountId === found.accountId;
    return same ? claimsOf(found, provider.issuer) : undefined;
  };
}

/** The claims of an access token that was made for an ID-JAG; `undefined` for every other. */
export function claimsOf(token: AccessToken, issuer: string): AccessTokenClaims | undefined {
  const { aud, accountId, clientId, grantId, iat, exp, scope, rar, extra, jkt, "x5t#S256": certificate } = token;
  const cnf = jkt === undefined ? certificate && { "x5t#S256": certificate } : { jkt };
  const claims = parseAccessTokenClaims({
    ...extra,
    iss: issuer,
    aud,
    sub: accountId,
    client_id: clientId,
    // The jti of an opaque token is the token itself; its grant is its alone.
    jti: grantId,
    iat,
    exp,
    ...(scope === undefined ? {} : { scope }),
    ...(rar === undefined ? {} : { authorization_details: rar }),
    ...(cnf === undefined ? {} : { cnf }),
  });
  return typeof claims === "string" ? undefined : claims;
}

/** What the client is told of how its token is bound. A certificate leaves it a bearer token (RFC 8705 §3). */
export function tokenType(binding: Confirmation | undefined): "DPoP" | "Bearer" {
  return binding?.jkt === undefined ? "Bearer" : "DPoP";
}

function wrong(message: string): CredenceError {
  return new CredenceError(message, { code: "configuration" });
}
