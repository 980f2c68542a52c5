import type { Agent, StartSignInOptions } from "./agent.ts";
import { type BrowserOptions, throughBrowser } from "./loopback.node.ts";
import type { Session } from "./session.ts";

/** How a sign-in by browser goes. */
export interface BrowserSignInOptions extends Omit<StartSignInOptions, "redirectUri">, BrowserOptions {
  /** Port to listen on at 127.0.0.1; a free one by default. The IdP must allow loopback redirects with any port (RFC 8252 §7.3). */
  readonly port?: number;
}

/**
 * Signs a person in through their own browser, which comes back to a listener on this machine.
 *
 * @throws AgentError with leg `sign-in`: `network` with reason `timeout` when nobody comes back in time.
 * @see RFC 8252 §7.3, §8.3
 */
export async function signInWithBrowser(agent: Agent, options: BrowserSignInOptions = {}): Promise<Session> {
  const { open, port = 0, path, timeout, signal, ...asked } = options;
  return throughBrowser({ leg: "sign-in", port, open, path, timeout, signal }, async (redirectUri) => {
    const { url, checks, finish } = await agent.startSignIn({ ...asked, redirectUri });
    return { url, state: checks.state, finish };
  });
}
