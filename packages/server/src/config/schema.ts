import { z } from "zod";
import { LOG_LEVELS } from "../log.ts";
import { DURATION, parseDuration } from "../organization/duration.ts";
import { isIssuer } from "../organization/rules.ts";
import { isNetwork } from "../sign-in/source.ts";
import { isStoreUrl } from "../store/location.ts";
import { keysSchema } from "./keys.ts";
import { limitsSchema } from "./limits.ts";

/** The data directory where none is named. */
export const DEFAULT_DATA = "credence-data";

const path = z.string().min(1, { error: "is empty" }).max(4096, { error: "is too long" });

/** A duration of the deployment: `5m`; becomes seconds. */
function lifetime(byDefault: string, most: number) {
  return z
    .string({ error: "is not a duration: 30s, 15m, 8h, 7d" })
    .regex(DURATION, { error: "is not a duration: 30s, 15m, 8h, 7d" })
    .default(byDefault)
    .transform((text) => parseDuration(text) ?? 0)
    .refine((seconds) => seconds >= 1 && seconds <= most, { error: `is out of bounds: 1s to ${most}s` });
}

/** A whole number, as text too. */
function whole(least: number, most: number, what: string) {
  const error = `is not ${what}: ${least} to ${most}`;
  const digits = z
    .string()
    .regex(/^[0-9]{1,5}$/)
    .transform(Number);
  return z
    .union([z.number(), digits], { error })
    .refine((n) => Number.isInteger(n) && n >= least && n <= most, { error });
}

/** Off unless it is switched on. */
function flag() {
  return z
    .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")], {
      error: "is neither true nor false",
    })
    .default(false);
}

const DAY = 86_400;

/**
 * The deployment: what an operator says about this server, and what holds where nothing is said. The organization is not
 * part of it. Keys are those of the configuration file; `CREDENCE_` and the key in capitals is the environment variable.
 */
export const deploymentSchema = z.strictObject({
  /** Issuer identifier, letter by letter as in tokens; http://127.0.0.1:PORT by default. */
  issuer: z
    .string()
    .refine(isIssuer, {
      error: "is not an issuer: an absolute https URL (http only on loopback), no query, no fragment",
    })
    .refine((issuer) => !issuer.endsWith("/"), { error: "ends in a slash: leave it out" })
    .optional(),
  /** Address to listen on. */
  host: z.string().min(1, { error: "is empty" }).max(255, { error: "is too long" }).default("127.0.0.1"),
  /** 0 takes a free one. */
  port: whole(0, 65_535, "a port").default(8787),
  /** Processes that answer requests, beside the one that looks after them; 1 is one process for everything. */
  workers: whole(1, 64, "a number of workers").default(1),
  /** After SIGTERM, so long requests are still taken while readiness says no more; 0s ends idle connections at once. */
  drain: z
    .union([z.literal("0s").transform(() => 0), lifetime("2s", 600)], { error: "is not a duration: 0s, 2s, 1m" })
    .default(2),
  /** Where health and metrics are, for those who run the server; nowhere by default. */
  ops_port: whole(0, 65_535, "a port").optional(),
  /** The address for it. Nobody is authenticated there. */
  ops_host: z.string().min(1, { error: "is empty" }).max(255, { error: "is too long" }).default("127.0.0.1"),
  /** This server's certificate with its chain (PEM): it then speaks HTTPS itself. */
  tls_certificate: path.optional(),
  /** The certificate's key (PEM). */
  tls_key: path.optional(),
  /** CA certificates (PEM) whose certificates of clients count; ID-JAGs are then bound to them. */
  tls_client_ca: path.optional(),
  /** Addresses and networks of the proxies in front, whose `X-Forwarded-For` is believed; a list, or one text with commas. */
  trusted_proxies: z
    .union([z.array(z.string()), z.string().transform((text) => text.split(",").map((one) => one.trim()))], {
      error: "is no list of addresses and networks: 10.0.0.7, 10.0.0.0/8",
    })
    .refine((networks) => networks.length <= 100 && networks.every(isNetwork), {
      error: "is no list of addresses and networks: 10.0.0.7, 10.0.0.0/8",
    })
    .default([]),
  /** Whether the trusted proxies hand on clients' certificates in `Client-Cert`. */
  client_cert_header: flag(),
  /** Whether every DPoP proof must carry a nonce of ours. */
  dpop_nonces: flag(),
  /** Data directory, 0700. */
  data: path.default(DEFAULT_DATA),
  /** PostgreSQL database, shared by any number of servers; SQLite in the data directory by default. May hold a password. */
  store: z
    .string()
    .refine(isStoreUrl, { error: "is not a URL of PostgreSQL: postgresql://user@host:5432/database" })
    .optional(),
  /** Key-encryption key; DATA.key beside the data directory by default, never in it. */
  key_file: path.optional(),
  /** Organization file, read when the store holds no organization yet. */
  organization: path.optional(),
  /** Whom people tell when something looks wrong; shown on the sign-in page. */
  support: z
    .string()
    .regex(/^[^\p{Cc}]{1,200}$/u, { error: "is not one line of at most 200 characters" })
    .optional(),
  /** How much the operator's log says. */
  log_level: z.enum(LOG_LEVELS, { error: `is none of ${LOG_LEVELS.join(", ")}` }).default("info"),
  /** Of an ID-JAG whose connections state none. */
  id_jag_lifetime: lifetime("5m", 3600),
  /** Of ID tokens: so long one sign-in can be exchanged without a refresh. */
  id_token_lifetime: lifetime("1h", DAY),
  /** Of access tokens for userinfo. */
  access_token_lifetime: lifetime("10m", DAY),
  /** Of a session, from signing in. */
  session_lifetime: lifetime("12h", 90 * DAY),
  /** Of each refresh token. */
  refresh_token_lifetime: lifetime("14d", 365 * DAY),
  /** Of everything that comes from one authorization, however often it is refreshed. */
  grant_lifetime: lifetime("30d", 365 * DAY),
  /** How much is taken from whom. */
  limits: limitsSchema,
  /** What seals the store's secrets, and how the signing keys live. */
  keys: keysSchema,
});

/** A setting's key in the configuration file. */
export type Setting = keyof typeof deploymentSchema.shape;
