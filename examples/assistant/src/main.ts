/** The assistant as a command: signs you in by your browser and lists the entries of the ledger. */
import { parseArgs } from "node:util";
import { AgentError } from "@credence/client";
import { callTool, connect, createAssistant, signIn } from "./assistant.ts";

const HELP = `Usage: node -C @credence/source examples/assistant/src/main.ts --idp URL --app URL --mcp URL [--development]

Signs you in at the IdP by your browser, then calls list_entries of the MCP server on your behalf.

  --idp URL          issuer of the organization's IdP
  --app URL          issuer of the authorization server that the MCP server trusts
  --mcp URL          the MCP server
  --client ID        the assistant's id at the IdP (assistant)
  --app-client ID    the assistant's id at the app (ledger-assistant)
  --development      allow http on this machine itself

Secrets come from the environment: ASSISTANT_SECRET (at the IdP), LEDGER_SECRET (at the app).

Example:
  ASSISTANT_SECRET=… LEDGER_SECRET=… node -C @credence/source examples/assistant/src/main.ts \\
    --idp http://127.0.0.1:4000 --app http://127.0.0.1:4001 --mcp http://127.0.0.1:4001/mcp --development
`;

const OPTIONS = {
  idp: { type: "string" },
  app: { type: "string" },
  mcp: { type: "string" },
  client: { type: "string", default: "assistant" },
  "app-client": { type: "string", default: "ledger-assistant" },
  development: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Exit codes: 0 done, 1 not done, 2 wrong usage. */
async function main(): Promise<0 | 1 | 2> {
  const options = readArguments();
  if (options === "help") return say(HELP, 0);
  if (typeof options === "string") return say(`${options}\n\n${HELP}`, 2);
  try {
    const agent = createAssistant(options.config);
    const session = await signIn(agent);
    const client = await connect(session, options.mcp);
    process.stdout.write(`${await callTool(client, "list_entries")}\n`);
    await client.close();
    return 0;
  } catch (cause) {
    return say(explain(cause), 1);
  }
}

function readArguments(): "help" | string | { config: Parameters<typeof createAssistant>[0]; mcp: string } {
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];
  try {
    values = parseArgs({ options: OPTIONS }).values;
  } catch (cause) {
    return cause instanceof Error ? cause.message : "Wrong usage.";
  }
  const { idp, app, mcp, client, "app-client": appClient, development, help } = values;
  if (help) return "help";
  const { ASSISTANT_SECRET: idpSecret, LEDGER_SECRET: appSecret } = process.env;
  if (!idp || !app || !mcp) return "--idp, --app and --mcp are needed.";
  if (!idpSecret || !appSecret) return "ASSISTANT_SECRET and LEDGER_SECRET must be set.";
  const config = {
    idp,
    app,
    idpClient: { id: client, secret: idpSecret },
    appClient: { id: appClient, secret: appSecret },
    development,
  };
  return { config, mcp };
}

/** What went wrong, for the person: where, what, and the decision that an admin can look up. */
function explain(cause: unknown): string {
  for (let inner = cause; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof AgentError) return inner.message;
  }
  return cause instanceof Error ? cause.message : "Something unexpected happened.";
}

function say<Code extends 0 | 1 | 2>(text: string, code: Code): Code {
  process.stderr.write(`${text}\n`);
  return code;
}

process.exitCode = await main();
