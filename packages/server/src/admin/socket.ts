import { chmodSync, lstatSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { CredenceError } from "@credence/protocol";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";

/** Where the admin API of a data directory listens. */
export function socketPath(dataDir: string): string {
  return join(dataDir, "admin.sock");
}

/** A listener on a socket. */
export interface SocketListener {
  readonly path: string;
  /** Stops accepting, lets requests in flight finish for a moment, and removes the socket. */
  close(): Promise<void>;
}

const OTHERS = 0o077;
const OWNER_ONLY = 0o600;
/** What the kernel takes for a socket's path, in bytes; with one for the end of the string. @see unix(7) */
const PATH_LIMIT = 107;
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 1_000,
  /** How often Node looks for those whose time is over: every half minute, where nothing is said. */
  connectionsCheckingInterval: 1_000,
};
const GRACE_MS = 5_000;

/**
 * Serves the admin API on a Unix socket. The directory is the lock on the door: only its owner may enter.
 *
 * @throws CredenceError `configuration` when others may enter the directory, when somebody answers on the socket already, or
 *   when something else stands at its path.
 */
export async function listenOnSocket(app: Hono, path: string): Promise<SocketListener> {
  checkPath(path);
  await removeStale(path);
  const answer = getRequestListener(app.fetch);
  const server = createServer(LIMITS, (req, res) => {
    // A socket has no host: what a client says that it is would only become part of a URL, and some of it of none.
    req.headers.host = "localhost";
    return answer(req, res);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(unusable(`The admin socket ${path} can not be opened.`, cause)));
    server.listen(path, resolve);
  });
  chmodSync(path, OWNER_ONLY);
  let closing: Promise<void> | undefined;
  return {
    path,
    close() {
      closing ??= new Promise<void>((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), GRACE_MS);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}

function checkPath(path: string): void {
  if (Buffer.byteLength(path) > PATH_LIMIT) {
    throw unusable(`The path of the admin socket is longer than ${PATH_LIMIT} bytes: ${path}. Use a shorter --data.`);
  }
  const directory = dirname(path);
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) throw unusable(`There is no directory ${directory} for the admin socket.`);
  if ((stats.mode & OTHERS) !== 0) {
    throw unusable(`Others may enter ${directory}, and so reach the admin socket. Mend it: chmod 700 ${directory}`);
  }
}

/** A socket that a killed server left behind is removed; one on which somebody answers is not, nor is another file. */
async function removeStale(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw unusable(`${path} is no socket. Move it away; the admin socket belongs there.`);
  if (await answers(path)) {
    throw unusable(`Another server answers on ${path}. Stop it first, or use another --data.`);
  }
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else reject(unusable(`The socket ${path} can not be tried.`, error));
    });
  });
}

function unusable(message: string, cause?: unknown): CredenceError {
  return new CredenceError(message, { code: "configuration", cause });
}
