import { CredenceError } from "@credence/protocol";
import type { GuardedFetch } from "@credence/protocol/fetch";
import { type KeySource, parseJwks } from "@credence/protocol/jws";
import { authorizationServerMetadataUrls, parseAuthorizationServerMetadata } from "@credence/protocol/metadata";
import { keysOfSets, type ResourceCrypto, webCrypto } from "../crypto.ts";
import type { TrustedIssuer } from "../redeem/customers.ts";

/** Times in seconds, and the number of issuers whose keys are kept. */
export const ISSUER_KEY_LIMITS = {
  /** Keys are fetched anew after this, or sooner where the issuer's `Cache-Control` says so. */
  fresh: 600,
  /** Whatever `Cache-Control` says, not sooner than this: no issuer is asked again with every token. */
  least: 60,
  /** When they can not be fetched anew, old ones serve until this age. */
  stale: 3_600,
  /** An unknown `kid` makes the keys be fetched again, at most once in this time. */
  coolDown: 30,
  /** After a failure, nobody asks again for this long. */
  retry: 5,
  /** Issuers; the one that was not used for longest goes. */
  issuers: 1_000,
} as const;

interface Fetched {
  readonly keys: KeySource;
  /** Seconds. */
  readonly lifetime: number;
}

interface Kept {
  keys?: KeySource;
  fetchedAt: number;
  freshUntil: number;
  attemptedAt: number;
  failure?: unknown;
  pending?: Promise<KeySource>;
}

/**
 * Makes the source of issuers' keys. Keys come from what is configured for the issuer, never from the token.
 *
 * @param fetch - Bounded in size and time, and refuses private addresses and redirects.
 * @param now - Seconds since the epoch.
 * @param keysOf - Imports the keys of a set; by WebCrypto where it is left out.
 * @returns for a trusted issuer, its keys: a source that rejects when they can not be had.
 * @see ID-JAG draft §4.4.1
 */
export function issuerKeys(
  fetch: GuardedFetch,
  now: () => number,
  keysOf: ResourceCrypto["keysOf"] = webCrypto.keysOf,
): (issuer: TrustedIssuer) => KeySource {
  const fixed = keysOfSets(keysOf);
  const kept = new Map<string, Kept>();
  return (issuer) => {
    if (issuer.jwks) return fixed(issuer.jwks);
    const state = remember(kept, JSON.stringify([issuer.issuer, issuer.jwksUri ?? null]));
    return remoteKeys(state, () => fetchKeys(issuer, fetch, keysOf), now);
  };
}

/** The state of one issuer, moved to the end of the map: its first entry is the one unused for longest. */
function remember(kept: Map<string, Kept>, key: string): Kept {
  const never = Number.NEGATIVE_INFINITY;
  const state = kept.get(key) ?? { fetchedAt: never, freshUntil: never, attemptedAt: never };
  kept.delete(key);
  kept.set(key, state);
  const [oldest] = kept.keys();
  if (kept.size > ISSUER_KEY_LIMITS.issuers && oldest !== undefined) kept.delete(oldest);
  return state;
}

function remoteKeys(state: Kept, load: () => Promise<Fetched>, now: () => number): KeySource {
  return async (header) => {
    const keys = await currentKeys(state, load, now);
    const found = await keys(header);
    if (found !== undefined) return found;
    const cooling = now() - state.attemptedAt < ISSUER_KEY_LIMITS.coolDown;
    // When the last attempt failed, "no such key" would be a guess: `refresh` says so, or asks again.
    return cooling && state.failure === undefined ? undefined : (await refresh(state, load, now))(header);
  };
}

async function currentKeys(state: Kept, load: () => Promise<Fetched>, now: () => number): Promise<KeySource> {
  const askedAt = now();
  if (state.keys && askedAt < state.freshUntil) return state.keys;
  try {
    return await refresh(state, load, now);
  } catch (failure) {
    if (state.keys && askedAt - state.fetchedAt < ISSUER_KEY_LIMITS.stale) return state.keys;
    throw failure;
  }
}

/** Fetches once for all who ask at the same time, and not again right after a failure. */
function refresh(state: Kept, load: () => Promise<Fetched>, now: () => number): Promise<KeySource> {
  if (state.pending) return state.pending;
  if (state.failure !== undefined && now() - state.attemptedAt < ISSUER_KEY_LIMITS.retry) {
    return Promise.reject(state.failure);
  }
  state.attemptedAt = now();
  state.pending = load()
    .then(
      ({ keys, lifetime }) => {
        const fetchedAt = now();
        Object.assign(state, { keys, fetchedAt, freshUntil: fetchedAt + lifetime, failure: undefined });
        return keys;
      },
      (failure: unknown) => {
        state.failure = failure;
        throw failure;
      },
    )
    .finally(() => {
      delete state.pending;
    });
  return state.pending;
}

async function fetchKeys(
  issuer: TrustedIssuer,
  fetch: GuardedFetch,
  keysOf: ResourceCrypto["keysOf"],
): Promise<Fetched> {
  const uri = issuer.jwksUri ?? (await discoverJwksUri(issuer.issuer, fetch));
  const answer = await fetch(uri, { headers: { accept: "application/jwk-set+json, application/json" } });
  if (answer.status !== 200)
    throw invalid("The issuer's keys were not answered with 200", "jwks-status", answer.status);
  const jwks = parseJwks(answer.json());
  if (jwks === undefined) throw invalid("The issuer's keys are not a JWK set", "jwks-malformed");
  return { keys: keysOf(jwks), lifetime: lifetimeOf(answer.headers.get("cache-control")) };
}

/** Seconds that keys are kept without asking again. @see RFC 9111 §5.2.2 */
function lifetimeOf(cacheControl: string | null): number {
  const { fresh, least } = ISSUER_KEY_LIMITS;
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/i.test(cacheControl ?? "")) return least;
  const said = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl ?? "")?.[1];
  return said === undefined ? fresh : Math.min(fresh, Math.max(least, Number(said)));
}

/** Reads the issuer's metadata, at the places where it may stand; its `issuer` must be the one asked for, exactly. */
async function discoverJwksUri(issuer: string, fetch: GuardedFetch): Promise<string> {
  for (const url of authorizationServerMetadataUrls(issuer)) {
    const answer = await fetch(url, { headers: { accept: "application/json" } });
    if (answer.status !== 200) continue;
    const { jwks_uri: uri } = parseAuthorizationServerMetadata(answer.json(), issuer);
    if (uri === undefined) throw invalid("The issuer's metadata names no jwks_uri", "metadata-jwks-uri");
    return uri;
  }
  throw invalid("The issuer's metadata was not found", "metadata-missing");
}

function invalid(message: string, reason: string, status?: number): CredenceError {
  return new CredenceError(message, { code: "response_invalid", reason, ...(status === undefined ? {} : { status }) });
}
