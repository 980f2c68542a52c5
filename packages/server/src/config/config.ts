import { readFileSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import type { z } from "zod";
import type { SecretRef } from "../directory/types.ts";
import type { Limits } from "../http/limits.ts";
import { defaultKeyFile } from "../keys/key-file.ts";
import type { KeySettings } from "../keys/settings.ts";
import type { LogLevel } from "../log.ts";
import { didYouMean } from "../organization/problems.ts";
import { isLoopbackHost } from "../organization/rules.ts";
import { readYaml } from "../organization/yaml.ts";
import { keysContradiction } from "./keys.ts";
import { deploymentSchema, type Setting } from "./schema.ts";

/** The deployment of one server: complete, absolute paths, seconds. */
export interface Config {
  readonly issuer: string;
  readonly issuerIsLoopback: boolean;
  readonly host: string;
  readonly port: number;
  /** Processes that answer requests. */
  readonly workers: number;
  /** Seconds after SIGTERM in which requests are still taken. */
  readonly drain: number;
  /** Where health and metrics are; absent where nobody asked for it. */
  readonly operations?: { readonly host: string; readonly port: number };
  /** Files in PEM; absent where something else ends TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
  readonly trustedProxies: readonly string[];
  readonly clientCertHeader: boolean;
  readonly dpopNonces: boolean;
  readonly dataDir: string;
  /** URL of a PostgreSQL database; absent where SQLite in the data directory is the store. May hold a password. */
  readonly store?: string;
  readonly keyFile: string;
  readonly organization?: string;
  readonly support?: string;
  readonly logLevel: LogLevel;
  readonly idJagLifetime: number;
  readonly lifetimes: {
    readonly session: number;
    readonly idToken: number;
    readonly accessToken: number;
    readonly refreshToken: number;
    readonly grant: number;
  };
  readonly limits: Limits;
  readonly keys: KeySettings<SecretRef>;
}

/** What the command line says; a missing flag says nothing. */
export interface Flags {
  readonly config?: string | undefined;
  readonly issuer?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly data?: string | undefined;
  readonly store?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly organization?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly workers?: string | undefined;
  readonly opsPort?: string | undefined;
}

/** Something wrong with the deployment. */
export interface ConfigProblem {
  /** Where it was said: `--port`, `CREDENCE_PORT`, `file.yaml:3:7`. */
  readonly at: string;
  readonly message: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** A setting as it was said, and where. */
type Said = Map<Setting, { readonly value: unknown; readonly at: string }>;

const SETTINGS = Object.keys(deploymentSchema.shape) as readonly Setting[];
const FLAGS: Readonly<Record<Exclude<keyof Flags, "config">, Setting>> = {
  issuer: "issuer",
  host: "host",
  port: "port",
  data: "data",
  store: "store",
  keyFile: "key_file",
  organization: "organization",
  logLevel: "log_level",
  workers: "workers",
  opsPort: "ops_port",
};

/**
 * Reads the deployment: a flag counts before the environment, the environment before the configuration file (`--config` or
 * `CREDENCE_CONFIG`, YAML or JSON), and what nobody says has the default of the schema.
 *
 * @param readFile - Text of a file; throws when it can not be read.
 */
export function parseConfig(
  flags: Flags,
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string = (path) => readFileSync(path, "utf8"),
): ConfigResult {
  const file = readConfigFile(flags.config ?? env.CREDENCE_CONFIG, readFile);
  if (!file.ok) return file;
  const said: Said = new Map([...file.said, ...saidByEnvironment(env), ...saidByFlags(flags)]);
  const raw = Object.fromEntries([...said].map(([setting, { value }]) => [setting, value]));
  const parsed = deploymentSchema.safeParse(raw);
  if (!parsed.success) return { ok: false, problems: parsed.error.issues.map((issue) => problemOf(issue, said)) };
  const config = complete(parsed.data);
  const problems = contradictions(config, parsed.data, said);
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, config, warnings: [...doubts(config, said), ...strangeVariables(env)] };
}

function saidByFlags(flags: Flags): Said {
  const said: Said = new Map();
  for (const [flag, setting] of Object.entries(FLAGS) as [keyof typeof FLAGS, Setting][]) {
    const value = flags[flag];
    if (value !== undefined) said.set(setting, { value, at: `--${setting.replaceAll("_", "-")}` });
  }
  return said;
}

/** An empty variable says nothing: that is how a container's template leaves one out. */
function saidByEnvironment(env: Readonly<Record<string, string | undefined>>): Said {
  const said: Said = new Map();
  for (const setting of SETTINGS) {
    const name = variableOf(setting);
    const value = env[name];
    if (value !== undefined && value !== "") said.set(setting, { value, at: name });
  }
  return said;
}

function variableOf(setting: Setting): string {
  return `CREDENCE_${setting.toUpperCase()}`;
}

function readConfigFile(
  path: string | undefined,
  readFile: (path: string) => string,
): { readonly ok: true; readonly said: Said } | { readonly ok: false; readonly problems: readonly ConfigProblem[] } {
  const said: Said = new Map();
  if (path === undefined || path === "") return { ok: true, said };
  let text: string;
  try {
    text = readFile(path);
  } catch {
    return { ok: false, problems: [{ at: path, message: "can not be read. Check the path and its permissions." }] };
  }
  const yaml = readYaml(text);
  const at = ({ line, column }: { line: number; column: number }) => `${path}:${line}:${column}`;
  if (!yaml.ok) return { ok: false, problems: yaml.problems.map((flaw) => ({ at: at(flaw), message: flaw.message })) };
  const { data, problem } = yaml.source;
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    return {
      ok: false,
      problems: [{ at: path, message: `holds no settings. It begins with keys like issuer:, port:, data:.` }],
    };
  }
  const problems: ConfigProblem[] = [];
  for (const [key, value] of Object.entries(data)) {
    const setting = SETTINGS.find((one) => one === key);
    const place = at(problem({ path: [key], message: "", mend: "", atKey: true }));
    if (setting) said.set(setting, { value, at: place });
    else problems.push({ at: place, message: `The setting "${key}" is not known.${didYouMean(key, SETTINGS)}` });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, said };
}

function problemOf(issue: z.core.$ZodIssue, said: Said): ConfigProblem {
  const setting = SETTINGS.find((one) => one === issue.path[0]);
  const message =
    issue.code === "invalid_type" && issue.message.startsWith("Invalid input") ? "is not text" : issue.message;
  // A setting of several parts: which one.
  const part = setting === "keys" && issue.path.length > 1 ? `${issue.path.join(".")} ` : "";
  return {
    at: (setting && said.get(setting)?.at) ?? String(setting ?? "configuration"),
    message: `${part}${message}`,
  };
}

function complete(deployment: z.infer<typeof deploymentSchema>): Config {
  const { tls_certificate: certificate, tls_key: key, tls_client_ca: clientCa } = deployment;
  const issuer = deployment.issuer ?? `${certificate === undefined ? "http" : "https"}://127.0.0.1:${deployment.port}`;
  const dataDir = resolve(deployment.data);
  return {
    issuer,
    issuerIsLoopback: isLoopbackHost(new URL(issuer).hostname),
    host: deployment.host,
    port: deployment.port,
    workers: deployment.workers,
    drain: deployment.drain,
    ...(deployment.ops_port === undefined
      ? {}
      : { operations: { host: deployment.ops_host, port: deployment.ops_port } }),
    ...(certificate === undefined || key === undefined
      ? {}
      : {
          tls: {
            certificate: resolve(certificate),
            key: resolve(key),
            ...(clientCa === undefined ? {} : { clientCa: resolve(clientCa) }),
          },
        }),
    trustedProxies: deployment.trusted_proxies,
    clientCertHeader: deployment.client_cert_header,
    dpopNonces: deployment.dpop_nonces,
    dataDir,
    ...(deployment.store === undefined ? {} : { store: deployment.store }),
    keyFile: deployment.key_file === undefined ? defaultKeyFile(dataDir) : resolve(deployment.key_file),
    ...(deployment.organization === undefined ? {} : { organization: resolve(deployment.organization) }),
    ...(deployment.support === undefined ? {} : { support: deployment.support }),
    logLevel: deployment.log_level,
    idJagLifetime: deployment.id_jag_lifetime,
    lifetimes: {
      session: deployment.session_lifetime,
      idToken: deployment.id_token_lifetime,
      accessToken: deployment.access_token_lifetime,
      refreshToken: deployment.refresh_token_lifetime,
      grant: deployment.grant_lifetime,
    },
    limits: deployment.limits,
    keys: deployment.keys,
  };
}

/** Settings that are fine by themselves and not together. */
function contradictions(config: Config, deployment: z.infer<typeof deploymentSchema>, said: Said): ConfigProblem[] {
  const { issuer, port } = deployment;
  const problems: ConfigProblem[] = tlsContradictions(config, deployment, said);
  if (port === 0 && issuer === undefined) {
    const message = "0 takes a port that nobody knows before, so the issuer must be said: --issuer URL.";
    problems.push({ at: said.get("port")?.at ?? "--port", message });
  }
  const tooShort = keysContradiction(config.keys, config.lifetimes.idToken);
  if (tooShort !== undefined) problems.push({ at: said.get("keys")?.at ?? "keys", message: tooShort });
  if (config.keys.kek !== undefined && said.has("key_file")) {
    const message = "keys.kek says already where the key-encryption key is: leave key_file out.";
    problems.push({ at: said.get("key_file")?.at ?? "--key-file", message });
  }
  const inside = relative(config.dataDir, config.keyFile);
  if (inside === "" || (inside !== ".." && !inside.startsWith(`..${sep}`))) {
    const message =
      "The key file lies in the data directory. Keep them apart: who copies the data must not get its key.";
    problems.push({ at: said.get("key_file")?.at ?? "--key-file", message });
  }
  return problems;
}

function tlsContradictions(
  { issuer }: Config,
  { tls_certificate: certificate, tls_key: key, tls_client_ca: clientCa }: z.infer<typeof deploymentSchema>,
  said: Said,
): ConfigProblem[] {
  const problem = (setting: Setting, message: string): ConfigProblem[] => [
    { at: said.get(setting)?.at ?? setting, message },
  ];
  if (certificate !== undefined && key === undefined) return problem("tls_certificate", "needs its key, too: tls_key.");
  if (certificate === undefined && key !== undefined)
    return problem("tls_key", "needs its certificate: tls_certificate.");
  if (certificate === undefined && clientCa !== undefined) {
    const message =
      "counts only where this server ends TLS itself: tls_certificate and tls_key. Behind a proxy that does, set client_cert_header.";
    return problem("tls_client_ca", message);
  }
  if (certificate !== undefined && issuer.startsWith("http:")) {
    return problem("issuer", "is plain http, and the server would speak HTTPS: tls_certificate is set.");
  }
  return [];
}

/** What is probably not meant, and may be. */
function doubts({ issuerIsLoopback, host }: Config, said: Said): ConfigProblem[] {
  if (!issuerIsLoopback || isLoopbackHost(host) || host === "::1") return [];
  const message =
    "listens beyond this machine, for an issuer that is this machine: people elsewhere would type passwords into plain HTTP.";
  return [{ at: said.get("host")?.at ?? "--host", message }];
}

/** A variable that is nearly a setting is probably meant as one; others may be secrets of agents. */
function strangeVariables(env: Readonly<Record<string, string | undefined>>): ConfigProblem[] {
  const known = new Set(["CREDENCE_CONFIG", ...SETTINGS.map(variableOf)]);
  return Object.keys(env)
    .filter((name) => name.startsWith("CREDENCE_") && !known.has(name))
    .flatMap((name) => {
      const hint = didYouMean(
        name.slice("CREDENCE_".length),
        [...known].map((one) => one.slice("CREDENCE_".length)),
      );
      return hint === "" ? [] : [{ at: name, message: `is no setting, and does nothing.${hint}` }];
    });
}
