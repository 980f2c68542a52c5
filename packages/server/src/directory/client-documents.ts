import { createHash } from "node:crypto";
import { CredenceError, type Refusal } from "@credence/protocol";
import { checkUrl, type GuardedFetch, type GuardedResponse } from "@credence/protocol/fetch";
import { jwksKeys, type KeySource, parseJwks } from "@credence/protocol/jws";
import { type ClientMetadata, isClientIdUrl, parseClientMetadata } from "@credence/protocol/metadata";
import { issuerKeys } from "@credence/resource";
import { createGenerations } from "../store/generations.ts";
import type { Store } from "../store/store.ts";
import type { Agent } from "./types.ts";

/** What reading agents' documents and keys needs. */
export interface ClientDocumentPorts {
  /** Bounded in size and time, no redirects, no private addresses. */
  readonly fetch: GuardedFetch;
  readonly store: Pick<Store, "artifact" | "putArtifact">;
  /** Allows `http:` on this machine itself as a client id. */
  readonly allowLoopback: boolean;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Told when a document is not as it was when it was last seen: which members. Awaited, before the new one counts. */
  readonly changed: (change: { readonly agentId: string; readonly members: readonly string[] }) => Promise<void>;
  /** Told of each fetch that did not bring a good document, for the operator's log. */
  readonly failed?: (failure: { readonly agentId: string; readonly error: unknown }) => void;
}

/** What agents say of themselves at a URL: one cache, for sign-in and exchange alike. */
export interface ClientDocuments {
  /**
   * The metadata of an agent whose id is the URL of it.
   * @throws CredenceError when it can not be had or is not good ({@link documentRefusal}): nothing is assumed of such an agent.
   */
  metadata(agentId: string): Promise<ClientMetadata>;
  /**
   * The public keys of an agent, wherever they stand; `undefined` for an agent that has none. The source rejects as
   * `metadata` does.
   */
  keysOf(agent: Agent): Promise<KeySource | undefined>;
}

/** Times in seconds. */
export const DOCUMENT_LIMITS = {
  /** A document is fetched anew after so long, or as its `Cache-Control` says, between the bounds. */
  fresh: 300,
  least: 60,
  most: 3_600,
  /** While it can not be fetched anew, the old one serves until this age; one that was answered badly ends it at once. */
  stale: 3_600,
  /** For a key that is not in it, it is fetched again at most once in this time. */
  coolDown: 30,
  /** After a failure, nobody asks again for this long. */
  retry: 5,
  /** Documents in each of two generations. */
  kept: 1_000,
} as const;

const MODEL = "ClientDocument";

interface Kept {
  readonly metadata: ClientMetadata;
  readonly keys: KeySource | undefined;
  readonly fetchedAt: number;
  readonly freshUntil: number;
}

interface State {
  kept?: Kept;
  attemptedAt: number;
  failure?: unknown;
  pending?: Promise<Kept>;
}

/**
 * The refusal for an agent whose document or keys can not be had, or are not good.
 *
 * @param error - What reading them threw.
 * @returns the refusal; `undefined` for any other failure.
 */
export function documentRefusal(error: unknown): Refusal | undefined {
  if (!(error instanceof CredenceError)) return undefined;
  const { reason, cause } = error;
  if (reason !== "client-metadata-unavailable" && reason !== "client-metadata-invalid") return undefined;
  const detail = cause instanceof CredenceError ? cause.reason : undefined;
  return { reason, ...(detail === undefined ? {} : { detail }) };
}

function isUnavailable(failure: unknown): boolean {
  return documentRefusal(failure)?.reason === "client-metadata-unavailable";
}

/**
 * Makes the reader of agents' documents.
 * @see draft-ietf-oauth-client-id-metadata-document §4, §5
 */
export function clientDocuments(ports: ClientDocumentPorts): ClientDocuments {
  const { fetch, now } = ports;
  const states = createGenerations<string, State>(DOCUMENT_LIMITS.kept);
  const keysAt = issuerKeys(fetch, now);

  function stateOf(agentId: string): State {
    const state = states.get(agentId) ?? { attemptedAt: Number.NEGATIVE_INFINITY };
    states.set(agentId, state);
    return state;
  }

  async function current(agentId: string): Promise<Kept> {
    const state = stateOf(agentId);
    const { kept } = state;
    if (kept && now() < kept.freshUntil) return kept;
    try {
      return await refresh(agentId, state);
    } catch (failure) {
      if (kept && isUnavailable(failure) && now() - kept.fetchedAt < DOCUMENT_LIMITS.stale) return kept;
      throw failure;
    }
  }

  /** Fetches once for all who ask at the same time, and not again right after a failure. */
  function refresh(agentId: string, state: State): Promise<Kept> {
    if (state.pending) return state.pending;
    if (state.failure !== undefined && now() - state.attemptedAt < DOCUMENT_LIMITS.retry) {
      return Promise.reject(state.failure);
    }
    state.attemptedAt = now();
    state.pending = load(agentId, ports)
      .then(
        (kept) => {
          delete state.failure;
          state.kept = kept;
          return kept;
        },
        (failure: unknown) => {
          state.failure = failure;
          // An agent that withdraws its document means it, whatever it once said of caching.
          if (documentRefusal(failure) && !isUnavailable(failure)) delete state.kept;
          ports.failed?.({ agentId, error: failure });
          throw failure;
        },
      )
      .finally(() => {
        delete state.pending;
      });
    return state.pending;
  }

  /** The keys of a document; one that it does not have makes it be fetched again, at most once in a while. */
  function documentKeys(agentId: string): KeySource {
    return async (header) => {
      const kept = await current(agentId);
      const found = await keysIn(kept)(header);
      const state = stateOf(agentId);
      if (found !== undefined || now() - state.attemptedAt < DOCUMENT_LIMITS.coolDown) return found;
      return keysIn(await refresh(agentId, state))(header);
    };
  }

  function keysIn({ metadata, keys }: Kept): KeySource {
    const { client_id: issuer, jwks_uri: jwksUri } = metadata;
    if (keys !== undefined) return keys;
    return jwksUri === undefined ? async () => undefined : remoteKeys(issuer, jwksUri);
  }

  function remoteKeys(issuer: string, jwksUri: string): KeySource {
    const keys = keysAt({ issuer, jwksUri });
    return (header) =>
      keys(header).catch((cause: unknown) => {
        throw fault("The agent's keys", cause);
      });
  }

  return {
    metadata: async (agentId) => (await current(agentId)).metadata,
    async keysOf({ id, auth }) {
      if (auth.method === "client_id_metadata_document") return documentKeys(id);
      if (auth.method !== "private_key_jwt") return undefined;
      return "jwks" in auth ? jwksKeys(parseJwks(auth.jwks) ?? { keys: [] }) : remoteKeys(id, auth.jwksUri);
    },
  };
}

async function load(agentId: string, ports: ClientDocumentPorts): Promise<Kept> {
  const { now } = ports;
  const { metadata, headers } = await fetchMetadata(agentId, ports).catch((cause: unknown) => {
    throw fault("The agent's metadata", cause);
  });
  await noteChange(metadata, ports);
  const fetchedAt = now();
  const { jwks } = metadata;
  return {
    metadata,
    keys: jwks && jwksKeys(jwks),
    fetchedAt,
    freshUntil: fetchedAt + lifetimeOf(headers.get("cache-control")),
  };
}

async function fetchMetadata(
  agentId: string,
  { fetch, allowLoopback }: ClientDocumentPorts,
): Promise<{ readonly metadata: ClientMetadata } & Pick<GuardedResponse, "headers">> {
  if (!isClientIdUrl(agentId, allowLoopback)) throw wrong("is not at a URL that may be a client id", "client-id-url");
  const answer = await fetch(agentId, { headers: { accept: "application/json" } });
  const { status, headers } = answer;
  if (status !== 200) throw wrong(`was answered with ${status}`, `status-${status}`, status);
  const metadata = parseClientMetadata(answer.json(), agentId);
  // Here already, where it names an address: a document that sends us into a network is no good document at all.
  if (metadata.jwks_uri !== undefined) checkUrl(metadata.jwks_uri, allowLoopback);
  return { metadata, headers };
}

function wrong(how: string, reason: string, status?: number): CredenceError {
  const code = "response_invalid";
  return new CredenceError(`The agent's metadata ${how}`, {
    code,
    reason,
    ...(status === undefined ? {} : { status }),
  });
}

/** What could not be had may be had later; what was answered and is not good stays so until the agent mends it. */
function fault(what: string, cause: unknown): CredenceError {
  const { code, status = 0 } = cause instanceof CredenceError ? cause : {};
  return code === "network" || status === 429 || status >= 500
    ? new CredenceError(`${what} can not be had.`, {
        code: "temporarily_unavailable",
        reason: "client-metadata-unavailable",
        cause,
      })
    : new CredenceError(`${what} break a rule.`, { code: "invalid_client", reason: "client-metadata-invalid", cause });
}

function lifetimeOf(cacheControl: string | null): number {
  const { fresh, least, most } = DOCUMENT_LIMITS;
  // RFC 9111 §5.2.2: within our own bounds, which the draft's §5.2 allows.
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/i.test(cacheControl ?? "")) return least;
  const said = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl ?? "")?.[1];
  return said === undefined ? fresh : Math.min(most, Math.max(least, Number(said)));
}

/** What an agent said of itself when it was last seen outlives this process: a change must not hide behind a restart. */
async function noteChange(metadata: ClientMetadata, { store, changed }: ClientDocumentPorts): Promise<void> {
  const key = hash(metadata.client_id);
  const members = Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, hash(JSON.stringify(value))]),
  );
  const payload = JSON.stringify(members);
  const before = await store.artifact(MODEL, key);
  if (before?.payload === payload) return;
  if (before !== undefined) {
    const known: Record<string, string> = JSON.parse(before.payload);
    const names = [...new Set([...Object.keys(known), ...Object.keys(members)])];
    await changed({
      agentId: metadata.client_id,
      members: names.filter((name) => known[name] !== members[name]).sort(),
    });
  }
  await store.putArtifact({ model: MODEL, key, payload });
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
