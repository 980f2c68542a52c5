import { createServer } from "node:http";
import type { Agent, StartSignInOptions } from "./agent.ts";
import { placeError } from "./errors.ts";
import { comeBack, listen, openBrowser } from "./loopback.node.ts";
import type { Session } from "./session.ts";

/** How a sign-in by browser goes. */
export interface BrowserSignInOptions extends Omit<StartSignInOptions, "redirectUri"> {
  /** Opens a URL in the person's browser; by default the desktop's own way. */
  readonly open?: (url: string) => unknown;
  /** Port to listen on at 127.0.0.1; a free one by default. The IdP must allow loopback redirects with any port (RFC 8252 §7.3). */
  readonly port?: number;
  /** Path of the redirect URI; `/callback` by default. */
  readonly path?: string;
  /** Seconds that the person has; 300 by default. */
  readonly timeout?: number;
}

/**
 * Signs a person in through their own browser, which comes back to a listener on this machine.
 *
 * @throws AgentError with leg `sign-in`: `network` with reason `timeout` when nobody comes back in time.
 * @see RFC 8252 §7.3, §8.3
 */
export async function signInWithBrowser(agent: Agent, options: BrowserSignInOptions = {}): Promise<Session> {
  const { open = openBrowser, port = 0, path = "/callback", timeout = 300, signal, ...asked } = options;
  signal?.throwIfAborted();
  const server = createServer();
  try {
    const redirectUri = `http://127.0.0.1:${await listen(server, port)}${path}`;
    const started = await agent.startSignIn({ ...asked, redirectUri });
    const { state } = started.checks;
    const returned = comeBack(server, {
      leg: "sign-in",
      path,
      state,
      timeout,
      signal,
      finish: (url) => started.finish(url),
    });
    const opened = (async () => {
      await open(started.url);
      return returned;
    })();
    // Whichever fails first ends the waiting: a browser that could not be opened is such a failure.
    return await Promise.race([returned, opened]);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw placeError(cause, { leg: "sign-in", party: "the person's browser" });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
