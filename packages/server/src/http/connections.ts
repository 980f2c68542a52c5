import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { memberOf, networkOf, plainAddress } from "../sign-in/source.ts";

/** What a listener bears of connections. 0 is no limit. */
export interface ConnectionLimits {
  /** At once, in this process. */
  readonly connections: number;
  /** At once from one address (of IPv6: one /64). */
  readonly connectionsPerAddress: number;
}

/** How connections are held to it. */
export interface ConnectionOptions extends ConnectionLimits {
  /** Addresses and networks of proxies, which bring everybody's requests: the bound per address is not for them. */
  readonly trustedProxies: readonly string[];
  /** What every answer says, also those that no handler gives. */
  readonly headers: readonly (readonly [string, string])[];
}

/** Milliseconds between two looks at bodies on their way; bytes that each of them must have brought meanwhile. */
const LOOK_EVERY_MS = 5_000;
const LEAST_PROGRESS = 512;

interface Connection {
  /** Whose body is on its way. */
  request?: IncomingMessage;
  /** Bytes, at the last look. */
  read: number;
}

/**
 * Holds a server's connections to their bounds: too many are closed at once, before anything is read from them; a body that hardly
 * comes forward ends its connection; and what is no HTTP is answered as everything else is.
 */
export function guardConnections(server: Server, options: ConnectionOptions): void {
  const { connections, connectionsPerAddress: most } = options;
  if (connections > 0) server.maxConnections = connections;
  if (most > 0) boundPerAddress(server, most, memberOf(options.trustedProxies));
  watchBodies(server, options.headers);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    refuseOnSocket(socket, STATUS_OF[error.code ?? ""] ?? 400, options.headers);
  });
}

function boundPerAddress(server: Server, most: number, isTrusted: (address: string) => boolean): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? "");
    if (isTrusted(address)) return;
    const network = networkOf(address);
    const before = open.get(network) ?? 0;
    if (before >= most) return void socket.destroy();
    open.set(network, before + 1);
    socket.once("close", () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left === 0) open.delete(network);
      else open.set(network, left);
    });
  });
}

function watchBodies(server: Server, headers: ConnectionOptions["headers"]): void {
  const uploading = new Map<Socket, Connection>();
  server.on("request", (req: IncomingMessage) => {
    // Most bodies are there with their headers, or a moment later: they are gone from here by the next look.
    if (!req.complete) uploading.set(req.socket, { request: req, read: req.socket.bytesRead });
  });
  const look = setInterval(() => {
    for (const [socket, connection] of uploading) {
      const arrived = connection.request?.complete === true || socket.destroyed;
      const progress = socket.bytesRead - connection.read;
      connection.read = socket.bytesRead;
      if (arrived) uploading.delete(socket);
      else if (progress < LEAST_PROGRESS) refuseOnSocket(socket, 408, headers);
    }
  }, LOOK_EVERY_MS).unref();
  server.once("close", () => clearInterval(look));
}

const STATUS_OF: Readonly<Record<string, keyof typeof ANSWERS>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** @see RFC 9110 §15.5; RFC 6585 §5 */
const ANSWERS = {
  400: ["Bad Request", "The request is not HTTP."],
  408: ["Request Timeout", "The request did not come to its end in time."],
  413: ["Content Too Large", "The request is larger than what is taken."],
  431: ["Request Header Fields Too Large", "The headers are larger, or more, than what is taken."],
} as const;

/** The answer to what no handler sees, as a body of OAuth. */
export function unreadable(status: keyof typeof ANSWERS): string {
  return JSON.stringify({ error: "invalid_request", error_description: ANSWERS[status][1] });
}

/** Answers on the connection itself, where nothing has been answered yet, and ends it. */
function refuseOnSocket(socket: Socket, status: keyof typeof ANSWERS, headers: ConnectionOptions["headers"]): void {
  // Node's own, for the same question: an answer that is under way must not be written into.
  const message: unknown = Reflect.get(socket, "_httpMessage");
  const begun = typeof message === "object" && message !== null && Reflect.get(message, "headersSent") === true;
  if (!socket.writable || begun) return void socket.destroy();
  const body = unreadable(status);
  const lines = [
    `HTTP/1.1 ${status} ${ANSWERS[status][0]}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    "content-type: application/json",
    "cache-control: no-store",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
