import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import type { ClientIdentity } from "@credence/protocol/client-auth";
import { createFetch, type SessionFetch, tokenForChallenge } from "./call.ts";
import type { Prover } from "./dpop.ts";
import { AgentError, placed } from "./errors.ts";
import type { IdJag, IdJagRequest } from "./exchange.ts";
import { untilAborted } from "./flight.ts";
import { createIdentity, type SessionOptions } from "./identity.ts";
import type { AgentContext } from "./options.ts";
import type { AccessToken } from "./redeem.ts";
import { createRoutes } from "./routes.ts";
import type { SignIn } from "./sign-in.ts";
import { createTokenSource } from "./tokens.ts";

/** What an access token is asked for. */
export interface TokenRequest {
  /** A URL of the resource, or its identifier. */
  readonly resource: string;
  /** Scope tokens divided by spaces; by default what the resource lists, else what the policy chooses. */
  readonly scope?: string;
  /** What exactly the agent wants to do, where the app has types for it. @see RFC 9396 */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /**
   * Issuer of the app's authorization server. With it nothing is discovered, and `resource` is taken as the identifier;
   * without it the resource's metadata says.
   */
  readonly audience?: string;
  /** Ends the waiting, not the work that others wait for too. */
  readonly signal?: AbortSignal;
}

/** A person who is signed in, and what the agent may do for them. */
export interface Session {
  /** Whether `http:` and this machine's own addresses are allowed: the agent's option. */
  readonly development: boolean;
  /**
   * As the platform's `fetch`, with the tokens that the resource wants: follows its challenge, gets an access token by
   * way of the IdP, renews it before it expires. Answers come back as they are, but for these:
   * after one fresh token a 401 is thrown as `invalid_token`, after one wider token a 403 as `insufficient_scope`.
   * Redirects are not followed: `fetch_refused`, or with `redirect: "manual"` the answer itself.
   * A body that is a stream is sent once: `body-not-repeatable` says that the call is to be made again.
   *
   * @throws AgentError; whatever `signal` was aborted with.
   * @see ID-JAG draft §4, RFC 9728 §5
   */
  readonly fetch: SessionFetch;
  /**
   * An access token for a resource.
   *
   * @throws AgentError; a denial (`access_denied`) is final: there is no other way to consent.
   * @see ID-JAG draft §4
   */
  token(request: TokenRequest): Promise<AccessToken>;
  /**
   * An access token for a resource that has just answered with 401 or 403: for transports that send calls themselves.
   *
   * @param url - The URL that was called.
   * @param refused - The access token that the answer refuses, if there was one.
   * @returns the token, and as `route` what it was asked with, for {@link Session.token}.
   * @throws AgentError
   */
  tokenForChallenge(
    url: string | URL,
    response: Response,
    refused?: string,
  ): Promise<AccessToken & { readonly route: IdJagRequest }>;
  /**
   * An ID-JAG, for libraries that redeem it themselves; with `bind`, to be redeemed with a proof of the agent's DPoP key.
   * @throws AgentError
   * @see ID-JAG draft §4.3
   */
  idJag(request: IdJagRequest & { readonly bind?: boolean | undefined }): Promise<IdJag>;
  /** Proves the agent's key, for libraries that send requests themselves; `undefined` for an agent without `dpop`. */
  readonly dpop: Prover | undefined;
  /** The agent's credential at an authorization server, for libraries that redeem themselves; by exact issuer. */
  clientAt(issuer: string): Promise<ClientIdentity | undefined>;
  /**
   * The sign-in as it is now, to be kept and given to `agent.session` later. Secret.
   * @throws AgentError `sign_in_required` after signing out.
   */
  signIn(): SignIn;
  /**
   * Ends the session here at once, and revokes the refresh token at the IdP where that is offered.
   *
   * @param options.postLogoutRedirectUri - Where the person comes back to, registered at the IdP.
   * @returns `url`: to be opened in the person's browser, which ends their session at the IdP; `undefined` when the IdP
   * has none.
   * @throws AgentError when the IdP could not be told; the session here is over all the same.
   * @see OpenID Connect RP-Initiated Logout §2
   */
  signOut(options?: { readonly postLogoutRedirectUri?: string }): Promise<{ readonly url: string | undefined }>;
}

/** Makes a session of a sign-in. @throws AgentError `configuration` when the ID token is not of this IdP and client. */
export function createSession(context: AgentContext, signIn: SignIn, keeping?: SessionOptions): Session {
  const identity = createIdentity(context, signIn, keeping);
  const tokens = createTokenSource(context, identity);
  const routes = createRoutes(context);

  async function routeOf({ resource, scope, audience, authorizationDetails }: TokenRequest): Promise<IdJagRequest> {
    const asked = {
      ...(scope === undefined ? {} : { scope }),
      ...(authorizationDetails === undefined ? {} : { authorizationDetails }),
    };
    if (audience !== undefined) return { audience, resource, ...asked };
    const known = routes.known(resource) ?? (await routes.discover(resource));
    return { ...known, ...asked };
  }

  const call = createFetch(context, routes, tokens);
  return {
    async fetch(input, init) {
      identity.assertAlive();
      return call(input, init);
    },
    async token(request) {
      identity.assertAlive();
      const { resource, signal } = request;
      signal?.throwIfAborted();
      const found = placed({ leg: "discovery", party: partyOf(resource) }, async () => {
        const route = await routeOf(request);
        // Nobody waits any more: nothing is asked for.
        signal?.throwIfAborted();
        return tokens.token(route);
      });
      return untilAborted(found, signal);
    },
    async tokenForChallenge(url, response, refused) {
      identity.assertAlive();
      return tokenForChallenge(context, routes, tokens, String(url), response, refused);
    },
    async idJag(request) {
      identity.assertAlive();
      return tokens.idJag(request);
    },
    development: context.development,
    dpop: context.prover,
    clientAt: (issuer) => context.clientAt(issuer),
    signIn: () => identity.current(),
    async signOut(options) {
      const ending = identity.end(options?.postLogoutRedirectUri);
      tokens.forget();
      return ending;
    },
  };
}

function partyOf(resource: string): string {
  if (URL.canParse(resource)) return new URL(resource).origin;
  throw new AgentError("The resource is not an absolute URL.", {
    leg: "discovery",
    party: "the agent itself",
    code: "configuration",
    reason: "resource-malformed",
  });
}
