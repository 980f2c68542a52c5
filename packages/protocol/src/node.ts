/** A fetch for Node that checks the address at connect time, so that a name can not lead to a private network. */
import type { LookupAddress, LookupOptions } from "node:dns";
import { lookup } from "node:dns";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { addressKind, isAddress, isLoopbackHost } from "./addresses.ts";
import { CredenceError } from "./errors.ts";

export { nodeKeys, nodeSigner, nodeVerifier } from "./node/keys.ts";

/**
 * Makes a fetch that refuses private addresses when it connects, after the name was resolved: the check and the
 * connection use the same answer of the resolver. Redirects are never followed. To be given to `guardedFetch`.
 *
 * @param options.allowLoopback - Development only: allows this machine itself.
 * @returns a fetch; its promise rejects with CredenceError `fetch_refused` for a private address.
 */
export function nodeFetch(options: { readonly allowLoopback?: boolean } = {}): typeof globalThis.fetch {
  const allowLoopback = options.allowLoopback ?? false;
  const checkedLookup = lookupPublic(allowLoopback);
  // Connections of its own: one that others opened and left in the pool was never checked.
  const agents = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };
  return async (input, init) => {
    const request = new Request(input, init);
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
    const url = new URL(request.url);
    // Node resolves no address, so no look-up would see this one.
    if (isAddress(url.hostname) && !isAllowed(url.hostname, allowLoopback)) throw privateAddress(url.hostname);
    const [send, agent] = url.protocol === "https:" ? [httpsRequest, agents["https:"]] : [httpRequest, agents["http:"]];
    const { signal } = request;
    return new Promise<Response>((resolve, reject) => {
      const headers = {
        ...Object.fromEntries(request.headers),
        ...(body ? { "content-length": body.byteLength } : {}),
      };
      const sent = send(url, { method: request.method, headers, lookup: checkedLookup, signal, agent });
      // An aborted signal's own reason says whether it was a time limit.
      sent.on("error", (error) => reject(signal.aborted ? signal.reason : error));
      sent.on("response", (answer) => resolve(toResponse(answer, url)));
      // Who answers with an upgrade that nobody asked for makes Node hang up, without an error and without a response.
      sent.on("close", () => reject(noAnswer(url, "ended the connection without an answer", "unreachable")));
      sent.end(body);
    });
  };
}

/** Rejects, and does not throw into Node's own event: nobody would catch it there, and the process would end. */
async function toResponse(answer: IncomingMessage, url: URL): Promise<Response> {
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = answer.statusCode ?? 502;
  // RFC 9110 §15: what lies outside is no final status, and a Web response can not have it.
  if (status < 200 || status > 599) {
    answer.destroy();
    throw noAnswer(url, "answered with a status that is none", "status-invalid");
  }
  const empty = status === 204 || status === 205 || status === 304;
  if (empty) answer.resume();
  // Node's own type for a web stream is the same stream under another name.
  const body = empty ? null : (Readable.toWeb(answer) as unknown as ReadableStream);
  return new Response(body, { status, headers });
}

function noAnswer({ origin }: URL, what: string, reason: string): CredenceError {
  return new CredenceError(`${origin} ${what}`, { code: "network", reason });
}

const FOR_DEVELOPMENT = " For development on this machine: nodeFetch({ allowLoopback: true }).";

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

function lookupPublic(allowLoopback: boolean) {
  return (hostname: string, options: LookupOptions, callback: Callback): void => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "");
      // One private answer spoils the name: which of several is used must not be left to chance.
      const bad = addresses.find(({ address }) => !isAllowed(address, allowLoopback));
      const [first] = addresses;
      if (bad || !first) return callback(privateAddress(hostname), "");
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

function isAllowed(address: string, allowLoopback: boolean): boolean {
  const kind = addressKind(address);
  return kind === "public" || (kind === "loopback" && allowLoopback);
}

function privateAddress(hostname: string): CredenceError {
  const mend = isLoopbackHost(hostname) ? FOR_DEVELOPMENT : "";
  return new CredenceError(`The URL is not fetched. ${hostname} leads to a private address.${mend}`, {
    code: "fetch_refused",
    reason: "address-private",
  });
}
