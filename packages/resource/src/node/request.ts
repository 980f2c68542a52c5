/** Node's requests and answers as the Web's, for the frameworks that are built on `node:http`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { goneBody, type WithoutBody } from "../body.ts";
import { type CertificateOptions, certificateOfProxy } from "../certificate.ts";
import type { RequestContext } from "../context.ts";
import type { Answer } from "../endpoints/answer.ts";
import { socketCertificate } from "./certificate.ts";

/** A request of `node:http`, or one of `node:http2` in the same form. */
export type NodeIncoming = IncomingMessage | Http2ServerRequest;

/** The answer to a {@link NodeIncoming}. */
export type NodeOutgoing = ServerResponse | Http2ServerResponse;

/** Methods that a Web request can not have, in any case of letters: no endpoint knows them. @see Fetch §2.2.1 */
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** A request of Node as a Web request. */
export interface NodeRequest extends Pick<WithoutBody, "wasWanted"> {
  readonly request: Request;
  readonly context: RequestContext;
}

/**
 * Makes a Web request of Node's. Its body is read when somebody asks for it, so that a request that is not ours goes on whole.
 *
 * @param origin - Scheme and host of its URL: the client's own `Host` header decides nothing.
 * @returns `undefined` for a method that a Web request can not have.
 */
export function nodeRequest(req: NodeIncoming, origin: string, options: CertificateOptions): NodeRequest | undefined {
  const method = methodOf(req);
  if (!isWebMethod(method)) return undefined;
  const headers = headersOf(req);
  const certificate = certificateOf(req, options);
  const hasBody = method !== "GET" && method !== "HEAD";
  const { body, wasWanted } = bodyOf(req);
  const init = { method, headers, ...(hasBody ? { body, duplex: "half" as const } : {}) };
  return {
    request: new Request(origin + targetOf(req), init),
    context: certificate === undefined ? {} : { certificate },
    wasWanted,
  };
}

/** All lines of a header count: `req.headers` would hide the second one of some. */
function headersOf({ rawHeaders }: Pick<NodeIncoming, "rawHeaders">): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = "", value = ""] = rawHeaders.slice(i, i + 2);
    // RFC 9113 §8.3: what HTTP/2 tells of method and path stands there too.
    if (!name.startsWith(":")) headers.append(name, value);
  }
  return headers;
}

/**
 * One header, all its lines joined by a comma, as a Web request has it.
 *
 * @param name - In lower case.
 */
export function headerOf({ rawHeaders }: Pick<NodeIncoming, "rawHeaders">, name: string): string | null {
  let found: string | null = null;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [other = "", value = ""] = [rawHeaders[i], rawHeaders[i + 1]];
    if (other.length === name.length && other.toLowerCase() === name) {
      found = found === null ? value : `${found}, ${value}`;
    }
  }
  return found;
}

/** The certificate that a request comes with, as the options say where from. */
export function certificateOf(req: NodeIncoming, { clientCertHeader }: CertificateOptions): Uint8Array | undefined {
  return clientCertHeader ? certificateOfProxy(headerOf(req, "client-cert")) : socketCertificate(req);
}

/** A method in capitals: HTTP/2 hands on small letters too, which a Web request takes for the same. */
export function methodOf({ method = "GET" }: { readonly method?: string | undefined }): string {
  return method.toUpperCase();
}

/** Whether a Web request can have the method. */
export function isWebMethod(method: string): boolean {
  return !FORBIDDEN_METHODS.has(method);
}

/** Whether the bytes of the body are still there to be read, as they were sent. */
export function isUnread(req: NodeIncoming): boolean {
  // A stream that has an encoding gives text, and not the bytes that were sent.
  return !req.readableDidRead && req.readableEncoding === null;
}

/** Path and query as the client sent them, whatever a framework made of them for its own routing. @see RFC 9112 §3.2 */
export function targetOf(req: NodeIncoming): string {
  const target = "originalUrl" in req && typeof req.originalUrl === "string" ? req.originalUrl : (req.url ?? "/");
  if (target.startsWith("/")) return target;
  const absolute = URL.canParse(target) ? new URL(target) : undefined;
  return absolute?.pathname.startsWith("/") ? absolute.pathname + absolute.search : "/";
}

function bodyOf(req: NodeIncoming): WithoutBody {
  const gone = goneBody();
  if (isUnread(req)) return { body: unreadBody(req), wasWanted: () => false };
  const kept = "rawBody" in req ? req.rawBody : undefined;
  return kept instanceof Uint8Array ? { body: keptBody(kept), wasWanted: () => false } : gone;
}

/** Reads only what is asked for, so that a limit of the reader's is one of memory too. */
function unreadBody(req: NodeIncoming): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined;
  const source: UnderlyingDefaultSource<Uint8Array> = {
    async pull(controller) {
      chunks ??= req.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
      const next = await chunks.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await chunks?.return?.();
      // The answer is read by nobody who is still sending: let them finish, within the listener's time limit.
      req.resume();
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}

function keptBody(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Sends an answer, beside the headers that others have set. */
export async function sendAnswer(res: NodeOutgoing, answer: Answer | Response): Promise<void> {
  if (answer instanceof Response) return sendResponse(res, answer);
  const { status, headers, body } = answer;
  const text = JSON.stringify(body);
  res.statusCode = status;
  for (const name in headers) res.setHeader(name, headers[name] ?? "");
  res.setHeader("content-type", "application/json");
  res.end(text);
}

/** Sends a Web answer as Node's, beside the headers that others have set. */
async function sendResponse(res: NodeOutgoing, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  res.statusCode = response.status;
  for (const [name, value] of response.headers) res.setHeader(name, value);
  res.end(body);
}
