import { type TokenExchangeHandler, tokenExchangeHandler } from "@credence/issuer";
import { type Result, refuse } from "@credence/protocol";
import { type JwsAlgorithm, jwksKeys, type PublicJwk, type Signer, signJwt } from "@credence/protocol/jws";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import type { Audit } from "../audit/audit.ts";
import type { Store } from "../store/store.ts";
import { type AuthenticatedAgent, authenticateAgent, type ClientPorts } from "./client.ts";
import { decideExchange } from "./decision.ts";
import { recordExchange } from "./record.ts";
import { type SignedInPerson, type SubjectPorts, verifyIdToken } from "./subject.ts";

/** What the issuing half needs from the house. */
export interface IdpIssuerOptions extends Omit<ClientPorts, "store"> {
  readonly store: Pick<Store, "agent" | "person" | "appByIssuer" | "connections">;
  readonly audit: Pick<Audit, "record" | "countFailure">;
  readonly sessionAlive: SubjectPorts["sessionAlive"];
  /** Signs ID-JAGs. */
  readonly signer: Signer;
  /** The keys that our ID tokens are signed with. */
  readonly publicKeys: readonly PublicJwk[];
  readonly algorithms: readonly JwsAlgorithm[];
  /** Of an ID-JAG in seconds, where a connection states none. */
  readonly defaultLifetime: number;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Told of every failure of a port, with the decision id. */
  readonly onFault: (error: unknown, id: string) => void;
}

/** Binds the issuer's five ports to this house: directory, sessions, policy, record and keys. */
export function createIdpIssuer(options: IdpIssuerOptions): TokenExchangeHandler {
  const { issuer, store, audit, signer, defaultLifetime, now, onFault } = options;
  const subject: SubjectPorts = { ...options, keys: jwksKeys({ keys: options.publicKeys }) };
  return tokenExchangeHandler<AuthenticatedAgent, SignedInPerson>({
    issuer,
    now,
    onFault,
    ports: {
      authenticate: (request) => authenticateAgent(request, options),
      verifySubject: async (request): Promise<Result<SignedInPerson>> =>
        request.type === TOKEN_TYPES.idToken
          ? verifyIdToken(request.token, request.client.agent, request.now, subject)
          : refuse("subject-token-type-unsupported"),
      decide: (question) => decideExchange(question, { store, defaultLifetime }),
      record: (event) => recordExchange(event, audit),
      sign: ({ typ }, claims) => signJwt(typ, claims, signer),
    },
  });
}
