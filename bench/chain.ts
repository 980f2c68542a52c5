/** (f) The whole chain, one after the other as an agent goes it: a person's ID token, ID-JAG, access token, the result of a tool. */
import { createAgent } from "@credence/client";
import { findPort } from "../examples/demo/src/processes.ts";
import type { ChainServerOptions } from "./chain.server.ts";
import { startIdp } from "./exchange.ts";
import type { Part } from "./figures.ts";
import { startServerProcess } from "./harness/child.ts";
import { BenchError } from "./harness/error.ts";
import { percentile } from "./harness/steady.ts";
import { AGENT } from "./requests.ts";

const CALL = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "list_entries", arguments: {} } };
const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

export const chain: Part = {
  figures: [
    { name: "chain.p50_ms", title: "from a person's ID token to the result of a tool, half within", unit: "ms" },
    { name: "chain.p99_ms", title: "from a person's ID token to the result of a tool, 99 of 100 within", unit: "ms" },
  ],
  async run(effort) {
    const { quick, folder, tell } = effort;
    tell("going the whole chain");
    const port = await findPort(0);
    const issuer = `http://127.0.0.1:${port}`;
    const idp = await startIdp(effort, { firstApp: issuer });
    const client = { id: "agent-of-app-0", secret: "a-secret-of-the-agent-at-the-ledger" };
    const options: ChainServerOptions = { port, issuer, idp: idp.url, client };
    const ledger = await startServerProcess<{ url: string }>("chain.server.ts", options, folder);
    try {
      const agent = createAgent({
        idp: { issuer: idp.url, client: { method: "client_secret_basic", ...AGENT } },
        apps: [{ issuer, client: { method: "client_secret_basic", clientId: client.id, clientSecret: client.secret } }],
        development: true,
      });
      const times: number[] = [];
      const [warm, count] = quick ? [1, 3] : [50, 500];
      for (const [number, idToken] of idp.idTokens(warm + count).entries()) {
        const begun = performance.now();
        const answer = await agent.session({ idToken }).fetch(`${issuer}/mcp`, {
          method: "POST",
          headers: HEADERS,
          body: JSON.stringify(CALL),
        });
        const result = await answer.text();
        if (number >= warm) times.push(performance.now() - begun);
        if (!result.includes("Office chairs")) throw new BenchError(`the tool answered ${answer.status}: ${result}`);
      }
      times.sort((a, b) => a - b);
      return new Map([
        ["chain.p50_ms", percentile(times, 0.5)],
        ["chain.p99_ms", percentile(times, 0.99)],
      ]);
    } finally {
      await ledger.stop();
      await idp.stop();
    }
  },
};
