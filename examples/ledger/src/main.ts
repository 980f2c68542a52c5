/** Runs the ledger: `main.ts --idp ISSUER [--port N] [--issuer URL] [--token-lifetime SECONDS] [--client-id ID]`. */
import { parseArgs } from "node:util";
import { nodeFetch } from "@credence/resource/node";
import { serve } from "@hono/node-server";
import { createLedger, type Ledger } from "./app.ts";

const USAGE = `ledger: an MCP server that accepts ID-JAGs

  --idp ISSUER              the IdP that is trusted (required)
  --port N                  port on 127.0.0.1; 8788 by default, 0 for a free one
  --issuer URL              this server's issuer; http://127.0.0.1:PORT by default
  --client-id ID            the agent's client id here; ledger-assistant by default (or LEDGER_CLIENT_ID)
  --token-lifetime SECONDS  how long access tokens live; 300 by default
  --help

  LEDGER_CLIENT_SECRET      the agent's secret here (required)

Example:
  LEDGER_CLIENT_SECRET=… node main.ts --idp http://127.0.0.1:8787 --token-lifetime 5

Prints {"ready":true,"url":…} to stdout once it listens, and its record to stderr.
`;

function usage(problem?: string): never {
  process.stderr.write(problem === undefined ? USAGE : `${problem}\n\n${USAGE}`);
  process.exit(problem === undefined ? 0 : 2);
}

function readArguments() {
  const string = { type: "string" } as const;
  try {
    const options = { idp: string, port: string, issuer: string, "client-id": string, "token-lifetime": string };
    return parseArgs({ options: { ...options, help: { type: "boolean" } } }).values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : "The arguments can not be read.");
  }
}

function wholeNumber(name: string, text: string): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : usage(`--${name} is not a whole number: ${text}`);
}

const flags = readArguments();
if (flags.help) usage();
const { LEDGER_CLIENT_ID, LEDGER_CLIENT_SECRET: secret } = process.env;
const idp = flags.idp ?? usage("--idp is missing.");
if (!secret) usage("LEDGER_CLIENT_SECRET is missing.");
const port = wholeNumber("port", flags.port ?? "8788");
const tokenLifetime = wholeNumber("token-lifetime", flags["token-lifetime"] ?? "300");

// The issuer may hold a port that is known only now, so the ledger is made once the server listens.
let ledger: Ledger | undefined;
const fetch = async (request: Request) => ledger?.fetch(request) ?? new Response(null, { status: 503 });
const http = serve({ fetch, port, hostname: "127.0.0.1" }, async (address) => {
  const issuer = flags.issuer ?? `http://127.0.0.1:${address.port}`;
  ledger = await createLedger({
    issuer,
    idp,
    client: { id: flags["client-id"] ?? LEDGER_CLIENT_ID ?? "ledger-assistant", secret },
    tokenLifetime,
    record: ({ cause: _, ...event }) => void process.stderr.write(`${JSON.stringify(event)}\n`),
    fetch: nodeFetch({ allowLoopback: true }),
    development: true,
  });
  process.stdout.write(`${JSON.stringify({ ready: true, url: issuer, resource: ledger.resource })}\n`);
});
http.on("error", (error) => {
  process.stderr.write(`The ledger can not listen on port ${port}: ${error.message}\n`);
  process.exit(1);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    http.close(() => process.exit(0));
    if ("closeAllConnections" in http) http.closeAllConnections();
  });
}
