/** The ledger of the examples: an MCP server whose own authorization server takes ID-JAGs. */
import { nodeFetch } from "@credence/resource/node";
import { serve } from "@hono/node-server";
import { createLedger } from "../examples/ledger/src/app.ts";
import { onEnd, optionsOf, tellReady } from "./harness/server.ts";

/** Where it is, whom it trusts, and who calls. */
export interface ChainServerOptions {
  readonly port: number;
  readonly issuer: string;
  readonly idp: string;
  readonly client: { readonly id: string; readonly secret: string };
}

const { port, ...options } = optionsOf<ChainServerOptions>();
const ledger = await createLedger({
  ...options,
  record: () => undefined,
  fetch: nodeFetch({ allowLoopback: true }),
  development: true,
});
const server = serve({ fetch: ledger.fetch, port, hostname: "127.0.0.1" }, () => tellReady({ url: options.issuer }));
onEnd(() => void server.close());
