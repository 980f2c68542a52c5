import type { Form, Refusal, Result } from "@credence/protocol";
import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import type { Confirmation } from "@credence/protocol/dpop";
import type { IdJagClaims } from "@credence/protocol/id-jag";
import type { ReasonId } from "@credence/protocol/reasons";

/**
 * What an IdP brings along: five ports. `Client` and `Subject` are the IdP's own types; the issuer only carries them from
 * one port to the next.
 */
export interface IssuerPorts<Client, Subject> {
  /**
   * Authenticates the client of a request, whatever its method. A public client is refused here, unless it is one of those
   * that may go without authentication and `binding` says that the request proves a key.
   * @returns the client, or the refusal. Rejects when the answer can not be had: nothing is issued.
   */
  authenticate(request: AuthenticationRequest): Promise<Result<Client>>;

  /**
   * Verifies a subject token that was issued to this client, *and* that the sign-in behind it is alive.
   * @returns the subject, or the refusal.
   */
  verifySubject(request: SubjectRequest<Client>): Promise<Result<Subject>>;

  /**
   * Verifies an actor token. Without this port a request that carries one is refused: `actor-token-unsupported`.
   * @returns the actor, or the refusal.
   * @see RFC 8693 §2.1, §4.1
   */
  verifyActor?(request: SubjectRequest<Client>): Promise<Result<Actor>>;

  /** Decides by the organization's policy. */
  decide(question: Question<Client, Subject>): Promise<IssuerDecision>;

  /** Puts an outcome on record; resolves when it is durable. A permit that can not be recorded is not given. */
  record(event: ExchangeEvent<Client, Subject>): Promise<void>;

  /**
   * Signs an ID-JAG.
   * @param header - `typ`; algorithm and key id are the signer's.
   * @returns the JWT in compact form.
   */
  sign(header: { readonly typ: string }, claims: IdJagClaims): Promise<string>;
}

/** A request as far as client authentication reads it. */
export interface AuthenticationRequest {
  readonly authorization: string | null;
  readonly form: Form;
  /** What the request proves possession of. */
  readonly binding?: Confirmation;
  /** The address that the request came from, where the listener says so. */
  readonly source?: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Who acts, where that is another than the client. */
export interface Actor {
  /** The IdP's own id of the actor: for policy and the record. */
  readonly id: string;
  /** The `act` claim that stands for them. @see RFC 8693 §4.1 */
  readonly act: Readonly<Record<string, unknown>>;
}

/** A subject token to verify. */
export interface SubjectRequest<Client> {
  readonly token: string;
  /** A token type URN. @see RFC 8693 §3 */
  readonly type: string;
  readonly client: Client;
  /** What the request proves possession of: a token that is bound must be bound to this. */
  readonly binding?: Confirmation;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** What policy is asked. */
export interface Question<Client, Subject> {
  /** Becomes the decision's id, the grant's id and the ID-JAG's `jti`. */
  readonly id: string;
  readonly client: Client;
  readonly subject: Subject;
  readonly audience: string;
  readonly resource: readonly string[];
  /** `undefined` when the request names none. */
  readonly scope: readonly string[] | undefined;
  /** `undefined` when the request names none. */
  readonly authorizationDetails: readonly AuthorizationDetail[] | undefined;
  /** What the request proves possession of: the ID-JAG is bound to it. */
  readonly binding: Confirmation | undefined;
  readonly actor: Actor | undefined;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** What policy answers, always with its reasons. */
export type IssuerDecision = DecisionBasis &
  (
    | ({ readonly effect: "permit" } & Permit)
    | { readonly effect: "deny"; readonly refusal: Refusal }
    | { readonly effect: "step-up"; readonly refusal: Refusal; readonly maxAge?: number; readonly acrValues?: string }
  );

/** Why a decision is what it is. All of it is for the record: none of it goes to the client. */
export interface DecisionBasis {
  /** The first is the one to tell. */
  readonly reasons: readonly DecisionReason[];
  /** Ids of the connections (rules) that were used, or came nearest. */
  readonly connections: readonly string[];
  /** Connections that would have granted, had one condition been otherwise: each with that condition. */
  readonly nearMisses?: readonly DecisionReason[];
  /** The IdP's own id of the app that the audience stands for; absent when it stands for none. */
  readonly appId?: string;
}

/** One reason of the catalogue, and where it comes from. */
export interface DecisionReason {
  readonly id: ReasonId;
  /** Id of the connection (rule) that it comes from. */
  readonly connection?: string;
  /** What exactly; never a value that came from outside, never a secret. */
  readonly detail?: string;
}

/** What is granted. */
export interface Permit {
  readonly app: {
    /** Issuer of the app's authorization server: `aud`. */
    readonly issuer: string;
    /** The client's id at the app: `client_id`. */
    readonly clientId: string;
    /** The person as the app sees them from this IdP: `sub`. */
    readonly sub: string;
  };
  /** One as a string, several as a list. */
  readonly resource?: string | readonly string[];
  readonly scope: readonly string[];
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** Whether `act` of the actor stands in the ID-JAG; a request that names one is otherwise refused. */
  readonly actor?: Actor;
  /** Whether an ID-JAG is bound to the certificate of its request; to the key of a DPoP proof it always is. */
  readonly bindCertificate?: boolean;
  /** Seconds. */
  readonly lifetime: number;
  /** Further claims: `auth_time`, `acr`, `amr`, `email`, `tenant` … */
  readonly claims: Partial<
    Omit<IdJagClaims, "iss" | "sub" | "aud" | "client_id" | "jti" | "iat" | "exp" | "cnf" | "act">
  >;
}

/** One token exchange, as it goes on record. Members are known as far as the exchange came. */
export interface ExchangeEvent<Client, Subject> extends DecisionBasis {
  /** The decision's id; of a permit, the ID-JAG's `jti` too. */
  readonly decisionId: string;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly outcome: "permitted" | "denied" | "step-up" | "refused";
  /** Where the request came from, as the listener knows it. */
  readonly source: string | undefined;
  /** Absent when the client was not authenticated. */
  readonly client?: Client;
  readonly subject?: Subject;
  readonly asked?: {
    readonly audience: string;
    readonly resource: readonly string[];
    readonly scope: readonly string[] | undefined;
    readonly authorizationDetails: readonly AuthorizationDetail[] | undefined;
  };
  /** What the ID-JAG is bound to. */
  readonly binding?: Confirmation;
  readonly actor?: Actor;
  readonly granted?: Permit;
  /** Of everything but a permit. */
  readonly refusal?: Refusal;
}
