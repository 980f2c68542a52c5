import {
  type IssuerPorts,
  type SubjectRequest,
  type TokenExchangeEndpoint,
  tokenExchangeEndpoint,
} from "@credence/issuer";
import { type Result, refuse } from "@credence/protocol";
import type { MarkProof } from "@credence/protocol/dpop";
import { type JwsAlgorithm, type KeySource, type Signer, signJwt } from "@credence/protocol/jws";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import type { Audit } from "../audit/audit.ts";
import type { NamingSecrets } from "../directory/subject.ts";
import type { Store } from "../store/store.ts";
import { verifyActor } from "./actor.ts";
import { type AuthenticatedAgent, authenticateAgent, type ClientPorts, type ProvenAgent } from "./client.ts";
import { decideExchange } from "./decision.ts";
import { endpointNonces } from "./nonces.ts";
import { recordExchange } from "./record.ts";
import { type RefreshTokenPorts, verifyRefreshToken } from "./refresh-token.ts";
import { rememberingCheck } from "./remembered.ts";
import { type SignedInPerson, type SubjectPorts, verifyIdToken } from "./subject.ts";

/** What the issuing half needs from the house. */
export interface IdpIssuerOptions extends Omit<ClientPorts, "store"> {
  readonly store: Pick<Store, "agent" | "person" | "appByIssuer" | "connections" | "organizationHead" | "consume">;
  readonly audit: Pick<Audit, "record" | "countFailure">;
  readonly sessionAlive: SubjectPorts["sessionAlive"];
  readonly refreshTokenAlive: RefreshTokenPorts["refreshTokenAlive"];
  /** The token endpoint's URL as clients know it: what a DPoP proof is made for. */
  readonly tokenEndpoint: string;
  /** Marks a proof as used, for exchange and sign-in alike. */
  readonly markProofUsed: MarkProof;
  /** 32 bytes, the same for every process and for sign-in: with it, a proof must carry a nonce of ours. */
  readonly nonceSecret?: Uint8Array;
  readonly naming: NamingSecrets;
  /** Signs ID-JAGs; asked for at each of them, for keys are rotated. */
  readonly signer: () => Signer;
  /** The keys that our ID tokens are signed with, as they are when it is asked. */
  readonly keys: KeySource;
  readonly algorithms: readonly JwsAlgorithm[];
  /** Of an ID-JAG in seconds, where a connection states none. */
  readonly defaultLifetime: number;
  /** An agent has proven who it is, from this address: counts its call. @returns whole seconds that it has to wait, or 0. */
  readonly proven: (source: string, agentId: string) => number;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Told of every failure of a port, with the decision id. */
  readonly onFault: (error: unknown, id: string) => void;
  /** Puts something around the ports that watches them: traces. */
  readonly observed?: (ports: Ports) => Ports;
}

type Ports = IssuerPorts<AuthenticatedAgent, SignedInPerson>;

/** Binds the issuer's ports to this house: directory, sessions, policy, record and keys. */
export function createIdpIssuer(options: IdpIssuerOptions): TokenExchangeEndpoint {
  const { issuer, store, audit, signer, defaultLifetime, naming, now, onFault } = options;
  const subject: SubjectPorts = { ...options, checkSignature: rememberingCheck(options.algorithms, options.keys) };
  const ports: Ports = {
    authenticate: async (request) =>
      withinLimit(await authenticateAgent(request, options), request.source, options.proven),
    verifySubject: (request) => verifySubject(request, subject, options),
    verifyActor: (request) => verifyActor(request, options),
    decide: (question) => decideExchange(question, { store, defaultLifetime, naming }),
    record: (event) => recordExchange(event, audit),
    sign: ({ typ }, claims) => signJwt(typ, claims, signer()),
  };
  return tokenExchangeEndpoint<AuthenticatedAgent, SignedInPerson>({
    issuer,
    now,
    onFault,
    dpop: {
      url: options.tokenEndpoint,
      markUsed: options.markProofUsed,
      ...(options.nonceSecret === undefined ? {} : { nonces: endpointNonces(options.nonceSecret) }),
    },
    ports: options.observed?.(ports) ?? ports,
  });
}

/**
 * Before anything else is done for an agent that sends too much. A public one is counted by its address alone: anybody could use up
 * what it may. @see RFC 6585 §4
 */
function withinLimit(
  outcome: Result<ProvenAgent>,
  source: string | undefined,
  proven: IdpIssuerOptions["proven"],
): Result<AuthenticatedAgent> {
  if (!outcome.ok || outcome.value.isPublic) return outcome;
  const retryAfter = proven(source ?? "unknown", outcome.value.agent.id);
  return retryAfter === 0 ? outcome : { ok: false, refusal: { reason: "client-requests-too-many", retryAfter } };
}

/** @see ID-JAG draft §4.3: ID tokens and our own refresh tokens; SAML assertions are not accepted here. */
async function verifySubject(
  request: SubjectRequest<AuthenticatedAgent>,
  idTokens: SubjectPorts,
  refreshTokens: RefreshTokenPorts,
): Promise<Result<SignedInPerson>> {
  const { token, type, client, now } = request;
  if (type === TOKEN_TYPES.idToken) return verifyIdToken(token, client.agent, now, idTokens);
  if (type === TOKEN_TYPES.refreshToken) return verifyRefreshToken(request, refreshTokens);
  return refuse("subject-token-type-unsupported");
}
