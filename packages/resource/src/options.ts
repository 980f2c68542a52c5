import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import type { PrivateJwk, PublicJwk, Signer } from "@credence/protocol/jws";
import type { AccessTokenClaims, Root } from "./access-token/claims.ts";
import type { ResourceCrypto } from "./crypto.ts";
import type { ReceiverEvent } from "./record.ts";
import type { Client, RegisteredClient } from "./redeem/client.ts";
import type { Customers } from "./redeem/customers.ts";
import type { Account, AccountPorts } from "./redeem/subject.ts";
import type { ResourceStore } from "./store.ts";

/** A protected resource: an API or MCP server that access tokens are issued for. */
export interface ResourceDefinition {
  /** Each scope with its description. May be empty: then tokens carry no scope, and only the resource counts. */
  readonly scopes: Readonly<Record<string, string>>;
  /** What is granted when an ID-JAG names no scope; nothing by default. */
  readonly defaultScopes?: readonly string[];
  /** Types of authorization details that mean something here. @see RFC 9396 §2 */
  readonly authorizationDetailsTypes?: Readonly<Record<string, AuthorizationDetailType>>;
  /** Whether access tokens of this resource must be bound to a DPoP key or certificate; `false` by default. */
  readonly requireBound?: boolean;
  /** Name for people, in the resource's metadata. */
  readonly name?: string;
}

/** A type of authorization details. */
export interface AuthorizationDetailType {
  /** What it allows, for people to read. */
  readonly description?: string;
  /** Whether a detail of this type is well-formed; what throws refuses. By default every one is. */
  readonly check?: (detail: AuthorizationDetail) => boolean;
}

/** What local policy leaves of a grant. */
export interface Narrowed {
  readonly scope: readonly string[];
  /** All that were left so far where this is absent. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

/** What local policy sees before it narrows a grant. */
export interface NarrowInput<A extends Account = Account> {
  readonly client: RegisteredClient;
  /** Id of the customer that the ID-JAG's issuer selects. */
  readonly customer: string;
  readonly account: A;
  readonly resource: string;
  /** What is left so far: asked for, in the ID-JAG, known to the resource, allowed to the client. */
  readonly scope: readonly string[];
  readonly authorizationDetails: readonly AuthorizationDetail[];
}

/** A grant whose liveness is asked for. */
export interface LivenessInput {
  readonly customer: string;
  readonly clientId: string;
  readonly root: Root;
  /** When the access token was issued, or would be now: seconds since the epoch. */
  readonly issuedAt?: number;
  /** The access token's `jti`; absent at redemption. */
  readonly accessToken?: string;
}

/** How access tokens are made. */
export interface AccessTokenOptions {
  /** Seconds that an access token lives; 300 by default. */
  readonly lifetime?: number;
  /**
   * `jwt` (RFC 9068, the default), or `opaque`: random text that `store` knows the claims of, so that nobody else reads them.
   */
  readonly format?: "jwt" | "opaque";
  /**
   * The app's own format, in place of RFC 9068 `at+jwt`: makes a token that stands for these claims. `check` goes with it.
   */
  readonly issue?: (claims: AccessTokenClaims) => string | Promise<string>;
  /**
   * Reads a token that `issue` made: its claims, or `undefined` when it is not one of ours. Resource, expiry, scopes
   * and liveness are checked here afterwards.
   */
  readonly check?: (token: string) => AccessTokenClaims | undefined | Promise<AccessTokenClaims | undefined>;
}

/** What is granted to whom, whoever makes the access tokens. */
export interface GrantOptions<A extends Account = Account> extends AccountPorts<A> {
  /** Issuer identifier of this authorization server: an `https:` URL, compared letter by letter. */
  readonly issuer: string;
  /** Resource identifier to its definition. */
  readonly resources: Readonly<Record<string, ResourceDefinition>>;
  /** Whether an ID-JAG must name a resource (MCP demands it); `true` by default. */
  readonly requireResource?: boolean;
  /** Which IdPs are trusted, for which customer: a list, or a look-up in the app's own database. */
  readonly customers: Customers;
  /** Local policy: the scopes, or scopes and details, that are granted. It can not add any. By default all are. */
  readonly narrow?: (input: NarrowInput<A>) => readonly string[] | Narrowed | Promise<readonly string[] | Narrowed>;
  /**
   * Whether a grant still counts, asked at redemption and at every check of an access token. By default it does, until
   * the token expires.
   */
  readonly isAlive?: (grant: LivenessInput) => boolean | Promise<boolean>;
  /** Single use, revocations, opaque tokens; by default in memory, which holds within one process only. */
  readonly store?: ResourceStore;
  /** DPoP proofs are always checked. @see RFC 9449 */
  readonly dpop?: {
    /** At least 32 bytes, the same for every process: with it, proofs at the token endpoint must carry a nonce of ours. */
    readonly nonceSecret?: Uint8Array;
  };
  /**
   * Takes every outcome of a redemption, every refusal of a presented access token, and what was refused or ended at the
   * endpoints for tokens, with the exact reason. Nothing is issued before it has resolved.
   */
  readonly record: (event: ReceiverEvent) => void | Promise<void>;
  /** Told what `record` threw, with the decision id: nothing else knows of it. For the operator's log. */
  readonly onFault?: (error: unknown, decisionId: string) => void;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** Fetches issuers' metadata and keys; on Node give it `nodeFetch()` of `@credence/resource/node`. */
  readonly fetch?: typeof globalThis.fetch;
  /** How keys are used and hashes made; by WebCrypto. On Node give it `nodeCrypto` of `@credence/resource/node`. */
  readonly crypto?: ResourceCrypto;
  /** Seconds until an issuer's metadata or keys must have arrived; 5 by default. */
  readonly timeout?: number;
  /** Allows `http:` on loopback addresses, for this server and for issuers. Never in production. */
  readonly development?: boolean;
}

/** Options of `createResourceServer`. */
export interface ResourceServerOptions<A extends Account = Account> extends GrantOptions<A> {
  /** The OAuth clients: a list, or a look-up in the app's own database. */
  readonly clients: readonly Client[] | ((clientId: string) => Promise<Client | undefined>);
  /** Signs access tokens: a private key as JWK, or a signer over a key that is kept elsewhere. */
  readonly signingKey: PrivateJwk | Signer;
  /** Further public keys to publish and accept (key rotation); with a `Signer`, its public key must be among them. */
  readonly publicKeys?: readonly PublicJwk[];
  readonly accessToken?: AccessTokenOptions;
}
