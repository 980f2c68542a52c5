import { Command } from "commander";
import { type Config, type ConfigProblem, type Flags, parseConfig } from "../config/config.ts";
import { DEFAULT_DATA } from "../config/schema.ts";
import type { World } from "./world.ts";

/** `credence serve`: reads the deployment, and hands it to whoever starts the server. */
export function serveCommand(world: World, serve: (config: Config) => Promise<void>): Command {
  return new Command("serve")
    .description("run the identity provider")
    .option("--organization <file>", "organization file, read when the store holds no organization yet")
    .option("--data <dir>", `data directory, made with mode 0700 (default: ${DEFAULT_DATA})`)
    .option("--store <url>", "PostgreSQL database, shared by several servers (default: SQLite in the data directory)")
    .option("--issuer <url>", "issuer identifier, exactly as tokens name it (default: http://127.0.0.1:PORT)")
    .option("--port <n>", "port to listen on (default: 8787)")
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option("--workers <n>", "processes that answer requests; 1 is one process for everything (default: 1)")
    .option(
      "--ops-port <n>",
      "port for health and metrics, on 127.0.0.1 unless ops_host says otherwise (default: none)",
    )
    .option("--key-file <file>", "key-encryption key, outside the data directory (default: DATA.key beside it)")
    .option("--log-level <level>", "debug, info, warn, error or silent (default: info)")
    .option("--config <file>", "settings from a YAML or JSON file; flags and CREDENCE_… variables count before it")
    .addHelpText(
      "after",
      "\nExample:\n  credence serve --organization acme.yaml --data ./data --issuer https://idp.acme.example --port 8787",
    )
    .action(async (flags: Flags) => {
      const parsed = parseConfig(flags, world.env);
      if (!parsed.ok) {
        tell(world, "error", parsed.problems);
        world.exit(2);
        return;
      }
      tell(world, "warning", parsed.warnings);
      await serve(parsed.config);
    });
}

function tell(world: World, what: string, problems: readonly ConfigProblem[]): void {
  for (const { at, message } of problems) world.stderr.write(`${what}: ${at}: ${message}\n`);
}
