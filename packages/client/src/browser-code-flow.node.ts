import { createServer } from "node:http";
import type { CodeFlow } from "./code-flow.ts";
import { placeError } from "./errors.ts";
import { comeBack, listen, openBrowser } from "./loopback.node.ts";

/** How a person is asked at an app by their own browser. */
export interface BrowserCodeFlowOptions extends Pick<CodeFlow, "clientMetadataUrl" | "register"> {
  /** Opens a URL in the person's browser; by default the desktop's own way. */
  readonly open?: (url: string) => unknown;
  /** Port to listen on at 127.0.0.1: it stands in the redirect URI, so it is a fixed one; 3118 by default. */
  readonly port?: number;
  /** Path of the redirect URI; `/callback` by default. */
  readonly path?: string;
  /** Seconds that the person has; 300 by default. */
  readonly timeout?: number;
}

/**
 * The code flow of apps without ID-JAGs on a desktop: the person's browser comes back to a listener on this machine.
 *
 * @returns for `fallback` of `createAgent`, and for `codeFlow` of the MCP providers. Where nobody comes back in time, it
 * throws AgentError `network` with reason `timeout`.
 * @see RFC 8252 §7.3
 */
export function browserCodeFlow(options: BrowserCodeFlowOptions = {}): CodeFlow {
  const { open = openBrowser, port = 3118, path = "/callback", timeout = 300, ...introduced } = options;
  let turn: Promise<unknown> = Promise.resolve();

  async function authorize(url: string): Promise<URL> {
    const server = createServer();
    try {
      await listen(server, port);
      const state = new URL(url).searchParams.get("state");
      const returned = comeBack(server, { leg: "code-flow", path, state, timeout, finish: async (back) => back });
      const opened = (async () => {
        await open(url);
        return returned;
      })();
      return await Promise.race([returned, opened]);
    } catch (cause) {
      throw placeError(cause, { leg: "code-flow", party: "the person's browser" });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }

  return {
    ...introduced,
    redirectUri: `http://127.0.0.1:${port}${path}`,
    // One port, and one person: they are asked one thing at a time.
    authorize(url) {
      const mine = turn.then(() => authorize(url));
      turn = mine.catch(() => {});
      return mine;
    },
  };
}
