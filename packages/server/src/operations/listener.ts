import { type Listener, listen } from "../http/listener.ts";
import { type Health, withHealth } from "./health.ts";
import type { MetricsSnapshot } from "./metrics.ts";

/** What the listener for operators tells. */
export interface OperationsPorts {
  readonly health: Health;
  /** What each process of the server counted. */
  readonly snapshots: () => Promise<readonly MetricsSnapshot[]>;
}

/**
 * Listens for those who run the server: `/healthz`, `/readyz` and `/metrics`. Nobody is authenticated here, so it is an
 * address of its own, on this machine unless somebody says otherwise.
 *
 * @returns `undefined` where no address is given.
 */
export async function openOperations(
  address: { readonly host: string; readonly port: number } | undefined,
  { health, snapshots }: OperationsPorts,
): Promise<Listener | undefined> {
  if (address === undefined) return undefined;
  // Only here: a server that nobody measures does not load what measures.
  const { renderMetrics, METRICS_TYPE } = await import("./metrics.ts");
  return listen({
    ...address,
    handler: withHealth(health, "", async (req, res) => {
      if (req.url !== "/metrics") return res.writeHead(404).end();
      const page = await renderMetrics(await snapshots()).catch(() => undefined);
      if (page === undefined) return res.writeHead(500).end();
      return res.writeHead(200, { "content-type": METRICS_TYPE, "cache-control": "no-store" }).end(page);
    }),
  });
}
