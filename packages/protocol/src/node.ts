/** A fetch for Node that checks the address at connect time, so that a name can not lead to a private network. */
import type { LookupAddress, LookupOptions } from "node:dns";
import { lookup } from "node:dns";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { addressKind } from "./addresses.ts";
import { CredenceError } from "./errors.ts";

/**
 * Makes a fetch that refuses private addresses when it connects, after the name was resolved: the check and the
 * connection use the same answer of the resolver. Redirects are never followed. To be given to `guardedFetch`.
 *
 * @param options.allowLoopback - Development only: allows this machine itself.
 * @returns a fetch; its promise rejects with CredenceError `fetch_refused` for a private address.
 */
export function nodeFetch(options: { readonly allowLoopback?: boolean } = {}): typeof globalThis.fetch {
  const checkedLookup = lookupPublic(options.allowLoopback ?? false);
  return async (input, init) => {
    const request = new Request(input, init);
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
    const url = new URL(request.url);
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const { signal } = request;
    return new Promise<Response>((resolve, reject) => {
      const headers = {
        ...Object.fromEntries(request.headers),
        ...(body ? { "content-length": body.byteLength } : {}),
      };
      const sent = send(url, { method: request.method, headers, lookup: checkedLookup, signal });
      // An aborted signal's own reason says whether it was a time limit.
      sent.on("error", (error) => reject(signal.aborted ? signal.reason : error));
      sent.on("response", (answer) => resolve(toResponse(answer)));
      sent.end(body);
    });
  };
}

function toResponse(answer: IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = answer.statusCode ?? 502;
  const empty = status === 204 || status === 205 || status === 304;
  if (empty) answer.resume();
  // Node's own type for a web stream is the same stream under another name.
  const body = empty ? null : (Readable.toWeb(answer) as unknown as ReadableStream);
  return new Response(body, { status, headers });
}

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

function lookupPublic(allowLoopback: boolean) {
  return (hostname: string, options: LookupOptions, callback: Callback): void => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "");
      // One private answer spoils the name: which of several is used must not be left to chance.
      const bad = addresses.find(({ address }) => {
        const kind = addressKind(address);
        return kind === "private" || (kind === "loopback" && !allowLoopback);
      });
      const [first] = addresses;
      if (bad || !first) return callback(privateAddress(hostname), "");
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

function privateAddress(hostname: string): CredenceError {
  return new CredenceError(`The URL is not fetched. ${hostname} leads to a private address.`, {
    code: "fetch_refused",
    reason: "address-private",
  });
}
