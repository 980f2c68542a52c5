import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TokenExchangeEndpoint, TokenRequest } from "@credence/issuer";
import { guardedFetch } from "@credence/protocol/fetch";
import { generateSigningKey, importSigner, jwksKeys } from "@credence/protocol/jws";
import type { Agent, Organization, Person } from "../directory/types.ts";
import { createFloodGuard, DEFAULT_LIMITS, type Limits } from "../http/limits.ts";
import { type Listener, listen } from "../http/listener.ts";
import { createRouter } from "../http/router.ts";
import { createSealer, KEY_BYTES } from "../keys/seal.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Credential } from "./clients.ts";
import type { Lifetimes } from "./configuration.ts";
import type { SignInEvent } from "./events.ts";
import type { Fault } from "./fault.ts";
import { createOpenSignIns } from "./open-sign-ins.ts";
import { hashPassword } from "./password.ts";
import { createSignIn, type SignIn } from "./sign-in.ts";

/** A sign-in half at work on loopback, over a real store. */
export interface TestHouse {
  readonly issuer: string;
  readonly store: Store;
  /** Path of the database. */
  readonly storeFile: string;
  readonly signIn: SignIn;
  readonly listener: Listener;
  readonly events: SignInEvent[];
  readonly faults: Fault[];
  /** What fails from now on, while it is true. */
  readonly broken: { record: boolean };
  /** Exchanges that reached the injected handler. */
  readonly exchanges: TokenRequest[];
  /** What the token endpoint refused before any grant saw it. */
  readonly refused: { readonly reason: string; readonly source: string; readonly decisionId: string }[];
  /** The clock of the house, in seconds since the epoch; a test may move it. */
  readonly clock: { offset: number /** Stands still at this second. */; stopped?: number };
  change(change: (organization: Organization) => Organization): Promise<void>;
  /** Seconds since the epoch. */
  now(): number;
  stop(): Promise<void>;
}

export const SECRET = "a secret with spaces, + and %2B";
export const PASSWORD = "correct horse battery staple";
export const CALLBACK = "http://127.0.0.1:4999/callback";

const BASE: Omit<Agent, "id" | "name" | "auth"> = {
  enabled: true,
  redirectUris: [CALLBACK],
  postLogoutRedirectUris: ["http://127.0.0.1:4999/bye"],
  denialError: "access_denied",
};

/** An agent of the test organization. */
export function agent(id: string, over: Partial<Agent> = {}): Agent {
  const auth = { method: "client_secret_basic", secret: { literal: SECRET } } as const;
  return { ...BASE, id, name: `The ${id}`, auth, ...over };
}

/** A person of the test organization, without a password. */
export function person(id: string, over: Partial<Person> = {}): Person {
  return { id, email: `${id}@acme.example`, name: id, groups: [], enabled: true, ...over };
}

/** Starts the house: Alice and Bob, agents by each way of authentication. */
export async function startHouse(
  options: {
    path?: string;
    issuer?: string;
    /** Host of the issuer; an address by default, where there are no passkeys. */
    host?: "localhost";
    lifetimes?: Partial<Lifetimes>;
    trustedProxies?: readonly string[];
    exchange?: TokenExchangeEndpoint;
    agents?: readonly Agent[];
    limits?: Partial<Limits>;
  } = {},
): Promise<TestHouse> {
  const directory = await mkdtemp(join(tmpdir(), "credence-sign-in-"));
  const storeFile = join(directory, "credence.db");
  const store = await openStore({ kind: "sqlite", path: storeFile });
  const passwordHash = await hashPassword(PASSWORD);
  const organization: Organization = {
    name: "Acme",
    demo: true,
    people: [
      person("alice", { name: "Alice", passwordHash }),
      person("bob", { name: "Bob", passwordHash }),
      person("gone", { enabled: false, passwordHash }),
      person("robot"),
    ],
    agents: [
      agent("assistant", { name: "Assistant" }),
      agent("desktop", { name: "Desktop", auth: { method: "none" } }),
      ...(options.agents ?? []),
    ],
    apps: [],
    connections: [],
  };
  await store.replaceOrganization(organization, 0);

  const events: SignInEvent[] = [];
  const faults: Fault[] = [];
  const broken = { record: false };
  const exchanges: TokenRequest[] = [];
  const refused: TestHouse["refused"][number][] = [];
  const clock: TestHouse["clock"] = { offset: 0 };
  const now = () => clock.stopped ?? Math.floor(Date.now() / 1000) + clock.offset;
  const exchange: TokenExchangeEndpoint = async (request) => {
    exchanges.push(request);
    return { status: 200, headers: {}, body: { exchanged: true } };
  };
  const pairs = await Promise.all([generateSigningKey("ES256"), generateSigningKey("RS256")]);
  const publicJwks = pairs.map(({ publicJwk }) => publicJwk);
  const signers = await Promise.all(pairs.map(({ privateJwk }) => importSigner(privateJwk)));
  const signing = { signers, publicJwks, keys: jwksKeys({ keys: publicJwks }) };
  const clientSecrets = ({ auth }: Credential) => [
    "secret" in auth && "literal" in auth.secret ? auth.secret.literal : "unresolvable",
  ];

  // The issuer names the port, so the port is taken first.
  let handler: Parameters<typeof listen>[0]["handler"] = () => undefined;
  const listener = await listen({ host: "127.0.0.1", port: 0, handler: (req, res) => handler(req, res), graceMs: 100 });
  const url = options.host === undefined ? listener.url : `http://${options.host}:${listener.port}`;
  const issuer = options.issuer ?? `${url}${options.path ?? ""}`;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const guard = createFloodGuard(limits);
  const signIn = createSignIn({
    issuer,
    store,
    proven: guard.proven,
    openSignIns: createOpenSignIns(store, limits.openSignIns),
    sealing: createSealer(randomBytes(KEY_BYTES)),
    signing: () => signing,
    jwksAge: 600,
    cookieKeys: ["a cookie key of this test"],
    now,
    clientSecrets,
    naming: { pairwise: "a secret of this test" },
    documents: {
      metadata: async () => {
        throw new TypeError("nobody has a document here");
      },
    },
    fetch: guardedFetch({ allowLoopback: true }),
    markAssertionUsed: (key, expiresAt) => store.consume("client-assertion", key, expiresAt),
    markProofUsed: (key, expiresAt) => store.consume("dpop", key, expiresAt),
    record: async (event) => {
      if (broken.record) throw new Error("the disk is full");
      events.push(event);
    },
    report: (fault) => void faults.push(fault),
    organizationName: async () => (await store.organization()).document.name,
    support: "it-help@acme.example",
    ...(options.lifetimes === undefined ? {} : { lifetimes: options.lifetimes }),
  });
  handler = createRouter({
    issuer,
    guard,
    trustedProxies: options.trustedProxies ?? [],
    signIn,
    store,
    clientSecrets,
    exchange: options.exchange ?? exchange,
    report: (fault) => void faults.push(fault),
    refused: ({ reason }, context) => void refused.push({ reason, ...context }),
  });

  return {
    issuer,
    store,
    storeFile,
    signIn,
    listener,
    events,
    faults,
    broken,
    exchanges,
    refused,
    clock,
    now,
    async change(change) {
      const { revision, document } = await store.organization();
      await store.replaceOrganization(change(document), revision);
    },
    async stop() {
      await listener.close();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}
