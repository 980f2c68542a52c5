import { createHash } from "node:crypto";
import type { GuardedFetch } from "@credence/protocol/fetch";
import { jwksKeys, type KeySource, parseJwks } from "@credence/protocol/jws";
import { type ClientMetadata, isClientIdUrl, parseClientMetadata } from "@credence/protocol/metadata";
import { issuerKeys } from "@credence/resource";
import { LRUCache } from "lru-cache";
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
}

/** What agents say of themselves at a URL: one cache, for sign-in and exchange alike. */
export interface ClientDocuments {
  /**
   * The metadata of an agent whose id is the URL of it.
   * @throws CredenceError when it can not be had: nothing is assumed of such an agent.
   */
  metadata(agentId: string): Promise<ClientMetadata>;
  /** The public keys of an agent, wherever they stand; `undefined` for an agent that has none. */
  keysOf(agent: Agent): Promise<KeySource | undefined>;
}

/** Times in seconds. */
export const DOCUMENT_LIMITS = {
  /** A document is fetched anew after so long, or as its `Cache-Control` says, between the bounds. */
  fresh: 300,
  least: 60,
  most: 3_600,
  /** When it can not be fetched anew, the old one serves until this age. */
  stale: 3_600,
  /** After a failure, and for a key that is not in it, it is fetched again at most once in this time. */
  coolDown: 30,
  /** Documents. */
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
 * Makes the reader of agents' documents.
 * @see draft-ietf-oauth-client-id-metadata-document §4, §5
 */
export function clientDocuments(ports: ClientDocumentPorts): ClientDocuments {
  const { fetch, now } = ports;
  const states = new LRUCache<string, State>({ max: DOCUMENT_LIMITS.kept });
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
      if (kept && now() - kept.fetchedAt < DOCUMENT_LIMITS.stale) return kept;
      throw failure;
    }
  }

  /** Fetches once for all who ask at the same time, and not again right after a failure. */
  function refresh(agentId: string, state: State): Promise<Kept> {
    if (state.pending) return state.pending;
    if (state.failure !== undefined && now() - state.attemptedAt < DOCUMENT_LIMITS.coolDown) {
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
    return jwksUri === undefined ? async () => undefined : keysAt({ issuer, jwksUri });
  }

  return {
    metadata: async (agentId) => (await current(agentId)).metadata,
    async keysOf({ id, auth }) {
      if (auth.method === "client_id_metadata_document") return documentKeys(id);
      if (auth.method !== "private_key_jwt") return undefined;
      return "jwks" in auth
        ? jwksKeys(parseJwks(auth.jwks) ?? { keys: [] })
        : keysAt({ issuer: id, jwksUri: auth.jwksUri });
    },
  };
}

async function load(agentId: string, ports: ClientDocumentPorts): Promise<Kept> {
  const { fetch, allowLoopback, now } = ports;
  if (!isClientIdUrl(agentId, allowLoopback)) throw new TypeError("The agent's id is not the URL of a document.");
  const answer = await fetch(agentId, { headers: { accept: "application/json" } });
  if (answer.status !== 200) throw new TypeError(`The agent's metadata was answered with ${answer.status}.`);
  const metadata = parseClientMetadata(answer.json(), agentId);
  await noteChange(metadata, ports);
  const fetchedAt = now();
  const { jwks } = metadata;
  return {
    metadata,
    keys: jwks && jwksKeys(jwks),
    fetchedAt,
    freshUntil: fetchedAt + lifetimeOf(answer.headers.get("cache-control")),
  };
}

function lifetimeOf(cacheControl: string | null): number {
  const { fresh, least, most } = DOCUMENT_LIMITS;
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
