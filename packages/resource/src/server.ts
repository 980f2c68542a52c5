import { CredenceError } from "@credence/protocol";
import { guardedFetch } from "@credence/protocol/fetch";
import { importSigner, type Signer } from "@credence/protocol/jws";
import { signAccessToken } from "./access-token/access-token.ts";
import { systemTime } from "./clock.ts";
import { checkOptions, isSigner, ownKeys } from "./configuration.ts";
import { resourceMetadataUrl, router } from "./endpoints/router.ts";
import { port } from "./fault.ts";
import { issuerKeys } from "./issuer-keys/issuer-keys.ts";
import type { ResourceServerOptions } from "./options.ts";
import { type CheckedToken, tokenChecker } from "./protect/check.ts";
import { type Guard, type ProtectedHandler, protect } from "./protect/protect.ts";
import type { Recorder } from "./record.ts";
import { trustFinder } from "./redeem/customers.ts";
import type { Receiver } from "./redeem/redeem.ts";
import type { Account } from "./redeem/subject.ts";
import { memoryReplayStore } from "./replay.ts";

/** Which resource a call is for, and what it needs. */
export interface ProtectOptions {
  /** The resource's identifier; may be left out where the server has one only. */
  readonly resource?: string;
  /** Scopes that the call needs: all of them. None by default. */
  readonly scopes?: readonly string[];
}

/** A resource authorization server, with the checks of its resources. */
export interface ResourceServer {
  readonly issuer: string;
  /** Identifiers of the resources. */
  readonly resources: readonly string[];
  /** Answers the authorization server's endpoints and all metadata; 404 for anything else. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** As `fetch`, but `undefined` for anything else, so that the app's own routes can follow. */
  readonly tryFetch: (request: Request) => Promise<Response | undefined>;
  /**
   * Puts the check of access tokens before a handler.
   * @see RFC 6750, RFC 9728 §5.1
   */
  readonly protect: (options: ProtectOptions, handler: ProtectedHandler) => (request: Request) => Promise<Response>;
  /**
   * Checks an access token.
   *
   * @returns its claims; refused, and recorded: `access-token-…`, `scope-insufficient`, or `internal-fault` where
   * `isAlive` or the app's own `check` failed.
   */
  readonly check: (token: string, options?: ProtectOptions) => Promise<CheckedToken>;
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
  const receiver = receiverOf(options);
  const record: Recorder = async (event) => options.record(event);
  const jwks = ownKeys(options.signingKey, options.publicKeys);
  const route = router(receiver, jwks, record);
  const resources = [...receiver.resources.keys()];
  const { issuer, isAlive, now } = receiver;
  const check = tokenChecker({ issuer, jwks, ownFormat: options.accessToken?.check, isAlive, record, now });

  const chosen = (resource: string | undefined): string => {
    const [only] = resources;
    const one = resource ?? (resources.length === 1 ? only : undefined);
    if (one !== undefined && receiver.resources.has(one)) return one;
    throw new CredenceError("Name one of the server's resources", { code: "configuration" });
  };
  const guard = ({ resource, scopes = [] }: ProtectOptions): Guard => {
    const one = chosen(resource);
    return { metadataUrl: resourceMetadataUrl(one), scopes, check: (token) => check(token, one, scopes) };
  };
  return {
    issuer: options.issuer,
    resources,
    fetch: async (request) => (await route(request)) ?? new Response(null, { status: 404 }),
    tryFetch: route,
    protect: (wanted, handler) => protect(guard(wanted), handler),
    check: (token, { resource, scopes = [] } = {}) => check(token, chosen(resource), scopes),
    resourceMetadataUrl: (resource) => resourceMetadataUrl(chosen(resource)),
  };
}

function receiverOf<A extends Account>(options: ResourceServerOptions<A>): Receiver<A> {
  const { issuer, now: clock = systemTime, narrow, clients, accessToken = {}, isAlive = () => true } = options;
  // Times in tokens are whole seconds, whatever clock is given.
  const now = (): number => Math.floor(clock());
  const store = options.store ?? memoryReplayStore({ now });
  const fetch = guardedFetch({
    ...(options.fetch ? { fetch: options.fetch } : {}),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    allowLoopback: options.development ?? false,
  });
  const sign = signerOf(options.signingKey);
  const { issue = async (claims) => signAccessToken(claims, await sign()) } = accessToken;
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
    isAlive: port("internal-fault", "isAlive", async (grant) => (await isAlive(grant)) === true),
    accounts: options,
    narrow: port("internal-fault", "narrow", async (input) => (narrow ? narrow(input) : input.scope)),
    issue: port("signer-unavailable", "accessToken.issue", async (claims) => issue(claims)),
    now,
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
