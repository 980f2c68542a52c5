/** The other side of `child.ts`: what every server under load does at its start. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What the bench has told this process. */
export function optionsOf<T extends object>(): T {
  // Written by `startServerProcess`, for this script.
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

/** Listens on a free port, and tells the bench. */
export async function ready(server: Server, more: object): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  tellReady({ url: urlOf(server), ...more });
  onEnd(() => server.closeAllConnections());
}

export function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // A TCP server that listens has one.
}

export function tellReady(what: object): void {
  process.send?.(what);
}

/** Ends this process when the bench says so. */
export function onEnd(close: () => void | Promise<void>): void {
  process.once("SIGTERM", async () => {
    await close();
    process.exit(0);
  });
}
