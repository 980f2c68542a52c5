import type { CodeFlow } from "./code-flow.ts";
import { type BrowserOptions, DEFAULT_PATH, throughBrowser } from "./loopback.node.ts";

/** How a person is asked at an app by their own browser. */
export interface BrowserCodeFlowOptions extends Pick<CodeFlow, "clientMetadataUrl" | "register">, BrowserOptions {
  /** Port to listen on at 127.0.0.1: it stands in the redirect URI, so it is a fixed one; 3118 by default. */
  readonly port?: number;
}

/**
 * The code flow of apps without ID-JAGs on a desktop: the person's browser comes back to a listener on this machine.
 *
 * @returns for `fallback` of `createAgent`, and for `codeFlow` of the MCP providers. Where nobody comes back in time, it
 * throws AgentError `network` with reason `timeout`.
 * @see RFC 8252 §7.3
 */
export function browserCodeFlow(options: BrowserCodeFlowOptions = {}): CodeFlow {
  const { open, port = 3118, path = DEFAULT_PATH, timeout, ...introduced } = options;
  let turn: Promise<unknown> = Promise.resolve();

  const authorize = (url: string): Promise<URL> =>
    throughBrowser({ leg: "code-flow", port, open, path, timeout }, async () => {
      const state = new URL(url).searchParams.get("state");
      return { url, state, finish: async (back) => back };
    });

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
