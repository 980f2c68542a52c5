import { CredenceError } from "@credence/protocol";
import { guardedFetch } from "@credence/protocol/fetch";
import type { Signer } from "@credence/protocol/jws";
import { nodeFetch } from "@credence/protocol/node";
import { type AdminPorts, adminApp } from "./admin/app.ts";
import { keyRoutes } from "./admin/keys.ts";
import { listenOnSocket, socketPath } from "./admin/socket.ts";
import { type Audit, openAudit } from "./audit/audit.ts";
import { lookForAssertionKey } from "./directory/assertion-key.ts";
import { clientDocuments } from "./directory/client-documents.ts";
import type { SecretRef } from "./directory/types.ts";
import { createFloodGuard, DEFAULT_LIMITS, type Limits } from "./http/limits.ts";
import { listen } from "./http/listener.ts";
import { createRouter } from "./http/router.ts";
import { readTlsFiles } from "./http/tls-files.ts";
import { createIdpIssuer } from "./idp/issuer.ts";
import { keepKeys } from "./keys/keeper.ts";
import type { Keyring } from "./keys/keyring.ts";
import type { KeySettings } from "./keys/settings.ts";
import type { SigningKeys } from "./keys/signing-keys.ts";
import { describeError, type Logger } from "./log.ts";
import { openKeys } from "./open-keys.ts";
import { applyOrganization, type OrganizationPorts } from "./organization/apply.ts";
import type { Problem } from "./organization/problems.ts";
import { renderProblems } from "./organization/render.ts";
import type { Credential } from "./sign-in/clients.ts";
import type { Lifetimes } from "./sign-in/configuration.ts";
import { PATHS, urlBelow } from "./sign-in/paths.ts";
import { signInRecorder } from "./sign-in/record.ts";
import { createSignIn, type SignIn } from "./sign-in/sign-in.ts";
import { prepareDataDirectory } from "./store/files.ts";
import { storeLocation } from "./store/location.ts";
import { lockDataDirectory } from "./store/lock.ts";
import { openStore } from "./store/open.ts";
import type { Store } from "./store/store.ts";

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
  /** Seconds since the epoch, with fractions; the system's clock by default. */
  readonly now?: () => number;
}

/** A server at work. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  readonly audit: Audit;
  /** What became of the organization file, and what is to be said of it. */
  readonly organization: SeedOutcome;
  /** Lets requests in flight finish, closes the record with a signed head, and lets the data directory go. */
  close(): Promise<void>;
}

/** Whether the organization file was read at this start, and what it warns of. */
export interface SeedOutcome {
  readonly revision: number;
  readonly read: boolean;
  readonly warnings: readonly Problem[];
}

/** Seconds between two sweeps of what has expired. */
const SWEEP_EVERY = 60;

/**
 * Starts the IdP: store, keys, record, sign-in, issuer, listener.
 *
 * @throws CredenceError `configuration` when the directory, keys or address can not be used; nothing is left open then.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, now: clock = () => Date.now() / 1_000 } = options;
  const now = (): number => Math.floor(clock());
  const closers: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const store = await openOwnStore(options, closers);
    closers.push(() => store.close());
    const keys = await openKeys(options, store, now);
    const { keyring } = keys;
    const onFault = (error: unknown): void => log.error(describeError(error), "the record could not be kept");
    const audit = await openAudit({ store, keyring, now: clock, onFault });
    closers.push(() => audit.close());
    await audit.record({ code: "server.started" });
    closers.push(() => audit.record({ code: "server.stopped" }));
    const onKeyFault = (error: unknown): void => log.error(describeError(error), "the keys could not be looked after");
    const keeper = keepKeys({ keyring, record: (event) => audit.record(event), onFault: onKeyFault });
    closers.push(() => keeper.close());
    closers.push(sweepOften(store, now, log));
    const { issuerIsLoopback } = options;
    const ports: OrganizationPorts = { store, record: (event) => audit.record(event), issuerIsLoopback, now };
    const organization = await seedOrganization(options.organization, ports);
    await checkSecrets(options, store);
    const handler = await createHandler(options, { store, keyring, jwksAge: keys.jwksAge, audit, now });
    const tls = options.tls === undefined ? {} : { tls: readTlsFiles(options.tls) };
    const listener = await listen({ host: options.host, port: options.port, handler, ...tls });
    closers.push(() => listener.close());
    const onAdminFault = (error: unknown): void => log.error(describeError(error), "the admin API failed");
    const adminPorts: AdminPorts = { ...ports, store, record: (event) => audit.record(event), onFault: onAdminFault };
    const adminApi = adminApp(adminPorts).route("/v1/keys", keyRoutes({ keeper, openKek: keys.openKek }));
    const admin = await listenOnSocket(adminApi, socketPath(options.dataDir));
    closers.push(() => admin.close());
    return { url: listener.url, port: listener.port, store, audit, organization, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A database is there for many servers, a data directory for one. */
async function openOwnStore(
  { dataDir, store: url, commitDelayMs = 0 }: ServerOptions,
  closers: (() => void | Promise<void>)[],
): Promise<Store> {
  if (url === undefined) {
    const lock = lockDataDirectory(dataDir);
    closers.push(() => lock.release());
  } else prepareDataDirectory(dataDir);
  return openStore(storeLocation(dataDir, url), { commitDelayMs });
}

/** The organization file counts at the first start; afterwards the store does, and `plan` and `apply` change it. */
async function seedOrganization(file: ServerOptions["organization"], ports: OrganizationPorts): Promise<SeedOutcome> {
  const { revision } = await ports.store.organization();
  if (file === undefined || revision > 0) return { revision, read: false, warnings: [] };
  const outcome = await applyOrganization(file.text, revision, ports);
  if (outcome.outcome === "applied") return { revision: outcome.revision, read: true, warnings: outcome.warnings };
  const why = outcome.outcome === "problems" ? `\n${renderProblems(file.path, outcome.problems)}` : "";
  throw new CredenceError(`The organization file ${file.path} was not taken; nothing was changed.${why}`, {
    code: "configuration",
    reason: "organization-invalid",
  });
}

/** A secret that can not be had is told at the start, not when the client first calls. The client is refused until then. */
async function checkSecrets({ resolveSecret, log }: ServerOptions, store: Store): Promise<void> {
  const { agents, apps } = (await store.organization()).document;
  for (const { id, auth } of [...agents, ...apps.flatMap(({ sso }) => (sso ? [{ id: sso.clientId, ...sso }] : []))]) {
    for (const ref of secretRefs(auth)) {
      try {
        await resolveSecret(ref);
      } catch (error) {
        log.warn({ client: id, ...describeError(error) }, "the secret of a client can not be had");
      }
    }
  }
}

interface House {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly jwksAge: number;
  readonly audit: Audit;
  readonly now: () => number;
}

async function createHandler(options: ServerOptions, house: House): Promise<Parameters<typeof listen>[0]["handler"]> {
  const { issuer, log } = options;
  const { store, keyring, jwksAge, audit, now } = house;
  const clientSecrets = (client: Credential): Promise<readonly string[]> => secretsOf(client, options.resolveSecret);
  const { issuerIsLoopback: allowLoopback } = options;
  const fetch = guardedFetch({ fetch: nodeFetch({ allowLoopback }), allowLoopback });
  const documents = clientDocuments({
    fetch,
    store,
    allowLoopback,
    now,
    changed: ({ agentId, members }) => audit.record({ code: "client.metadata-changed", agent: agentId, members }),
    failed: ({ agentId, error }) =>
      log.warn({ agent: agentId, ...describeError(error) }, "the metadata of an agent can not be used"),
  });
  const nonceSecret = options.dpopNonces ? Buffer.from(keyring.secretFor("dpop nonces"), "base64url") : undefined;
  const naming = { pairwise: keyring.secretFor("pairwise") };
  // One mark for exchange and sign-in alike: an assertion used in one place is used up in the other.
  const markAssertionUsed = (key: string, expiresAt: number) => store.consume("client-assertion", key, expiresAt);
  const markProofUsed = (key: string, expiresAt: number) => store.consume("dpop", key, expiresAt);
  const guard = createFloodGuard({ ...DEFAULT_LIMITS, ...options.limits });
  const signing = () => keyring.signingKeys("idp");
  const signIn: SignIn = createSignIn({
    issuer,
    store,
    now,
    sealing: keyring,
    signing,
    jwksAge,
    cookieKeys: [keyring.secretFor("cookies")],
    clientSecrets,
    documents,
    naming,
    fetch,
    ...(nonceSecret === undefined ? {} : { nonceSecret }),
    markAssertionUsed,
    markProofUsed,
    proven: guard.proven,
    organizationName: async () => (await store.organizationHead()).name,
    record: signInRecorder(audit),
    report: ({ reference, code, error }) => log.warn({ reference, code, ...describeError(error) }, "error page shown"),
    ...(options.lifetimes === undefined ? {} : { lifetimes: options.lifetimes }),
    ...(options.support === undefined ? {} : { support: options.support }),
  });
  const exchange = createIdpIssuer({
    issuer,
    store,
    audit,
    clientSecrets,
    markAssertionUsed,
    markProofUsed,
    keysOf: documents.keysOf,
    metadataOf: documents.metadata,
    naming,
    tokenEndpoint: urlBelow(issuer, PATHS.token),
    ...(nonceSecret === undefined ? {} : { nonceSecret }),
    sessionAlive: signIn.alive,
    refreshTokenAlive: signIn.refreshTokenAlive,
    signer: () => firstSigner(signing()),
    keys: (header) => signing().keys(header),
    algorithms: keyring.algorithms,
    defaultLifetime: options.idJagLifetime,
    proven: guard.proven,
    now,
    onFault: (error, decision) => log.error({ decision, ...describeError(error) }, "token exchange failed closed"),
  });
  return createRouter({
    issuer,
    trustedProxies: options.trustedProxies ?? [],
    clientCertHeader: options.clientCertHeader ?? false,
    store,
    clientSecrets,
    signIn,
    exchange,
    guard,
    beforeSignIn: lookForAssertionKey({ store, keysOf: documents.keysOf }),
    report: ({ reference, code, error }) => log.error({ reference, code, ...describeError(error) }, "request failed"),
    refused: ({ reason }, { source, decisionId }) => audit.countFailure({ reason, source, sample: decisionId }),
  });
}

/** ID-JAGs are signed by the first algorithm of the deployment. */
function firstSigner({ signers: [first] }: SigningKeys): Signer {
  if (first) return first;
  throw new CredenceError("There is no key to sign ID-JAGs with.", { code: "configuration" });
}

/** The client's secret, and the one before it where that still counts: one that can not be had does not take the other along. */
async function secretsOf({ id, auth }: Credential, resolve: ServerOptions["resolveSecret"]): Promise<string[]> {
  const outcomes = await Promise.allSettled(secretRefs(auth).map(async (ref) => resolve(ref)));
  const secrets = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const [failure] = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (secrets.length === 0) {
    throw failure ?? new CredenceError(`The client ${id} has no secret.`, { code: "configuration" });
  }
  return secrets;
}

function secretRefs(auth: Credential["auth"]): readonly SecretRef[] {
  if (!("secret" in auth)) return [];
  return [auth.secret, ...(auth.formerSecret === undefined ? [] : [auth.formerSecret])];
}

function sweepOften(store: Store, now: () => number, log: Logger): () => void {
  const timer = setInterval(() => {
    store.sweep(now()).catch((error: unknown) => log.error(describeError(error), "sweeping failed"));
  }, SWEEP_EVERY * 1_000).unref();
  return () => clearInterval(timer);
}
