/** The person's own browser, and the listener on this machine that it comes back to. @see RFC 8252 §7.3 */
import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AgentError, type Leg, placeError } from "./errors.ts";

/** How the person's browser is sent away, and waited for. */
export interface BrowserOptions {
  /** Opens a URL in the person's browser; by default the desktop's own way. */
  readonly open?: ((url: string) => unknown) | undefined;
  /** Path of the redirect URI; `/callback` by default. */
  readonly path?: string | undefined;
  /** Seconds that the person has; 300 by default. */
  readonly timeout?: number | undefined;
}

/** For which leg, and where the browser comes back to. */
export interface LoopbackOptions extends BrowserOptions {
  readonly leg: Leg;
  /** Port to listen on at 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  readonly signal?: AbortSignal | undefined;
}

/** A request that a browser is sent away with. */
export interface BrowserRequest<T> {
  readonly url: string;
  /** By which the answer to it is known. */
  readonly state: string | null;
  /** What the URL that the browser came back to becomes. */
  finish(url: URL): Promise<T>;
}

/** Of the redirect URI. */
export const DEFAULT_PATH = "/callback";

/**
 * Sends the person's browser away, and listens on this machine until it comes back.
 *
 * @param begin - Makes the request, once its redirect URI is known.
 * @throws AgentError, `network` with reason `timeout` when nobody comes back in time; whatever `signal` was aborted with.
 * @see RFC 8252 §7.3
 */
export async function throughBrowser<T>(
  { leg, port, signal, open = (url) => openBrowser(url, leg), path = DEFAULT_PATH, timeout = 300 }: LoopbackOptions,
  begin: (redirectUri: string) => Promise<BrowserRequest<T>>,
): Promise<T> {
  signal?.throwIfAborted();
  const server = createServer();
  try {
    const redirectUri = `http://127.0.0.1:${await listen(server, port)}${path}`;
    const { url, state, finish } = await begin(redirectUri);
    const returned = comeBack(server, { leg, path, redirectUri, state, timeout, signal, finish });
    const opened = (async () => {
      await open(url);
      return returned;
    })();
    // Whichever fails first ends the waiting: a browser that could not be opened is such a failure.
    return await Promise.race([returned, opened]);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw placeError(cause, { leg, party: "the person's browser" });
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

type Awaited<T> = Omit<BrowserRequest<T>, "url"> &
  Pick<LoopbackOptions, "leg" | "signal"> & {
    readonly path: string;
    readonly redirectUri: string;
    readonly timeout: number;
  };

/** Waits for the person's browser to come back, once. @throws AgentError `network` with reason `timeout`. */
function comeBack<T>(server: Server, awaited: Awaited<T>): Promise<T> {
  const { leg, path, redirectUri, state, timeout, signal, finish } = awaited;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(nobodyCame(leg, timeout, redirectUri)), timeout * 1_000);
    const stop = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    const finished = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    };
    let taken = false;
    server.on("request", (request, response) => {
      // Whatever is on this machine may ask for anything, `//` too, which is no URL: nothing may throw here.
      const url = URL.parse(request.url ?? "/", "http://127.0.0.1");
      // Any page may send the browser here: only the one with our state is the answer, and only once.
      const ours = request.method === "GET" && url?.pathname === path && url.searchParams.get("state") === state;
      if (!ours || taken) return answer(request, response, 404, "Nothing here", "This address only ends a sign-in.");
      taken = true;
      finish(url).then(
        (result) => {
          answer(
            request,
            response,
            200,
            "You are signed in",
            "You may close this window and go back to the application.",
          );
          afterwards(response, () => resolve(result));
        },
        (cause: unknown) => {
          answer(
            request,
            response,
            400,
            "The sign-in did not work",
            "Go back to the application; it can tell you more.",
          );
          afterwards(response, () => reject(cause));
        },
      );
    });
    server.once("close", finished);
  });
}

/** Once the page was sent. A window that was closed before gets none: nobody waits for it. */
function afterwards(response: ServerResponse, run: () => void): void {
  if (response.closed) run();
  else response.once("finish", run).once("close", run);
}

function nobodyCame(leg: Leg, seconds: number, redirectUri: string): AgentError {
  return new AgentError(
    `Nobody came back from the sign-in within ${seconds} seconds. Begin it again. Where the browser shows an error in place ` +
      `of the sign-in, the agent's client id or its redirect URI (${redirectUri}) is not registered there, most of all.`,
    { leg, party: "the person's browser", code: "network", reason: "timeout" },
  );
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
function openBrowser(url: string, leg: Leg): Promise<void> {
  const [command, ...before] = OPENERS[process.platform] ?? ["xdg-open"];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...before, url], { stdio: "ignore", detached: true });
    child.once("error", (cause) =>
      reject(
        new AgentError(`No browser could be opened (${command}). Give an open function.`, {
          leg,
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
