import { dpopNonces } from "@credence/protocol/dpop";
import { importSigner, type Signer } from "@credence/protocol/jws";
import { signAccessToken } from "./access-token/access-token.ts";
import type { AccessTokenClaims } from "./access-token/claims.ts";
import { type OpaqueTokens, opaqueTokens } from "./access-token/opaque.ts";
import { checkOptions, isSigner, ownKeys } from "./configuration.ts";
import type { RequestContext } from "./context.ts";
import { endpointsOf } from "./endpoints/metadata.ts";
import { router } from "./endpoints/router.ts";
import { port } from "./fault.ts";
import type { ResourceServerOptions } from "./options.ts";
import { type CheckedToken, tokenChecker, tokenReader } from "./protect/check.ts";
import type { PresentedToken } from "./protect/possession.ts";
import type { ProtectedHandler } from "./protect/protect.ts";
import { serverOf } from "./protect/server-of.ts";
import { recorderOf } from "./record.ts";
import { grantPorts } from "./redeem/ports.ts";
import type { Receiver } from "./redeem/redeem.ts";
import type { Account } from "./redeem/subject.ts";
import { type Revocation, revoke, revokeAccessToken } from "./revocation.ts";
import { memoryStore, namedStore, type ResourceStore } from "./store.ts";

/** Which resource a call is for, and what it needs. */
export interface ProtectOptions {
  /** The resource's identifier; may be left out where the server has one only. */
  readonly resource?: string;
  /** Scopes that the call needs: all of them. None by default. */
  readonly scopes?: readonly string[];
  /** Seconds that the person's sign-in at their IdP may be old at the most. @see RFC 9470 §3 */
  readonly maxAge?: number;
  /** Ways to have signed in (`acr`), any of which is enough. @see RFC 9470 §3 */
  readonly acrValues?: readonly string[];
}

/** What a call carries beside its access token, for {@link ResourceServer.check}. */
export type PresentedWith = Omit<PresentedToken, "token">;

/** A resource authorization server, with the checks of its resources. */
export interface ResourceServer {
  readonly issuer: string;
  /** Identifiers of the resources. */
  readonly resources: readonly string[];
  /** Answers the authorization server's endpoints and all metadata; 404 for anything else. */
  readonly fetch: (request: Request, context?: RequestContext) => Promise<Response>;
  /** As `fetch`, but `undefined` for anything else, so that the app's own routes can follow. */
  readonly tryFetch: (request: Request, context?: RequestContext) => Promise<Response | undefined>;
  /**
   * Puts the check of access tokens before a handler.
   * @see RFC 6750, RFC 9728 §5.1
   */
  readonly protect: (
    options: ProtectOptions,
    handler: ProtectedHandler,
  ) => (request: Request, context?: RequestContext) => Promise<Response>;
  /** As `protect`, for frameworks that call the handler themselves: the claims, or the answer that refuses. */
  readonly authorize: (
    request: Request,
    options?: ProtectOptions,
    context?: RequestContext,
  ) => Promise<AccessTokenClaims | Response>;
  /**
   * Checks an access token.
   *
   * @param presented - What came with it; without it a token that is bound is refused.
   * @returns its claims; refused, and recorded: `access-token-…`, `scope-insufficient`, or `internal-fault` where
   * `isAlive` or the app's own `check` failed.
   */
  readonly check: (token: string, options?: ProtectOptions, presented?: PresentedWith) => Promise<CheckedToken>;
  /**
   * Makes ID-JAGs and access tokens dead that were issued up to now: of a person, of a client, of a person's client, or one
   * ID-JAG with all that came from it. All processes that share the store see it at once.
   */
  readonly revoke: (what: Revocation) => Promise<void>;
  /** URL of a resource's metadata. @see RFC 9728 §3.1 */
  readonly resourceMetadataUrl: (resource?: string) => string;
}

/**
 * Makes a resource authorization server: the receiving half of ID-JAG, with the checks for the resources themselves.
 *
 * @throws CredenceError `configuration` when an option is wrong.
 * @see ID-JAG draft §4.4
 */
export function createResourceServer<A extends Account>(options: ResourceServerOptions<A>): ResourceServer {
  checkOptions(options);
  const store = options.store ?? memoryStore(options.now === undefined ? {} : { now: options.now });
  const named = namedStore(store);
  const opaque = options.accessToken?.format === "opaque" ? opaqueTokens(named) : undefined;
  const receiver = receiverOf(options, store, opaque);
  const record = recorderOf(options);
  const jwks = ownKeys(options.signingKey, options.publicKeys);
  const { issuer, isAlive, now, consume } = receiver;
  const ownFormat = opaque?.check ?? options.accessToken?.check;
  const check = tokenChecker({ issuer, jwks, ownFormat, isAlive, consume, record, now });
  const route = router(receiver, jwks, record, {
    ...receiver,
    record,
    read: tokenReader({ issuer, jwks, ownFormat, isAlive, now }),
    end: (token, claims) => opaque?.end(token) ?? revokeAccessToken(claims, named),
  });
  return serverOf({ issuer, resources: receiver.resources, route, check, revoke: (what) => revoke(what, named) });
}

function receiverOf<A extends Account>(
  options: ResourceServerOptions<A>,
  store: ResourceStore,
  opaque: OpaqueTokens | undefined,
): Receiver<A> {
  const { issuer, clients, accessToken = {} } = options;
  const sign = signerOf(options.signingKey);
  const { issue = async (claims) => signAccessToken(claims, await sign()) } = accessToken;
  const { nonceSecret } = options.dpop ?? {};
  const known = typeof clients === "function" ? undefined : new Map(clients.map((one) => [one.clientId, one]));
  const findClient = typeof clients === "function" ? clients : async (clientId: string) => known?.get(clientId);
  return {
    ...grantPorts(options, store),
    lifetime: accessToken.lifetime ?? 300,
    findClient: port("internal-fault", "clients", findClient),
    tokenEndpoint: endpointsOf(issuer).token,
    nonces: nonceSecret && dpopNonces(nonceSecret),
    issue: opaque?.issue ?? port("signer-unavailable", "accessToken.issue", async (claims) => issue(claims)),
  };
}

/** Imports the key at its first use. */
function signerOf(key: ResourceServerOptions["signingKey"]): () => Promise<Signer> {
  if (isSigner(key)) return async () => key;
  let signer: Promise<Signer> | undefined;
  return () => {
    signer ??= importSigner(key);
    return signer;
  };
}
