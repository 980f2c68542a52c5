import { dpopNonces } from "@credence/protocol/dpop";
import type { Signer } from "@credence/protocol/jws";
import { signAccessToken } from "./access-token/access-token.ts";
import type { AccessTokenClaims } from "./access-token/claims.ts";
import { type OpaqueTokens, opaqueTokens } from "./access-token/opaque.ts";
import { checkOptions, isSigner, ownKeys } from "./configuration.ts";
import type { RequestContext } from "./context.ts";
import { keysOfSets, type ResourceCrypto, webCrypto } from "./crypto.ts";
import type { Answer } from "./endpoints/answer.ts";
import { endpointsOf } from "./endpoints/metadata.ts";
import { router } from "./endpoints/router.ts";
import { tokenAnswer } from "./endpoints/token.ts";
import { port } from "./fault.ts";
import type { ResourceServerOptions } from "./options.ts";
import { type CheckedToken, tokenChecker, tokenReader } from "./protect/check.ts";
import type { PresentedToken } from "./protect/possession.ts";
import type { CallRequest, ProtectedHandler } from "./protect/protect.ts";
import { serverOf } from "./protect/server-of.ts";
import { recorderOf } from "./record.ts";
import { grantPorts } from "./redeem/ports.ts";
import type { Receiver, RedemptionRequest } from "./redeem/redeem.ts";
import type { Account } from "./redeem/subject.ts";
import { storeKeys } from "./replay.ts";
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

/** The token endpoint, beneath everything that is of the Web's requests and answers. */
export interface TokenEndpoint {
  /** Path of its URL. */
  readonly path: string;
  /** Redeems, records, answers; never rejects. */
  readonly answer: (request: RedemptionRequest) => Promise<Answer>;
}

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
    request: CallRequest,
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
  /** The token endpoint for adapters that read forms and send answers themselves; absent where another program has it. */
  readonly tokenEndpoint?: TokenEndpoint;
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
  const { crypto = webCrypto } = options;
  const storeKeyOf = storeKeys(crypto);
  const opaque = options.accessToken?.format === "opaque" ? opaqueTokens(named, storeKeyOf) : undefined;
  const receiver = receiverOf(options, store, opaque);
  const record = recorderOf(options);
  const jwks = ownKeys(options.signingKey, options.publicKeys);
  const { issuer, isAlive, now, consume } = receiver;
  const ownFormat = opaque?.check ?? options.accessToken?.check;
  const check = tokenChecker({ issuer, jwks, crypto, storeKeyOf, ownFormat, isAlive, consume, record, now });
  const route = router(receiver, jwks, record, {
    ...receiver,
    record,
    read: tokenReader({ issuer, jwks, crypto, ownFormat, isAlive, now }),
    end: (token, claims) => opaque?.end(token) ?? revokeAccessToken(claims, named, storeKeyOf),
  });
  return serverOf({
    issuer,
    resources: receiver.resources,
    route,
    tokenEndpoint: {
      path: new URL(receiver.tokenEndpoint).pathname,
      answer: (request) => tokenAnswer(request, receiver, record),
    },
    check,
    revoke: (what) => revoke(what, named, storeKeyOf),
  });
}

function receiverOf<A extends Account>(
  options: ResourceServerOptions<A>,
  store: ResourceStore,
  opaque: OpaqueTokens | undefined,
): Receiver<A> {
  const { issuer, clients, accessToken = {}, crypto = webCrypto } = options;
  const sign = signerOf(options.signingKey, crypto);
  const { issue = async (claims) => signAccessToken(claims, await sign()) } = accessToken;
  const { nonceSecret } = options.dpop ?? {};
  const known = typeof clients === "function" ? undefined : new Map(clients.map((one) => [one.clientId, one]));
  const findClient = typeof clients === "function" ? clients : (clientId: string) => known?.get(clientId);
  return {
    ...grantPorts(options, store),
    lifetime: accessToken.lifetime ?? 300,
    findClient: port("internal-fault", "clients", findClient),
    keysOfSet: keysOfSets(crypto.keysOf),
    tokenEndpoint: endpointsOf(issuer).token,
    nonces: nonceSecret && dpopNonces(nonceSecret),
    issue: opaque?.issue ?? port("signer-unavailable", "accessToken.issue", issue),
  };
}

/** Imports the key at its first use. */
function signerOf(
  key: ResourceServerOptions["signingKey"],
  { signerOf }: ResourceCrypto,
): () => Signer | Promise<Signer> {
  if (isSigner(key)) return () => key;
  let signer: Signer | Promise<Signer> | undefined;
  return () => {
    signer ??= signerOf(key);
    return signer;
  };
}
