import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Agent, StartedSignIn, StartSignInOptions } from "./agent.ts";
import { AgentError, placeError } from "./errors.ts";
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
    const returned = comeBack(server, started, path, timeout, signal);
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

/** The port; the loopback address by number, because `localhost` may lead elsewhere (RFC 8252 §8.3). */
function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}

function comeBack(
  server: Server,
  started: StartedSignIn,
  path: string,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Session> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(nobodyCame(timeout)), timeout * 1_000);
    const stop = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    const finished = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    };
    let taken = false;
    server.on("request", (request, response) => {
      const url = new URL(request.url ?? "/", "http://127.0.0.1");
      // Any page may send the browser here: only the one with our state is the answer, and only once.
      const ours =
        request.method === "GET" && url.pathname === path && url.searchParams.get("state") === started.checks.state;
      if (!ours || taken) return answer(request, response, 404, "Nothing here", "This address only ends a sign-in.");
      taken = true;
      started.finish(url).then(
        (session) => {
          answer(
            request,
            response,
            200,
            "You are signed in",
            "You may close this window and go back to the application.",
          );
          response.once("finish", () => resolve(session));
          response.once("close", () => resolve(session));
        },
        (cause: unknown) => {
          answer(
            request,
            response,
            400,
            "The sign-in did not work",
            "Go back to the application; it can tell you more.",
          );
          response.once("close", () => reject(cause));
        },
      );
    });
    server.once("close", finished);
  });
}

function nobodyCame(seconds: number): AgentError {
  return new AgentError(`Nobody came back from the sign-in within ${seconds} seconds. Begin it again.`, {
    leg: "sign-in",
    party: "the person's browser",
    code: "network",
    reason: "timeout",
  });
}

function answer(request: IncomingMessage, response: ServerResponse, status: number, title: string, text: string): void {
  request.resume();
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    connection: "close",
  });
  response.end(page(title, text));
}

/** Constant words only: nothing of the request stands in it. */
function page(title: string, text: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
:root { color-scheme: light dark; --ground: #faf8f4; --ink: #1b1a17; --ink-quiet: #5c5850; }
@media (prefers-color-scheme: dark) { :root { --ground: #12151c; --ink: #e9e6df; --ink-quiet: #a9a69f; } }
body { margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 24px;
  background: var(--ground); color: var(--ink); font: 14px/22px Inter, system-ui, sans-serif; }
h1 { margin: 0 0 8px; font-size: 20px; line-height: 28px; font-weight: 600; }
p { margin: 0; color: var(--ink-quiet); }
</style>
</head>
<body><main><h1>${title}</h1><p>${text}</p></main></body>
</html>
`;
}

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ["open"],
  // Not `cmd /c start`: that would read the URL's `&` as a command.
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Opens the desktop's browser; the URL is one argument, never part of a command line. */
function openBrowser(url: string): Promise<void> {
  const [command, ...before] = OPENERS[process.platform] ?? ["xdg-open"];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, url], { stdio: "ignore", detached: true });
    child.once("error", (cause) =>
      reject(
        new AgentError(`No browser could be opened (${command}). Give signInWithBrowser an open function.`, {
          leg: "sign-in",
          party: "the person's browser",
          code: "configuration",
          reason: "browser-missing",
          cause,
        }),
      ),
    );
    child.once("spawn", () => {
      child.unref();
      resolve();
    });
  });
}
