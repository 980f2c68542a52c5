import { CredenceError } from "@credence/protocol";
import { Option } from "commander";
import { type Config, parseConfig } from "../config/config.ts";
import { type StoreLocation, storeLocation } from "../store/location.ts";

/** How a command is told which store to open by itself, beside a server or without one. */
export interface StoreOptions {
  readonly data: string;
  readonly store?: string;
  readonly config?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `--store`, the same for every command that opens the store itself. */
export function storeOption(): Option {
  const what = "PostgreSQL database of the server (or CREDENCE_STORE; default: SQLite in the data directory)";
  return new Option("--store <url>", what);
}

/**
 * The store that is named, else the one that the deployment names, else the one in the data directory.
 * @throws CredenceError `configuration` when what was named is no store, or the deployment can not be read.
 */
export function storeOf({ data, store, config }: StoreOptions, env: Environment): StoreLocation {
  // An empty variable says nothing.
  const named = store ?? (env.CREDENCE_STORE || undefined);
  return storeLocation(data, named ?? deploymentOf(config, env)?.store);
}

function deploymentOf(config: string | undefined, env: Environment): Config | undefined {
  if (!(config ?? env.CREDENCE_CONFIG)) return undefined;
  const parsed = parseConfig({ config }, env);
  if (parsed.ok) return parsed.config;
  const [first] = parsed.problems;
  throw new CredenceError(`The configuration can not be used: ${first?.at}: ${first?.message}`, {
    code: "configuration",
  });
}
