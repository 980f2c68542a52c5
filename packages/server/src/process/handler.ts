import { CredenceError } from "@credence/protocol";
import { guardedFetch } from "@credence/protocol/fetch";
import type { Signer } from "@credence/protocol/jws";
import { nodeFetch } from "@credence/protocol/node";
import { lookForAssertionKey } from "../directory/assertion-key.ts";
import { clientDocuments } from "../directory/client-documents.ts";
import type { Handler } from "../http/answer.ts";
import { createFloodGuard, DEFAULT_LIMITS } from "../http/limits.ts";
import { createRouter } from "../http/router.ts";
import { createIdpIssuer } from "../idp/issuer.ts";
import type { SigningKeys } from "../keys/signing-keys.ts";
import { describeError } from "../log.ts";
import type { Credential } from "../sign-in/clients.ts";
import { createOpenSignIns } from "../sign-in/open-sign-ins.ts";
import { PATHS, urlBelow } from "../sign-in/paths.ts";
import { signInRecorder } from "../sign-in/record.ts";
import { createSignIn, type SignIn } from "../sign-in/sign-in.ts";
import { secretsOf } from "./client-secrets.ts";
import type { House } from "./house.ts";
import type { ServerOptions } from "./options.ts";

/** Puts sign-in, issuer and endpoints together: everything that answers requests. */
export function createHandler(options: ServerOptions, house: House): Handler {
  const { issuer, log } = options;
  const { store, keyring, jwksAge, audit, now, metrics, traces } = house;
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
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const guard = createFloodGuard(limits);
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
    openSignIns: createOpenSignIns(store, limits.openSignIns),
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
    ...(traces === undefined ? {} : { observed: traces.ports }),
    onFault: (error, decision) => log.error({ decision, ...describeError(error) }, "token exchange failed closed"),
  });
  return createRouter({
    issuer,
    trustedProxies: options.trustedProxies ?? [],
    clientCertHeader: options.clientCertHeader ?? false,
    store,
    clientSecrets,
    signIn,
    exchange: metrics?.timed(exchange) ?? exchange,
    guard,
    beforeSignIn: lookForAssertionKey({ store, keysOf: documents.keysOf }),
    report: ({ reference, code, error }) => log.error({ reference, code, ...describeError(error) }, "request failed"),
    refused: ({ reason }, { source, decisionId }) => audit.countFailure({ reason, source, sample: decisionId }),
  });
}

/**
 * ID-JAGs are signed by the first algorithm of the deployment.
 * @throws CredenceError `configuration` when there is no key for it.
 */
export function firstSigner({ signers: [first] }: SigningKeys): Signer {
  if (first) return first;
  throw new CredenceError("There is no key to sign ID-JAGs with.", { code: "configuration" });
}
