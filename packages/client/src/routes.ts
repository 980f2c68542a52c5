import { parseScope } from "@credence/protocol";
import { type Challenge, covers, type ProtectedResourceMetadata, parseChallenges } from "@credence/protocol/metadata";
import { AgentError, type Where } from "./errors.ts";
import type { IdJagRequest } from "./exchange.ts";
import { BoundedMap } from "./flight.ts";
import type { AgentContext } from "./options.ts";

/** Which token which URL needs, as far as it was found out. */
export interface Routes {
  /** The nearest known resource that covers a URL. */
  known(url: string): IdJagRequest | undefined;
  /**
   * Finds out what a URL needs.
   * @param challenge - The resource's own words, when it was called: what was known of it is then read anew. Without them
   * the well-known places are tried, then a GET without a token, for the challenge that it gets.
   * @throws AgentError with leg `discovery`.
   * @see RFC 9728 §5
   */
  discover(url: string, challenge?: BearerChallenge): Promise<IdJagRequest>;
}

/** What a `WWW-Authenticate` says, of Bearer or DPoP. @see RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1 */
export interface BearerChallenge {
  readonly error: string | undefined;
  readonly scope: string | undefined;
  readonly metadataUrl: string | undefined;
  /** What a step-up must bring. @see RFC 9470 §3 */
  readonly maxAge: number | undefined;
  readonly acrValues: string | undefined;
}

/**
 * Reads the challenge of a 401 or 403.
 *
 * @returns the challenge for an access token, an empty one when the answer has no challenge at all, or `undefined` when it
 * wants something else.
 */
export function readChallenge(response: Pick<Response, "headers">): BearerChallenge | undefined {
  const header = response.headers.get("www-authenticate");
  if (header === null) return NO_CHALLENGE;
  const tokens = parseChallenges(header).filter(({ scheme }) => scheme === "bearer" || scheme === "dpop");
  const chosen: Challenge | undefined = tokens.find(({ parameters }) => parameters.resource_metadata) ?? tokens[0];
  if (chosen === undefined) return undefined;
  const { error, scope, resource_metadata: metadataUrl, max_age: maxAge, acr_values: acrValues } = chosen.parameters;
  return {
    error,
    scope: scope && parseScope(scope).ok ? scope : undefined,
    metadataUrl,
    maxAge: maxAge && /^\d{1,9}$/.test(maxAge) ? Number(maxAge) : undefined,
    acrValues: acrValues?.slice(0, 1_000),
  };
}

const NO_CHALLENGE: BearerChallenge = {
  error: undefined,
  scope: undefined,
  metadataUrl: undefined,
  maxAge: undefined,
  acrValues: undefined,
};

interface Described {
  readonly metadata: ProtectedResourceMetadata;
  readonly challenge: BearerChallenge | undefined;
}

/** Resources that are remembered at the most. */
const MAX_ROUTES = 200;

/** Makes the routes of a session. */
export function createRoutes(context: AgentContext): Routes {
  const routes = new BoundedMap<IdJagRequest>(MAX_ROUTES);

  async function chooseServer(metadata: ProtectedResourceMetadata, where: Where): Promise<string> {
    // A resource may name any server: only one that the agent has a credential for is ever spoken to,
    for (const issuer of metadata.authorization_servers) {
      if (await context.clientAt(issuer)) return issuer;
    }
    // unless the agent may introduce itself.
    const { clientMetadataUrl, register } = context.codeFlow?.flow ?? {};
    const [first] = metadata.authorization_servers;
    if (first !== undefined && (clientMetadataUrl ?? register) !== undefined) return first;
    const named = metadata.authorization_servers.slice(0, 5).join(", ");
    throw new AgentError(
      `Discovery failed: ${where.party} trusts ${named}, and the agent has no credential there. Add it to apps, with the issuer letter by letter as it stands here; if the agent is not registered there yet, register it.`,
      { ...where, code: "configuration", reason: "app-unknown" },
    );
  }

  async function describe(url: string, challenge: BearerChallenge | undefined): Promise<Described> {
    // Whoever refuses a token may have moved to another authorization server since.
    if (challenge) return { metadata: await context.discovery.resource(url, challenge.metadataUrl, true), challenge };
    try {
      return { metadata: await context.discovery.resource(url), challenge };
    } catch (cause) {
      if (!(cause instanceof AgentError && cause.reason === "metadata-missing")) throw cause;
      const probed = await probe(url);
      if (probed?.metadataUrl === undefined) throw cause;
      return { metadata: await context.discovery.resource(url, probed.metadataUrl), challenge: probed };
    }
  }

  async function probe(url: string): Promise<BearerChallenge | undefined> {
    try {
      const answer = await context.guarded(url, { method: "GET" });
      return answer.status === 401 ? readChallenge(answer) : undefined;
    } catch {
      // A probe that fails, or never ends, tells nothing; what is missing was said before.
      return undefined;
    }
  }

  return {
    known(url) {
      const fitting = routes.values().filter(({ resource }) => covers(resource, url));
      return fitting.sort((a, b) => b.resource.length - a.resource.length)[0];
    },
    async discover(url, asked) {
      const where: Where = { leg: "discovery", party: new URL(url).origin };
      const { metadata, challenge } = await describe(url, asked);
      const audience = await chooseServer(metadata, where);
      const supported = metadata.scopes_supported?.join(" ");
      // MCP authorization, scope selection: the challenge's, else what the resource lists, else none.
      const scope = challenge?.scope ?? (supported && parseScope(supported).ok ? supported : undefined);
      const route = { audience, resource: metadata.resource, ...(scope === undefined ? {} : { scope }) };
      context.watch({ type: "discovered", resource: route.resource, issuer: audience, scope });
      routes.set(route.resource, route);
      return route;
    },
  };
}
