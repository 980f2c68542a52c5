import type { Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";

/** Whether a listener has begun to close: from then on each answer ends its connection. */
export interface Closing {
  begun: boolean;
}

/** How much time a closing listener gives. All in milliseconds. */
interface Times {
  /** New connections are still taken: whoever balances the load has not noticed yet. */
  readonly drainMs: number;
  /** Clients were told that they may keep an idle connection for so long; it counts where there is a time to drain. */
  readonly keptMs: number;
  /** Requests in flight get to finish. */
  readonly graceMs: number;
}

/** So long nobody new has to have come before the door closes under somebody's hand; and so long that is waited for. */
const QUIET_MS = 100;
const QUIET_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 50;

/** Keeps a server's open connections in sight; those of TLS twice, outside and inside. */
export function connectionsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  for (const event of ["connection", "secureConnection"]) {
    server.on(event, (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
  }
  return sockets;
}

/**
 * Closes a server so that no request is lost, as far as HTTP lets it: first each answer says that its connection ends,
 * while everybody is still taken; then nobody new is; an idle connection is closed when its client can no longer count on
 * it, and one with a request in flight after its answer.
 *
 * @see RFC 9112 §9.6
 */
export async function closeGently(
  server: Server,
  sockets: ReadonlySet<Socket>,
  closing: Closing,
  { drainMs, keptMs, graceMs }: Times,
): Promise<void> {
  // What is idle now, and is not used any more, may be closed from then on; whatever is used is told that it ends.
  const idleUntil = performance.now() + (drainMs > 0 ? keptMs : 0);
  closing.begun = true;
  if (drainMs > 0) await setTimeout(drainMs);
  await takeWhoWaits(server, drainMs > 0 ? QUIET_MS : 0);
  let open = true;
  const closed = stopListening(server).then(() => {
    open = false;
  });
  const end = performance.now() + graceMs;
  while (open) {
    if (performance.now() >= idleUntil) closeIdle(server, sockets);
    if (performance.now() >= end) for (const socket of sockets) socket.destroy();
    await Promise.race([closed, setTimeout(LOOK_EVERY_MS)]);
  }
  // Nothing is open any more: this ends the timer by which Node looks for slow connections.
  server.close(() => undefined);
}

/**
 * A connection that the kernel has made and nobody has accepted yet is reset when the door closes. Each turn of the event
 * loop takes one, and whoever balances the load has stopped sending: the door closes when it has been quiet for a while, right
 * after a turn in which nobody came.
 */
async function takeWhoWaits(server: Server, quietMs: number): Promise<void> {
  const until = performance.now() + QUIET_WITHIN_MS;
  let last = performance.now();
  const note = (): void => {
    last = performance.now();
  };
  server.on("connection", note);
  while (performance.now() < until) {
    const left = last + quietMs - performance.now();
    if (left > 0) await setTimeout(left);
    const turn = performance.now();
    await setImmediate();
    if (last < turn && performance.now() >= last + quietMs) break;
  }
  server.off("connection", note);
}

/** Not by HTTP's own `close`: that closes idle connections at once, under requests that are on their way. */
function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));
}

/** Those whose last request is answered; and those that were opened ahead of a request that never came. */
function closeIdle(server: Server, sockets: ReadonlySet<Socket>): void {
  server.closeIdleConnections();
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
}
