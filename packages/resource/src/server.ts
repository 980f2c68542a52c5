import { CredenceError } from "@credence/protocol";
import { dpopNonces } from "@credence/protocol/dpop";
import { guardedFetch } from "@credence/protocol/fetch";
import { importSigner, type Signer } from "@credence/protocol/jws";
import { signAccessToken } from "./access-token/access-token.ts";
import type { AccessTokenClaims } from "./access-token/claims.ts";
import { type OpaqueTokens, opaqueTokens } from "./access-token/opaque.ts";
import { systemTime } from "./clock.ts";
import { checkOptions, isSigner, ownKeys } from "./configuration.ts";
import type { RequestContext } from "./context.ts";
import { endpointsOf } from "./endpoints/metadata.ts";
import { resourceMetadataUrl, router } from "./endpoints/router.ts";
import { port } from "./fault.ts";
import { issuerKeys } from "./issuer-keys/issuer-keys.ts";
import type { Narrowed, ResourceServerOptions } from "./options.ts";
import { type CheckedToken, tokenChecker, tokenReader } from "./protect/check.ts";
import type { PresentedToken } from "./protect/possession.ts";
import { authorize, type Guard, type ProtectedHandler, protect } from "./protect/protect.ts";
import type { Recorder } from "./record.ts";
import { trustFinder } from "./redeem/customers.ts";
import type { Receiver } from "./redeem/redeem.ts";
import type { Account } from "./redeem/subject.ts";
import { isUnrevoked, type Revocation, revoke } from "./revocation.ts";
import { memoryStore, type ResourceStore } from "./store.ts";

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
  const opaque = options.accessToken?.format === "opaque" ? opaqueTokens(store) : undefined;
  const receiver = receiverOf(options, store, opaque);
  const record: Recorder = async (event) => options.record(event);
  const jwks = ownKeys(options.signingKey, options.publicKeys);
  const resources = [...receiver.resources.keys()];
  const { issuer, isAlive, now, consume } = receiver;
  const ownFormat = opaque?.check ?? options.accessToken?.check;
  const check = tokenChecker({ issuer, jwks, ownFormat, isAlive, consume, record, now });
  const route = router(receiver, jwks, record, {
    ...receiver,
    read: tokenReader({ issuer, jwks, ownFormat, isAlive, now }),
    async end(token, { root }) {
      await opaque?.end(token);
      const { iss, tenant, jti } = root;
      await revoke({ iss, jti, ...(tenant === undefined ? {} : { tenant }) }, store);
    },
  });

  const chosen = (resource: string | undefined): string => {
    const [only] = resources;
    const one = resource ?? (resources.length === 1 ? only : undefined);
    if (one !== undefined && receiver.resources.has(one)) return one;
    throw new CredenceError("Name one of the server's resources", { code: "configuration" });
  };
  const guard = ({ resource, scopes = [], maxAge, acrValues }: ProtectOptions): Guard => {
    const one = chosen(resource);
    return {
      metadataUrl: resourceMetadataUrl(one),
      scopes,
      requireBound: receiver.resources.get(one)?.requireBound ?? false,
      check: (presented) => check(presented, { resource: one, scopes, maxAge, acrValues }),
    };
  };
  return {
    issuer: options.issuer,
    resources,
    fetch: async (request, context) => (await route(request, context)) ?? new Response(null, { status: 404 }),
    tryFetch: route,
    protect: (wanted, handler) => protect(guard(wanted), handler),
    authorize: (request, wanted = {}, context = {}) => authorize(request, guard(wanted), context),
    check: (token, wanted = {}, presented = {}) => guard(wanted).check({ ...presented, token }),
    revoke: (what) => revoke(what, store),
    resourceMetadataUrl: (resource) => resourceMetadataUrl(chosen(resource)),
  };
}

function receiverOf<A extends Account>(
  options: ResourceServerOptions<A>,
  store: ResourceStore,
  opaque: OpaqueTokens | undefined,
): Receiver<A> {
  const { issuer, now: clock = systemTime, narrow, clients, accessToken = {}, isAlive = () => true } = options;
  // Times in tokens are whole seconds, whatever clock is given.
  const now = (): number => Math.floor(clock());
  const fetch = guardedFetch({
    ...(options.fetch ? { fetch: options.fetch } : {}),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    allowLoopback: options.development ?? false,
  });
  const sign = signerOf(options.signingKey);
  const { issue = opaque?.issue ?? (async (claims) => signAccessToken(claims, await sign())) } = accessToken;
  const { nonceSecret } = options.dpop ?? {};
  const known = typeof clients === "function" ? undefined : new Map(clients.map((one) => [one.clientId, one]));
  const findClient = typeof clients === "function" ? clients : async (clientId: string) => known?.get(clientId);
  return {
    issuer,
    resources: new Map(Object.entries(options.resources)),
    requireResource: options.requireResource ?? true,
    lifetime: accessToken.lifetime ?? 300,
    findClient: port("internal-fault", "clients", findClient),
    findTrust: port("internal-fault", "customers", trustFinder(options.customers)),
    keysOf: issuerKeys(fetch, now),
    consume: port("store-unavailable", "store.consume", (key, expiresAt) => store.consume(key, expiresAt)),
    tokenEndpoint: endpointsOf(issuer).token,
    nonces: nonceSecret && dpopNonces(nonceSecret),
    isAlive: async (grant) =>
      (await port("store-unavailable", "store.epochs", () => isUnrevoked(grant, store))()) &&
      (await port("internal-fault", "isAlive", async () => (await isAlive(grant)) === true)()),
    accounts: options,
    narrow: port("internal-fault", "narrow", async (input) => {
      const left = narrow ? await narrow(input) : input.scope;
      return isScopes(left) ? { scope: left } : left;
    }),
    issue: port("signer-unavailable", "accessToken.issue", async (claims) => issue(claims)),
    now,
  };
}

function isScopes(left: readonly string[] | Narrowed): left is readonly string[] {
  return Array.isArray(left);
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
