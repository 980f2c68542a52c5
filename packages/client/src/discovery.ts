import type { GuardedFetch } from "@credence/protocol/fetch";
import {
  type AuthorizationServerMetadata,
  authorizationServerMetadataUrls,
  type ProtectedResourceMetadata,
  parseAuthorizationServerMetadata,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrls,
} from "@credence/protocol/metadata";
import { AgentError, placed, type Where } from "./errors.ts";
import { BoundedMap, SingleFlight } from "./flight.ts";

/** Finds out who serves what. Answers are kept for five minutes, failures are not. */
export interface Discovery {
  /** Metadata of the authorization server with exactly this issuer. */
  authorizationServer(issuer: string): Promise<AuthorizationServerMetadata>;
  /** Metadata of the IdP with exactly this issuer: OpenID Connect's document first, it says more. */
  identityProvider(issuer: string): Promise<AuthorizationServerMetadata>;
  /**
   * Metadata of the resource that serves a URL.
   * @param metadataUrl - Where a challenge says that it stands; otherwise the well-known places are tried.
   * @param anew - Whether a document that was kept does not do.
   */
  resource(url: string, metadataUrl?: string, anew?: boolean): Promise<ProtectedResourceMetadata>;
}

/** Seconds for which a document is believed; documents that are kept at the most. */
const LIMITS = { lifetime: 300, documents: 100 };

/** Makes the discovery of one agent. */
export function createDiscovery(fetch: GuardedFetch, now: () => number): Discovery {
  const documents = new BoundedMap<{ readonly value: unknown; readonly until: number }>(LIMITS.documents);
  const flights = new SingleFlight<unknown>();

  async function first(key: string, urls: readonly string[], where: Where, what: string): Promise<unknown> {
    const kept = documents.get(key);
    if (kept && kept.until > now()) return kept.value;
    return flights.run(key, async () => {
      const value = await fetchFirst(fetch, urls, where, what);
      documents.set(key, { value, until: now() + LIMITS.lifetime });
      return value;
    });
  }

  /** A document that does not do is not kept: it may be mended any moment. */
  function read<T>(key: string, parse: () => T): T {
    try {
      return parse();
    } catch (cause) {
      documents.delete(key);
      throw cause;
    }
  }

  async function server(issuer: string, order: "oauth" | "oidc"): Promise<AuthorizationServerMetadata> {
    const where: Where = { leg: "discovery", party: issuer };
    return placed(where, async () => {
      const urls = authorizationServerMetadataUrls(issuer);
      const ordered = order === "oidc" ? [...urls].reverse() : urls;
      const key = `${order} ${issuer}`;
      const value = await first(key, ordered, where, "its metadata");
      // RFC 8414 §3.3: metadata that names another issuer must not be used.
      return read(key, () => parseAuthorizationServerMetadata(value, issuer));
    });
  }

  return {
    authorizationServer: (issuer) => server(issuer, "oauth"),
    identityProvider: (issuer) => server(issuer, "oidc"),
    async resource(url, metadataUrl, anew = false) {
      const where: Where = { leg: "discovery", party: new URL(url).origin };
      return placed(where, async () => {
        const urls = metadataUrl === undefined ? protectedResourceMetadataUrls(url) : [metadataUrl];
        const key = `resource ${urls[0]}`;
        if (anew) documents.delete(key);
        const value = await first(key, urls, where, "which authorization server it trusts");
        return read(key, () => parseProtectedResourceMetadata(value, url));
      });
    },
  };
}

/** The first document that is there. One that is there and wrong is an answer too: it is not passed over. */
async function fetchFirst(fetch: GuardedFetch, urls: readonly string[], where: Where, what: string): Promise<unknown> {
  let status = 0;
  for (const url of urls) {
    const answer = await fetch(url, { headers: { accept: "application/json" } });
    if (answer.status === 200) return answer.json();
    status = answer.status;
    if (status === 429 || status === 503) break;
  }
  if (status === 429 || status === 503) {
    const code = status === 429 ? "slow_down" : "temporarily_unavailable";
    throw new AgentError(`Discovery failed: ${where.party} is busy (HTTP status ${status}). Try again later.`, {
      ...where,
      code,
      status,
    });
  }
  throw new AgentError(
    `Discovery failed: ${where.party} does not publish ${what} (${urls.join(", ")}; last HTTP status ${status}).`,
    { ...where, code: "not_supported", reason: "metadata-missing", status },
  );
}
