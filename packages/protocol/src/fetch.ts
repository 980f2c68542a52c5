import { addressKind, isAddress, isLoopbackHost } from "./addresses.ts";
import { decodeUtf8 } from "./encoding.ts";
import { CredenceError } from "./errors.ts";
import { readStream } from "./form.ts";

export { type AddressKind, addressKind, isLoopbackHost } from "./addresses.ts";

/** How a guarded fetch behaves. */
export interface FetchGuardOptions {
  /** What fetches, in the end; on Node, `nodeFetch` of `@credence/protocol/node` also checks addresses at connect time. */
  readonly fetch?: typeof globalThis.fetch;
  /** Development only: allows `http:` and loopback addresses. */
  readonly allowLoopback?: boolean;
  /** Seconds until the whole answer must be there; 5 by default. */
  readonly timeout?: number;
  /** Bytes of an answer at the most; 262,144 by default. */
  readonly maxBytes?: number;
}

/** An answer that was read to its end, within the limits. */
export interface GuardedResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The body as text. */
  readonly text: string;
  /** The body as JSON. @throws CredenceError `response_invalid` when it is not JSON. */
  json(): unknown;
}

/** Fetches a URL that somebody else named. */
export type GuardedFetch = (url: string, init?: RequestInit) => Promise<GuardedResponse>;

/**
 * Checks whether a URL may be fetched: `https:`, no credentials, no private address; loopback by the switch.
 *
 * @throws CredenceError `fetch_refused`.
 */
export function checkUrl(url: string, allowLoopback: boolean = false): URL {
  if (!URL.canParse(url)) throw refused("url-malformed", "It is not an absolute URL.");
  const parsed = new URL(url);
  const { protocol, hostname, username, password } = parsed;
  if (username || password) throw refused("url-credentials", "It carries credentials.");
  const kind = isAddress(hostname) ? addressKind(hostname) : isLoopbackHost(hostname) ? "loopback" : "public";
  if (kind === "private") throw refused("address-private", `${hostname} is a private address.`);
  if (kind === "loopback" && !allowLoopback) throw refused("address-loopback", `${hostname} is this machine itself.`);
  if (protocol !== "https:" && !(protocol === "http:" && kind === "loopback")) {
    throw refused("url-scheme", "It is not https.");
  }
  return parsed;
}

/**
 * Makes a fetch for URLs that somebody else named: JWKS, discovery, metadata, probes, token endpoints.
 * Redirects are refused; size and time are bounded.
 *
 * @returns a fetch that throws CredenceError `fetch_refused` or `network`.
 */
export function guardedFetch(options: FetchGuardOptions = {}): GuardedFetch {
  const { fetch = globalThis.fetch, allowLoopback = false, timeout = 5, maxBytes = 262_144 } = options;
  return async (url, init = {}) => {
    const checked = checkUrl(url, allowLoopback);
    const { response, bytes } = await attempt(checked, () =>
      within(timeout, init.signal, async (signal) => {
        const response = await fetch(checked, { ...init, redirect: "manual", signal });
        return { response, bytes: await readStream(response.body, maxBytes) };
      }),
    );
    // `opaqueredirect` (status 0) is how browsers and workers show what Node shows as 3xx.
    if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
      throw refused("redirect", `${checked.origin} answered with a redirect.`);
    }
    if (bytes === undefined) throw refused("too-large", `${checked.origin} answered with more than ${maxBytes} bytes.`);
    return guardedResponse(response, bytes, checked);
  };
}

/**
 * Runs something that a time limit ends, or the caller. Not `AbortSignal.any` with `AbortSignal.timeout`: on Node 20 nothing
 * holds the latter, and a limit that was collected as garbage is none.
 *
 * @param seconds - Until the signal is aborted with a `TimeoutError`.
 */
async function within<T>(
  seconds: number,
  caller: AbortSignal | null | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const late = (): void => controller.abort(new DOMException("The time is over", "TimeoutError"));
  const unwanted = (): void => controller.abort(caller?.reason);
  const timer = setTimeout(late, seconds * 1_000);
  caller?.addEventListener("abort", unwanted, { once: true });
  if (caller?.aborted) unwanted();
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener("abort", unwanted);
  }
}

async function attempt<T>(url: URL, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause instanceof CredenceError ? cause.cause : cause;
    if (inner instanceof CredenceError) throw inner;
    const late = cause instanceof Error && cause.name === "TimeoutError";
    const code = late ? undefined : systemCode(cause);
    const why = late ? "did not answer in time" : `could not be reached${code === undefined ? "" : ` (${code})`}`;
    throw new CredenceError(`${url.origin} ${why}`, {
      code: "network",
      reason: late ? "timeout" : "unreachable",
      cause,
    });
  }
}

/** What the system says of it, `ENOTFOUND` or `DEPTH_ZERO_SELF_SIGNED_CERT`, where the runtime's fetch passes it on. */
function systemCode(thrown: unknown, depth = 0): string | undefined {
  if (!(thrown instanceof Error) || depth > 3) return undefined;
  if ("code" in thrown && typeof thrown.code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(thrown.code))
    return thrown.code;
  return systemCode(thrown.cause, depth + 1);
}

function guardedResponse(response: Response, bytes: Uint8Array, url: URL): GuardedResponse {
  const invalid = (what: string, cause?: unknown): CredenceError =>
    new CredenceError(`${url.origin}${url.pathname} answered with something that is not ${what}`, {
      code: "response_invalid",
      reason: `not-${what.toLowerCase()}`,
      status: response.status,
      cause,
    });
  const text = decodeUtf8(bytes);
  if (text === undefined) throw invalid("UTF-8");
  return {
    status: response.status,
    headers: response.headers,
    text,
    json() {
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw invalid("JSON", cause);
      }
    },
  };
}

function refused(reason: string, why: string): CredenceError {
  return new CredenceError(`The URL is not fetched. ${why}`, { code: "fetch_refused", reason });
}
