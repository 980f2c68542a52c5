import type { SecretRef } from "../directory/types.ts";
import type { Limits } from "../http/limits.ts";
import type { KeySettings } from "../keys/settings.ts";
import type { Logger } from "../log.ts";
import type { Lifetimes } from "../sign-in/configuration.ts";

/** One IdP: where it is, where its data is, and how it behaves. */
export interface ServerOptions {
  /** Issuer identifier, letter by letter as it goes into tokens. */
  readonly issuer: string;
  /** Whether the issuer is on this machine alone: a demo organization may then hold literal secrets. */
  readonly issuerIsLoopback: boolean;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Files in PEM, read at the start: the server then speaks HTTPS itself. `clientCa`: whose certificates of clients count. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
  /** Addresses and networks of the proxies in front, whose `X-Forwarded-For` is believed; none by default. */
  readonly trustedProxies?: readonly string[];
  /** Whether those proxies hand on the certificates of clients in `Client-Cert` (RFC 9440); false by default. */
  readonly clientCertHeader?: boolean;
  readonly dataDir: string;
  /** URL of a PostgreSQL database; SQLite in the data directory by default. */
  readonly store?: string;
  /** Milliseconds that each commit of SQLite takes longer. For measuring alone: it stands for a slow disk. */
  readonly commitDelayMs?: number;
  /** Path of the key-encryption key: outside the data directory. */
  readonly keyFile: string;
  /** What seals the secrets, and how signing keys live. */
  readonly keys?: KeySettings<SecretRef>;
  /** Of an ID-JAG in seconds, where a connection states none. */
  readonly idJagLifetime: number;
  /** Whether every DPoP proof must carry a nonce of ours; false by default. */
  readonly dpopNonces?: boolean;
  readonly lifetimes?: Partial<Lifetimes>;
  /** How much is taken; the defaults are `DEFAULT_LIMITS`. */
  readonly limits?: Partial<Limits>;
  /** Whom people tell when something looks wrong. */
  readonly support?: string;
  /** Resolves the secret that a reference of the organization file points to. @throws when it can not be had. */
  readonly resolveSecret: (ref: SecretRef) => string | Promise<string>;
  /** Read when the store holds no organization yet; `path` is for messages. */
  readonly organization?: { readonly path: string; readonly text: string };
  readonly log: Logger;
  /** Where health and metrics are, beside `/healthz` and `/readyz` of the main listener; nowhere by default. */
  readonly operations?: { readonly host: string; readonly port: number };
  /** Where the standard `OTEL_…` variables are read from: with an endpoint among them, exchanges are traced. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Which of the server's processes this is, for metrics and traces; `server` by default. */
  readonly processName?: string;
  /** Seconds since the epoch, with fractions; the system's clock by default. */
  readonly now?: () => number;
}
