import { CredenceError } from "@credence/protocol";
import { checkUrl } from "@credence/protocol/fetch";
import { AgentError, placed, placeError, type Where } from "./errors.ts";
import { type IdJagRequest, scopeTokens } from "./exchange.ts";
import { untilAborted } from "./flight.ts";
import type { AgentContext } from "./options.ts";
import type { AccessToken } from "./redeem.ts";
import { type BearerChallenge, type Routes, readChallenge } from "./routes.ts";
import type { TokenSource } from "./tokens.ts";

/** As the platform's fetch, with the tokens that the resource wants. */
export type SessionFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** One call, ready to be sent, once or several times. */
interface Call {
  readonly url: string;
  readonly where: Where;
  /** A body that is a stream is gone once it was sent. */
  readonly repeatable: boolean;
  readonly signal: AbortSignal | null | undefined;
  readonly method: string;
  /** @param proof - Goes with a token that is bound. */
  send(token: AccessToken | undefined, proof?: { readonly dpop: string }): Promise<Response>;
}

/** Makes a session's fetch. @see RFC 6750 §2.1, RFC 9728 §5, MCP authorization */
export function createFetch(context: AgentContext, routes: Routes, tokens: TokenSource): SessionFetch {
  return async (input, init) => {
    const call = prepare(context, input, init);
    let route = routes.known(call.url) ?? (call.repeatable ? undefined : await explore(routes, call));
    let token = route && (await untilAborted(tokens.token(route), call.signal));
    let renewed = false;
    let widened = false;
    for (;;) {
      const response = await sendProving(context, call, token);
      const challenge = response.status === 401 || response.status === 403 ? readChallenge(response) : undefined;
      if (challenge === undefined) return response;
      if (response.status === 401) {
        announce(context, call, 401, challenge);
        if (challenge.error === STEP_UP) throw await stepUp(call, response, challenge);
        if (renewed) throw await refused(call, response, "invalid_token", challenge);
        const wanted = await wantedRoute(routes, call, challenge, route);
        if (wanted === undefined) return response;
        // A scope that was found too narrow for this call stays so, whatever the challenge names by rote.
        route = widened && route?.scope ? { ...wanted, scope: route.scope } : wanted;
        token = await untilAborted(tokens.token(route, token?.accessToken), call.signal);
        renewed = true;
      } else {
        if (challenge.error !== "insufficient_scope" || token === undefined || route === undefined) return response;
        const scope = union(token.scope, challenge.scope);
        if (widened || !challenge.scope || scope === union(token.scope, route.scope)) {
          throw await refused(call, response, "insufficient_scope", challenge);
        }
        announce(context, call, 403, challenge);
        route = { ...route, scope };
        token = await untilAborted(tokens.token(route), call.signal);
        widened = true;
        // The wider token may be one that was kept: it has its own right to be replaced once.
        renewed = false;
      }
      await discard(response);
      if (!call.repeatable) throw notRepeatable(call);
    }
  };
}

/** What was granted and what is wanted beside it: the wider token does for the calls before too. @see MCP authorization */
function union(granted: string | undefined, wanted: string | undefined): string {
  return [...new Set([...scopeTokens(granted), ...scopeTokens(wanted)])].join(" ");
}

/** A resource that wants a nonce gets the call again, once, with a proof that has it. @see RFC 9449 §9 */
async function sendProving(context: AgentContext, call: Call, token: AccessToken | undefined): Promise<Response> {
  const { prover } = context;
  if (token?.tokenType !== "DPoP" || prover === undefined) return call.send(token);
  const prove = () => prover.headers("resource", call.method, call.url, token.accessToken);
  const proof = await prove();
  const response = await call.send(token, proof);
  const isNew = prover.note("resource", call.url, response.headers, proof.dpop);
  const wanted = response.status === 401 && readChallenge(response)?.error === "use_dpop_nonce";
  if (!isNew || !wanted || !call.repeatable) return response;
  await discard(response);
  return call.send(token, await prove());
}

function prepare(context: AgentContext, input: string | URL | Request, init: RequestInit | undefined): Call {
  const url = input instanceof Request ? input.url : String(input);
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
  const where: Where = { leg: "call", party: URL.canParse(url) ? new URL(url).origin : "the agent itself" };
  try {
    checkUrl(url, context.development);
  } catch (cause) {
    throw placeError(cause, where);
  }
  if (headers.has("authorization")) {
    throw new AgentError("The call carries an Authorization header of its own. Leave it out, or use another fetch.", {
      ...where,
      code: "configuration",
      reason: "authorization-header",
    });
  }
  const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
  const body = init?.body ?? (input instanceof Request ? input.body : undefined);
  const method = (init?.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
  const redirect = init?.redirect ?? (input instanceof Request ? input.redirect : "follow");
  return {
    url,
    where,
    signal,
    repeatable: !(body instanceof ReadableStream),
    method,
    async send(token, proof) {
      const sent = new Headers(headers);
      if (token) sent.set("authorization", `${token.tokenType} ${token.accessToken}`);
      if (proof) sent.set("dpop", proof.dpop);
      // Called bare: the platform's fetch insists on its own `this`.
      const { fetch } = context;
      const response = await attempt(where, signal, () => fetch(input, { ...init, headers: sent, redirect: "manual" }));
      // A redirect could carry the token to another origin, or the person's data to another place: the caller's choice.
      if (redirect !== "manual" && isRedirect(response)) {
        await discard(response);
        throw new AgentError(
          `${where.party} answered with a redirect, which a call with a token does not follow. Call the new URL, or set redirect: "manual".`,
          { ...where, code: "fetch_refused", reason: "redirect", status: response.status },
        );
      }
      return response;
    },
  };
}

async function attempt(
  where: Where,
  signal: AbortSignal | null | undefined,
  run: () => Promise<Response>,
): Promise<Response> {
  try {
    return await run();
  } catch (cause) {
    // The caller's own abort comes back as the caller gave it.
    if (signal?.aborted) throw signal.reason;
    const refusal = cause instanceof Error && cause.cause instanceof CredenceError ? cause.cause : cause;
    if (refusal instanceof CredenceError) throw placeError(refusal, where);
    throw new AgentError(`The call failed: ${where.party} could not be reached.`, {
      ...where,
      code: "network",
      reason: "unreachable",
      cause,
    });
  }
}

function isRedirect(response: Response): boolean {
  return response.type === "opaqueredirect" || [301, 302, 303, 307, 308].includes(response.status);
}

/** What a URL needs, without having called it; `undefined` when nobody says. */
async function explore(routes: Routes, call: Call): Promise<IdJagRequest | undefined> {
  try {
    return await untilAborted(routes.discover(call.url), call.signal);
  } catch (cause) {
    if (cause instanceof AgentError && cause.reason === "metadata-missing") return undefined;
    throw cause;
  }
}

/** The route after a 401; `undefined` when the resource neither names its metadata nor publishes any: not our kind. */
async function wantedRoute(
  routes: Routes,
  call: Call,
  challenge: BearerChallenge,
  current: IdJagRequest | undefined,
): Promise<IdJagRequest | undefined> {
  // A known resource that says nothing new wants another token of the same kind.
  if (current && !challenge.metadataUrl && !challenge.scope) return current;
  try {
    return await untilAborted(routes.discover(call.url, challenge), call.signal);
  } catch (cause) {
    const silent = challenge.metadataUrl === undefined;
    if (silent && cause instanceof AgentError && cause.reason === "metadata-missing") return undefined;
    throw cause;
  }
}

function announce(context: AgentContext, call: Call, status: 401 | 403, challenge: BearerChallenge): void {
  const { scope, metadataUrl } = challenge;
  context.watch({ type: "challenge", url: call.url, status, scope, metadataUrl });
}

async function refused(
  call: Call,
  response: Response,
  code: "invalid_token" | "insufficient_scope",
  challenge: BearerChallenge,
): Promise<AgentError> {
  await discard(response);
  const why =
    code === "invalid_token"
      ? "does not take a token that its own authorization server has just issued. Ask the app's operator"
      : `wants more scope than the organization granted${challenge.scope ? ` (${challenge.scope})` : ""}. Ask its IT admin`;
  return new AgentError(`The call was refused: ${call.where.party} ${why}.`, {
    ...call.where,
    code,
    status: response.status,
    retry: "never",
    ...(challenge.scope === undefined ? {} : { scope: challenge.scope }),
  });
}

/** The error of a resource that wants the person to sign in again, or in a stronger way. @see RFC 9470 §3 */
const STEP_UP = "insufficient_user_authentication";

async function stepUp({ where }: Pick<Call, "where">, response: Response, challenge: BearerChallenge) {
  await discard(response);
  const { maxAge, acrValues } = challenge;
  return new AgentError(
    `The call was refused: ${where.party} wants a fresher or stronger sign-in. Let the person sign in again, with this error's maxAge and acrValues.`,
    {
      ...where,
      code: STEP_UP,
      status: response.status,
      ...(maxAge === undefined ? {} : { maxAge }),
      ...(acrValues === undefined ? {} : { acrValues }),
    },
  );
}

function notRepeatable(call: Call): AgentError {
  return new AgentError(
    `${call.where.party} wanted another token, and the call's body is a stream, which can not be sent twice. The token is here now: make the call again.`,
    { ...call.where, code: "configuration", reason: "body-not-repeatable" },
  );
}

/** Lets a connection go whose answer nobody reads. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/**
 * An access token for a resource that has answered with 401 or 403.
 *
 * @param refusedToken - The token that the answer refuses, if the call carried one.
 * @throws AgentError `not_supported` when the answer wants no bearer token.
 */
export async function tokenForChallenge(
  context: AgentContext,
  routes: Routes,
  tokens: TokenSource,
  url: string,
  response: Response,
  refusedToken: string | undefined,
): Promise<AccessToken & { readonly route: IdJagRequest }> {
  const where: Where = { leg: "discovery", party: new URL(url).origin };
  return placed(where, async () => {
    checkUrl(url, context.development);
    const challenge = readChallenge(response);
    if (challenge === undefined) {
      throw new AgentError(`${where.party} wants another kind of authentication than a bearer token.`, {
        ...where,
        code: "not_supported",
        reason: "challenge-scheme",
      });
    }
    const status = response.status === 403 ? 403 : 401;
    context.watch({ type: "challenge", url, status, scope: challenge.scope, metadataUrl: challenge.metadataUrl });
    if (challenge.error === STEP_UP) throw await stepUp({ where: { ...where, leg: "call" } }, response, challenge);
    const route = await routes.discover(url, challenge);
    return { ...(await tokens.token(route, refusedToken)), route };
  });
}
