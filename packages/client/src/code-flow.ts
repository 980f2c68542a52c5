import { asObject } from "@credence/protocol";
import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import type { ClientIdentity } from "@credence/protocol/client-auth";
import { checkUrl, type GuardedFetch } from "@credence/protocol/fetch";
import { parseAccessTokenAnswer } from "@credence/protocol/jwt-bearer";
import type { AuthorizationServerMetadata } from "@credence/protocol/metadata";
import { calculatePKCECodeChallenge, randomPKCECodeVerifier, randomState } from "openid-client";
import { AgentError, errorOfAnswer, errorOfBody, mismatch, placed, type Where } from "./errors.ts";
import { bindsAt, checkResource, checkScope, checkTokenType, type IdJagRequest, postForm } from "./exchange.ts";
import { BoundedMap, SingleFlight } from "./flight.ts";
import type { AgentContext } from "./options.ts";
import type { AccessToken } from "./redeem.ts";
import { registerClient } from "./registration.ts";

/** How a person is asked at an app's own authorization server, where ID-JAGs are not supported. */
export interface CodeFlow {
  /** Where that server sends the person back to, registered there; without a query. */
  readonly redirectUri: string;
  /** Sends the person's browser to a URL, and resolves with the URL that it came back to. */
  authorize(url: string): Promise<string | URL>;
  /** The agent's metadata document, for servers that take its URL in place of a registration. */
  readonly clientMetadataUrl?: string;
  /**
   * Registers the agent by this name at servers that know it in no other way. Without it, and without `clientMetadataUrl`,
   * only servers in `apps` are ever spoken to. A server that nobody has registered may name another's authorization endpoint
   * as its own; where that one sends no `iss`, its answer would reach the first (RFC 9700 §4.4): introduce the agent only
   * where you trust what people connect to. @see RFC 7591
   */
  readonly register?: { readonly clientName: string };
}

/** Tokens of apps by their own code flow, for one session. */
export interface AppTokens {
  token(request: IdJagRequest): Promise<AccessToken>;
  /** Forgets the refresh tokens. */
  forget(): void;
}

/** Authorization servers whose registrations, and grants whose refresh tokens, are remembered. */
const LIMITS = { clients: 100, grants: 200 };

/** Clients that registered themselves, by exact issuer: what one server gave is never shown to another. */
export type Registrations = (metadata: AuthorizationServerMetadata) => Promise<ClientIdentity>;

/** A code flow, and where the agent has registered itself for it. */
export interface AppFlow {
  readonly flow: CodeFlow;
  readonly registrations: Registrations;
}

/** Makes the registrations of an agent. */
export function createRegistrations(fetch: GuardedFetch, flow: CodeFlow): Registrations {
  const known = new BoundedMap<ClientIdentity>(LIMITS.clients);
  const flights = new SingleFlight<ClientIdentity>();
  return async (metadata) => {
    const { issuer } = metadata;
    const { clientMetadataUrl, register } = flow;
    if (clientMetadataUrl !== undefined && asObject(metadata)?.client_id_metadata_document_supported === true) {
      return { method: "none", clientId: clientMetadataUrl };
    }
    if (register === undefined) throw unregistered(issuer);
    const client = known.get(issuer);
    if (client) return client;
    return flights.run(issuer, async () => {
      const registered = await registerClient(fetch, metadata, {
        clientName: register.clientName,
        redirectUri: flow.redirectUri,
      });
      known.set(issuer, registered);
      return registered;
    });
  };
}

function unregistered(issuer: string): AgentError {
  return new AgentError(`The agent is not known at ${issuer}, and may not register itself. Add it to apps.`, {
    leg: "code-flow",
    party: issuer,
    code: "configuration",
    reason: "app-unknown",
  });
}

/**
 * Makes the code flow of a session.
 *
 * @returns tokens of apps; its methods throw AgentError with leg `code-flow`.
 * @see RFC 6749 §4.1, RFC 8707 §2
 */
export function createAppTokens(context: AgentContext, { flow, registrations }: AppFlow): AppTokens {
  const refreshTokens = new BoundedMap<string>(LIMITS.grants);

  async function ask(
    metadata: AuthorizationServerMetadata,
    form: URLSearchParams,
    client: ClientIdentity,
    request: IdJagRequest,
    { key, bound }: { readonly key: string; readonly bound: boolean },
  ): Promise<AccessToken> {
    const { issuer } = metadata;
    const where: Where = { leg: "code-flow", party: issuer };
    const askedAt = context.now();
    const answer = await postForm(context, metadata, form, client, bound);
    if (answer.status !== 200) throw errorOfAnswer(answer, where);
    const token = parseAccessTokenAnswer(answer.json());
    checkTokenType(token.token_type, where, bound);
    const asked = scopeFor(metadata, request.scope);
    checkScope(token.scope, asked, where);
    checkResource(token.resource, request.resource, where);
    const refreshToken = asObject(answer.json())?.refresh_token;
    if (typeof refreshToken === "string") refreshTokens.set(key, refreshToken);
    const expiresAt = token.expires_in === undefined ? undefined : askedAt + token.expires_in;
    const scope = token.scope ?? request.scope;
    context.watch({ type: "access-token", issuer, resource: request.resource, scope, expiresAt });
    const tokenType = bound ? "DPoP" : "Bearer";
    return { accessToken: token.access_token, tokenType, expiresAt, scope, resource: request.resource, issuer };
  }

  /** By the refresh token of an earlier answer; `undefined` when there is none, or it is over. */
  async function renew(key: string, run: (form: URLSearchParams) => Promise<AccessToken>) {
    const refreshToken = refreshTokens.get(key);
    if (refreshToken === undefined) return undefined;
    refreshTokens.delete(key);
    try {
      return await run(new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken }));
    } catch (cause) {
      if (cause instanceof AgentError && cause.code === "invalid_grant") return undefined;
      throw cause;
    }
  }

  return {
    token(request) {
      const { audience, resource, scope } = request;
      return placed({ leg: "code-flow", party: audience }, async () => {
        const metadata = await context.discovery.authorizationServer(audience);
        // Before anybody is asked: where nothing unbound may be used, nothing could be done with the answer.
        const bound = bindsAt(context, [metadata]);
        const client = (await context.clientAt(audience)) ?? (await registrations(metadata));
        const key = JSON.stringify([audience, resource, scope ?? null]);
        const run = (form: URLSearchParams): Promise<AccessToken> => {
          form.set("resource", resource);
          return ask(metadata, form, client, request, { key, bound });
        };
        const renewed = await renew(key, run);
        if (renewed) return renewed;
        context.watch({ type: "code-flow", issuer: audience, resource, scope });
        const { development } = context;
        return run(await authorizeAtApp(flow, metadata, { ...request, clientId: client.clientId, development }));
      });
    },
    forget: () => refreshTokens.clear(),
  };
}

/** A refresh token is asked for where the server says that it has some. @see OpenID Connect Core §11 */
function scopeFor(metadata: AuthorizationServerMetadata, scope: string | undefined): string | undefined {
  const offers = metadata.scopes_supported?.includes("offline_access");
  return scope !== undefined && offers && !scope.split(" ").includes("offline_access")
    ? `${scope} offline_access`
    : scope;
}

/** What an authorization request at an app asks for. */
export interface AppAuthorization {
  readonly clientId: string;
  readonly resource?: string | undefined;
  readonly scope?: string;
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  readonly development: boolean;
}

/**
 * Has a person asked at an app's authorization server: code with PKCE S256, `state`, and `iss` of the answer.
 *
 * @returns the form of the token request that follows, without client authentication.
 * @throws AgentError with leg `code-flow`: `not_supported` where the server has no such flow; `response_invalid` when the
 * answer is not one to this request; what the server said.
 * @see RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9207 §2.4
 */
export async function authorizeAtApp(
  flow: CodeFlow,
  metadata: AuthorizationServerMetadata,
  asked: AppAuthorization,
): Promise<URLSearchParams> {
  const { redirectUri } = flow;
  const { issuer, authorization_endpoint: endpoint } = metadata;
  const where: Where = { leg: "code-flow", party: issuer };
  const methods = asObject(metadata)?.code_challenge_methods_supported;
  // MCP authorization: a server that does not say that it has PKCE is not asked.
  if (endpoint === undefined || !(Array.isArray(methods) && methods.includes("S256"))) {
    throw new AgentError(`${issuer} has no code flow with PKCE: its metadata names none. Ask the app's operator.`, {
      ...where,
      code: "not_supported",
      reason: "code-flow-missing",
    });
  }
  const [state, verifier] = [randomState(), randomPKCECodeVerifier()];
  const scope = scopeFor(metadata, asked.scope);
  const url = new URL(endpoint);
  const parameters = {
    response_type: "code",
    client_id: asked.clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...(scope === undefined ? {} : { scope }),
    ...(asked.resource === undefined ? {} : { resource: asked.resource }),
    ...(asked.authorizationDetails ? { authorization_details: JSON.stringify(asked.authorizationDetails) } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  // Metadata could name `javascript:` or `file:`.
  const callback = new URL(await flow.authorize(checkUrl(url.href, asked.development).href), redirectUri);
  const code = readCallback(callback.searchParams, state, metadata, where);
  return new URLSearchParams({
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  });
}

function readCallback(
  answer: URLSearchParams,
  state: string,
  metadata: AuthorizationServerMetadata,
  where: Where,
): string {
  const only = (name: string): string | undefined => {
    const [value, ...more] = answer.getAll(name);
    return more.length > 0 ? undefined : value;
  };
  if (only("state") !== state) throw mismatch(where, "state-differs", "the answer is not one to this request");
  const promised = asObject(metadata)?.authorization_response_iss_parameter_supported === true;
  // Letter by letter, said or not: another server's answer must not reach this one's token endpoint (RFC 9207 §2.4).
  if ((promised || answer.has("iss")) && only("iss") !== metadata.issuer) {
    throw mismatch(where, "issuer-differs", "the answer does not come from this server");
  }
  if (answer.has("error")) {
    const said = { error: only("error"), error_description: only("error_description") };
    throw errorOfBody(said, 400, where);
  }
  const code = only("code");
  if (!code) throw mismatch(where, "code-missing", "the answer has no code");
  return code;
}
