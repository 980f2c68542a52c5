import { X509Certificate } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerOptions, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { CredenceError } from "@credence/protocol";
import type { Handler } from "./answer.ts";
import { type ConnectionOptions, guardConnections, unreadable } from "./connections.ts";
import { type Closing, closeGently, connectionsOf } from "./drain.ts";

/** Where and how to listen. */
export interface ListenOptions {
  /** Address or name to bind to. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly handler: Handler;
  /** Ends TLS here; plain HTTP without it. */
  readonly tls?: TlsOptions;
  /** Milliseconds that requests in flight get to finish when the listener closes. */
  readonly graceMs?: number;
  /** Whether other processes may listen at the same address beside this one, and share its connections (Linux). */
  readonly shared?: boolean;
  /** How many connections are taken; no limits by default. */
  readonly connections?: Partial<ConnectionOptions>;
}

/** What TLS needs. All in PEM. */
export interface TlsOptions {
  /** Of this server, with the chain up to its root. */
  readonly certificate: string;
  readonly key: string;
  /** Certificates of clients are asked for, and count where one of these CAs has issued them; nobody has to show one. */
  readonly clientCa?: string;
}

/** A listener at work. */
export interface Listener {
  /** Scheme, host and the port that was taken; without a path. */
  readonly url: string;
  readonly port: number;
  /**
   * Stops accepting, lets requests in flight finish, then closes what is left. Resolves when all is closed.
   *
   * @param drain - Seconds for which new connections are still taken, while each answer ends its own. With any, a
   *   connection is not closed before the time that its client was told it may be kept.
   */
  close(drain?: number): Promise<void>;
}

const LIMITS = {
  /** Bytes of all headers of a request. */
  maxHeaderSize: 16_384,
  /** Milliseconds until the headers are there; until the whole request is there; between requests. */
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  /** How often Node looks for those whose time is over: every half minute, where nothing is said. */
  connectionsCheckingInterval: 1_000,
} as const;

/** Headers of a request. Node drops what is beyond its own bound silently, so we refuse long before. */
const MAX_HEADERS = 100;

const GRACE_MS = 10_000;
/** How long a client may count on an idle connection: it was told `keep-alive: timeout=5`, and Node adds a second. */
const KEPT_MS = LIMITS.keepAliveTimeout + 1_000;

/**
 * Listens for HTTP, or for HTTPS where there is a certificate.
 *
 * @throws CredenceError `configuration` when the address can not be had (port taken, no permission, no such host), or the
 * certificate and key can not be used.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const closing: Closing = { begun: false };
  const settings = { ...LIMITS, ServerResponse: answersUntil(closing) };
  const handler = boundHeaders(options);
  const server =
    options.tls === undefined
      ? createServer(settings, handler)
      : tlsServer(options.tls, settings, { ...options, handler });
  const sockets = connectionsOf(server);
  guardConnections(server, { ...NO_LIMITS, ...options.connections });
  const port = await bind(server, options);
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  const { graceMs = GRACE_MS } = options;
  let closed: Promise<void> | undefined;
  return {
    url: `${options.tls === undefined ? "http" : "https"}://${host}:${port}`,
    port,
    close(drain = 0) {
      closed ??= closeGently(server, sockets, closing, { drainMs: drain * 1_000, keptMs: KEPT_MS, graceMs });
      return closed;
    },
  };
}

const NO_LIMITS: ConnectionOptions = { connections: 0, connectionsPerAddress: 0, trustedProxies: [], headers: [] };

function boundHeaders({ handler, connections }: ListenOptions): Handler {
  return (req, res) => {
    if (req.rawHeaders.length <= 2 * MAX_HEADERS) return handler(req, res);
    const own = Object.fromEntries(connections?.headers ?? []);
    res.writeHead(431, {
      ...own,
      "content-type": "application/json",
      "cache-control": "no-store",
      connection: "close",
    });
    return res.end(unreadable(431));
  };
}

/** Once the listener closes, each answer says so: the client sends no more on that connection. @see RFC 9112 §9.6 */
function answersUntil(closing: Closing): typeof ServerResponse {
  return class<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    override writeHead(...args: unknown[]): this {
      if (closing.begun) this.shouldKeepAlive = false;
      // Handed on as they came: the method has several signatures, and this names only one of them.
      return super.writeHead(...(args as Parameters<ServerResponse["writeHead"]>));
    }
  };
}

/** @see RFC 8705 §3: the handshake proves that the client has its certificate's key. */
function tlsServer(
  { certificate, key, clientCa }: TlsOptions,
  settings: ServerOptions,
  { handler }: ListenOptions,
): Server {
  const { headersTimeout: handshakeTimeout } = LIMITS;
  try {
    const mutual =
      clientCa === undefined ? {} : { ca: certificatesIn(clientCa), requestCert: true, rejectUnauthorized: false };
    return createTlsServer({ ...settings, handshakeTimeout, cert: certificate, key, ...mutual }, handler);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CredenceError(`The TLS certificate, its key or the CA for clients can not be used: ${why}.`, {
      code: "configuration",
      reason: "tls-unusable",
      cause,
    });
  }
}

/** A CA that can not be read would be passed over, and no client's certificate would ever count. */
function certificatesIn(bundle: string): string[] {
  const found = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new TypeError("the CA for clients holds no certificate");
  return found.map((one) => new X509Certificate(one).toString());
}

function bind(server: Server, { host, port, shared = false }: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    // Where the kernel does not share an address, Node's cluster does it.
    server.listen({ port, host, reusePort: shared && process.platform === "linux" }, () => {
      // A TCP server's address is never a string, and is there once it listens.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): CredenceError {
  const message =
    error.code === "EADDRINUSE"
      ? `Port ${port} on ${host} is in use by another program. Stop it, or choose another port.`
      : error.code === "EACCES"
        ? `Port ${port} on ${host} may not be used by this user. Choose a port from 1024 up.`
        : `Listening on ${host}, port ${port}, is not possible: ${error.code ?? error.message}.`;
  return new CredenceError(message, { code: "configuration", reason: error.code ?? "listen-failed", cause: error });
}
