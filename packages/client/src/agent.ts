import type { SaveSignIn } from "./identity.ts";
import { type AgentOptions, readOptions } from "./options.ts";
import { createSession, type Session } from "./session.ts";
import { beginSignIn, completeSignIn, type SignIn, type SignInChecks, type SignInOptions } from "./sign-in.ts";

/** A sign-in that waits for the person to come back. */
export interface StartedSignIn {
  /** Open it in the person's browser. */
  readonly url: string;
  /** For agents that finish in another process: keep it in that browser's session, give it to `agent.finishSignIn`. */
  readonly checks: SignInChecks;
  /** The URL that the person came back to becomes a session. @throws AgentError with leg `sign-in`. */
  finish(callbackUrl: string | URL): Promise<Session>;
}

/** How a session is kept beyond this process. */
export interface SessionOptions {
  /** Called with every renewed sign-in before it is used; awaited. */
  readonly save?: SaveSignIn;
}

/** An OAuth client that acts for people, in apps that their organization connects it to. */
export interface Agent {
  /**
   * Begins a sign-in at the IdP: authorization code with PKCE.
   * @throws AgentError with leg `sign-in` or `discovery`.
   * @see OpenID Connect Core §3.1
   */
  startSignIn(options: SignInOptions & SessionOptions): Promise<StartedSignIn>;
  /** Finishes a sign-in that was begun elsewhere. @throws AgentError with leg `sign-in`. */
  finishSignIn(callbackUrl: string | URL, checks: SignInChecks, options?: SessionOptions): Promise<Session>;
  /**
   * A session for somebody who signed in already: an ID token that the IdP gave this client.
   * @throws AgentError `configuration` when it is another's.
   */
  session(signIn: SignIn, options?: SessionOptions): Session;
}

/**
 * Makes an agent.
 *
 * @throws AgentError `configuration`.
 * @see ID-JAG draft §4
 */
export function createAgent(options: AgentOptions): Agent {
  const context = readOptions(options);
  const finishSignIn: Agent["finishSignIn"] = async (callbackUrl, checks, { save } = {}) =>
    createSession(context, await completeSignIn(context, callbackUrl, checks), save);
  return {
    async startSignIn({ save, ...asked }) {
      const { url, checks } = await beginSignIn(context, asked);
      return { url, checks, finish: (callbackUrl) => finishSignIn(callbackUrl, checks, save ? { save } : {}) };
    },
    finishSignIn,
    session: (signIn, { save } = {}) => createSession(context, signIn, save),
  };
}
