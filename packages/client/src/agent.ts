import type { AgentError } from "./errors.ts";
import { untilAborted } from "./flight.ts";
import { DEFAULT_KEY, readKept, type SessionOptions } from "./identity.ts";
import { type AgentOptions, readOptions } from "./options.ts";
import { createSession, type Session } from "./session.ts";
import { beginSignIn, completeSignIn, type SignIn, type SignInChecks, type SignInOptions } from "./sign-in.ts";
import type { TokenStore } from "./token-store.ts";

/** A sign-in that waits for the person to come back. */
export interface StartedSignIn {
  /** Open it in the person's browser. */
  readonly url: string;
  /** For agents that finish in another process: keep it in that browser's session, give it to `agent.finishSignIn`. */
  readonly checks: SignInChecks;
  /** The URL that the person came back to becomes a session. @throws AgentError with leg `sign-in`. */
  finish(callbackUrl: string | URL): Promise<Session>;
}

/** What a sign-in is begun with. */
export interface StartSignInOptions extends SignInOptions, SessionOptions {
  /** The error that asked for a fresher or stronger sign-in: its `maxAge` and `acrValues` are asked for. @see RFC 9470 §4 */
  readonly stepUp?: Pick<AgentError, "maxAge" | "acrValues"> | undefined;
  readonly signal?: AbortSignal;
}

/** An OAuth client that acts for people, in apps that their organization connects it to. */
export interface Agent {
  /**
   * Begins a sign-in at the IdP: authorization code with PKCE.
   * @throws AgentError with leg `sign-in` or `discovery`.
   * @see OpenID Connect Core §3.1
   */
  startSignIn(options: StartSignInOptions): Promise<StartedSignIn>;
  /** Finishes a sign-in that was begun elsewhere. @throws AgentError with leg `sign-in`. */
  finishSignIn(
    callbackUrl: string | URL,
    checks: SignInChecks,
    options?: SessionOptions & { readonly signal?: AbortSignal },
  ): Promise<Session>;
  /**
   * A session for somebody who signed in already: an ID token that the IdP gave this client.
   * @throws AgentError `configuration` when it is another's.
   */
  session(signIn: SignIn, options?: SessionOptions): Session;
  /**
   * The session of somebody whose sign-in a store keeps.
   * @returns it; `undefined` where there is none: the person signs in.
   * @throws AgentError `configuration` when it is another agent's or IdP's, or the store can not be read.
   */
  restore(options: SessionOptions & { readonly store: TokenStore }): Promise<Session | undefined>;
}

/**
 * Makes an agent.
 *
 * @throws AgentError `configuration`.
 * @see ID-JAG draft §4
 */
export function createAgent(options: AgentOptions): Agent {
  const context = readOptions(options);
  const finishSignIn: Agent["finishSignIn"] = async (callbackUrl, checks, keeping = {}) => {
    const { signal } = keeping;
    signal?.throwIfAborted();
    const signIn = await untilAborted(completeSignIn(context, callbackUrl, checks), signal);
    const { store, key = DEFAULT_KEY } = keeping;
    await store?.set(key, JSON.stringify(signIn));
    return createSession(context, signIn, keeping);
  };
  return {
    async startSignIn({ save, store, key, stepUp, signal, ...asked }) {
      signal?.throwIfAborted();
      const keeping = { ...(save ? { save } : {}), ...(store ? { store } : {}), ...(key === undefined ? {} : { key }) };
      const { maxAge = stepUp?.maxAge, acrValues = stepUp?.acrValues } = asked;
      const { url, checks } = await untilAborted(beginSignIn(context, { ...asked, maxAge, acrValues }), signal);
      return { url, checks, finish: (callbackUrl) => finishSignIn(callbackUrl, checks, keeping) };
    },
    finishSignIn,
    session: (signIn, keeping = {}) => createSession(context, signIn, keeping),
    async restore(keeping) {
      const signIn = await readKept(context, keeping);
      return signIn && createSession(context, signIn, keeping);
    },
  };
}
