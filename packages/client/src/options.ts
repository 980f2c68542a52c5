import { CredenceError, isObject } from "@credence/protocol";
import type { ClientIdentity } from "@credence/protocol/client-auth";
import { checkUrl, type GuardedFetch, guardedFetch } from "@credence/protocol/fetch";
import { type AppFlow, type CodeFlow, createRegistrations } from "./code-flow.ts";
import { createDiscovery, type Discovery } from "./discovery.ts";
import { createProver, type DpopOptions, type Prover } from "./dpop.ts";
import { AgentError } from "./errors.ts";
import type { AgentEvent } from "./events.ts";
import type { IdJagRequest } from "./exchange.ts";
import type { AccessToken } from "./redeem.ts";

/** The agent's own credential at one app's authorization server. */
export interface AppCredential {
  /** Issuer of the authorization server, letter by letter as its metadata has it. */
  readonly issuer: string;
  /** Sent to the token endpoint of exactly that issuer's metadata, and nowhere else. */
  readonly client: ClientIdentity;
}

/** What an agent is made of. */
export interface AgentOptions {
  /** The organization's IdP, where people sign in and ID-JAGs come from. */
  readonly idp: {
    /** Issuer, letter by letter as the IdP's metadata has it. */
    readonly issuer: string;
    readonly client: ClientIdentity;
  };
  /** Credentials by authorization server: a list, or a look-up by exact issuer. */
  readonly apps: readonly AppCredential[] | ((issuer: string) => AppLookup);
  /**
   * Binds tokens to a key of the agent's, where the IdP and the app take proofs; without it they are bearer tokens.
   * @see ID-JAG draft §9.8.1
   */
  readonly dpop?: DpopOptions;
  /**
   * The SHA-256 thumbprint (base64url) of the certificate that `fetch` shows: an ID-JAG that is bound to another one, or,
   * with `dpop` out of play, to none, is not used. @see ID-JAG draft §9.8.2.1
   */
  readonly certificateThumbprint?: string;
  /** What is exchanged for ID-JAGs: the ID token (default), or the IdP's own refresh token where there is one. */
  readonly subject?: "id_token" | "refresh_token";
  /**
   * Another way to a token of an app that has nothing to do with ID-JAGs: its own code flow as it is described here, or
   * whatever a function does. Asked only when the IdP or the app says that it does not support them, or the app does not
   * know the agent; never after a denial, which is final.
   */
  readonly fallback?: CodeFlow | Fallback;
  /** Development only: allows `http:` and this machine's own addresses. False by default. */
  readonly development?: boolean;
  /**
   * What fetches in the end. By default the platform's; an agent that runs on a server should give `nodeFetch()` of
   * `@credence/client/node`, which refuses private addresses when it connects.
   */
  readonly fetch?: typeof globalThis.fetch;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** Seconds before its expiry in which a token is renewed, but at most a fifth of its life; 30 by default. */
  readonly renewBefore?: number;
  /** Seconds until an answer of the IdP, a metadata document or a token endpoint must be there; 5 by default. */
  readonly timeout?: number;
  /** Told of every step on the way, for logs and tests; no event holds a token. What it throws is ignored. */
  readonly watch?: (event: AgentEvent) => void;
}

/**
 * Gets a token without an ID-JAG.
 * @returns the token, or `undefined` to fail with the error.
 */
export type Fallback = (error: AgentError, request: IdJagRequest) => Promise<AccessToken | undefined>;

/** What a look-up of credentials gives: `undefined` when the agent has none there. */
export type AppLookup = ClientIdentity | undefined | Promise<ClientIdentity | undefined>;

/** The options, checked, with what every part needs from its surroundings. */
export interface AgentContext {
  readonly idp: AgentOptions["idp"];
  /** The agent's credential at an authorization server. */
  clientAt(issuer: string): Promise<ClientIdentity | undefined>;
  readonly development: boolean;
  readonly fetch: typeof globalThis.fetch;
  /** For everything but the calls themselves: bounded in size and time, no redirects. */
  readonly guarded: GuardedFetch;
  readonly discovery: Discovery;
  readonly now: () => number;
  readonly renewBefore: number;
  readonly watch: (event: AgentEvent) => void;
  /** Absent where tokens are not bound to a key. */
  readonly prover: Prover | undefined;
  readonly certificateThumbprint: string | undefined;
  readonly subject: "id_token" | "refresh_token";
  readonly fallback: Fallback | undefined;
  /** How people are asked at apps without ID-JAGs, and where the agent has registered itself for it. */
  readonly codeFlow: AppFlow | undefined;
}

/**
 * Checks the options.
 *
 * @throws AgentError `configuration`.
 */
export function readOptions(options: AgentOptions): AgentContext {
  const { development = false, fetch = globalThis.fetch, renewBefore = 30, timeout = 5 } = options;
  const now = options.now ?? (() => Date.now() / 1_000);
  checkShape(options);
  checkIssuer(options.idp.issuer, development, "idp.issuer");
  checkIdentity(options.idp.client, "idp.client");
  const guarded = guardedFetch({ fetch, allowLoopback: development, timeout });
  const { fallback } = options;
  const flow = typeof fallback === "object" ? fallback : undefined;
  return {
    idp: options.idp,
    clientAt: lookUp(options.apps, development),
    development,
    fetch,
    guarded,
    discovery: createDiscovery(guarded, now),
    now,
    renewBefore,
    watch: quietly(options.watch),
    prover: options.dpop && createProver(options.dpop, now),
    certificateThumbprint: options.certificateThumbprint,
    subject: options.subject ?? "id_token",
    fallback: typeof fallback === "function" ? fallback : undefined,
    codeFlow: flow && { flow, registrations: createRegistrations(guarded, flow) },
  };
}

function quietly(watch: AgentOptions["watch"]): AgentContext["watch"] {
  return (event) => {
    try {
      watch?.(event);
    } catch {
      // An onlooker's fault must not decide whether a call succeeds.
    }
  };
}

function lookUp(apps: AgentOptions["apps"], development: boolean): AgentContext["clientAt"] {
  if (typeof apps === "function") {
    return async (issuer) => {
      const client = await apps(issuer);
      if (client) checkIdentity(client, `the credential for ${issuer}`);
      return client;
    };
  }
  const byIssuer = new Map<string, ClientIdentity>();
  for (const { issuer, client } of apps) {
    checkIssuer(issuer, development, "an app's issuer");
    checkIdentity(client, `the credential for ${issuer}`);
    if (byIssuer.has(issuer)) throw wrong(`apps names ${issuer} more than once`);
    byIssuer.set(issuer, client);
  }
  return async (issuer) => byIssuer.get(issuer);
}

function checkIssuer(issuer: string, development: boolean, what: string): void {
  try {
    checkUrl(issuer, development);
  } catch (cause) {
    const why = cause instanceof CredenceError ? ` ${cause.message}` : "";
    throw wrong(`${what} is not usable: ${issuer}.${why} On this machine itself, development: true allows http`, cause);
  }
}

/** What the types say; whoever writes JavaScript hears it here, and not at the first call. */
function checkShape({ idp, apps, dpop }: Partial<AgentOptions>): void {
  if (!isObject(idp)) throw wrong("idp is missing: { issuer, client }");
  if (!Array.isArray(apps) && typeof apps !== "function") {
    throw wrong("apps is neither a list of { issuer, client } nor a function that looks one up by issuer");
  }
  if (dpop !== undefined && !isObject(dpop)) throw wrong("dpop is not an object: {} for a key of the agent's own");
}

const METHODS: readonly ClientIdentity["method"][] = [
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "none",
];

function checkIdentity(client: Partial<ClientIdentity> | undefined, what: string): void {
  if (!isObject(client)) throw wrong(`${what} is missing: { method, clientId, … }`);
  const { method, clientId } = client;
  if (!clientId) throw wrong(`${what} has no clientId`);
  if (method === undefined || !METHODS.includes(method)) {
    throw wrong(`${what} has a method that is none of ${METHODS.join(", ")}`);
  }
  const withSecret = method === "client_secret_basic" || method === "client_secret_post";
  if (withSecret && !("clientSecret" in client && client.clientSecret)) {
    throw wrong(`${what} has an empty clientSecret. If it is read from the environment, the variable is not set`);
  }
  if (method === "private_key_jwt" && !("signer" in client && typeof client.signer?.sign === "function")) {
    throw wrong(`${what} has no signer: importSigner(privateJwk) makes one`);
  }
}

function wrong(what: string, cause?: unknown): AgentError {
  return new AgentError(`The agent's configuration is wrong: ${what}.`, {
    leg: "sign-in",
    party: "the agent itself",
    code: "configuration",
    cause,
  });
}
