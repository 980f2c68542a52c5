/**
 * The nouns of the directory, as the rest of the server knows them: already validated, secrets still by reference.
 * The organization file's schema (`organization/`) parses into these; the store keeps and returns them.
 */

import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import type { JwsAlgorithm } from "@credence/protocol/jws";

/** Where a secret comes from. A literal is allowed only in a demo organization on a loopback issuer. */
export type SecretRef = { readonly env: string } | { readonly file: string } | { readonly literal: string };

/** Somebody on whose behalf agents act. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly enabled: boolean;
  /** argon2id in PHC string format; absent where the person can not sign in with a password. */
  readonly passwordHash?: string;
}

/** How an agent proves itself at the token endpoint. `none` may exchange only where the agent is DPoP-bound. */
export type AgentAuth =
  | {
      readonly method: "client_secret_basic" | "client_secret_post";
      readonly secret: SecretRef;
      /** The one before, which counts until it is taken out: whoever has the old one has time to get the new one. */
      readonly formerSecret?: SecretRef;
    }
  | {
      readonly method: "private_key_jwt";
      readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
    }
  /** Keys at a URL, fetched again when an unknown one is named. */
  | { readonly method: "private_key_jwt"; readonly jwksUri: string }
  /** The agent's id is the URL of its metadata: keys, redirect URIs and name come from there. */
  | { readonly method: "client_id_metadata_document" }
  | { readonly method: "none" };

/** An OAuth client that acts for people. Its `id` is its client id at this IdP. */
export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly auth: AgentAuth;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  /** What a denial by policy is called on the wire; `invalid_grant` for peers that know no other. */
  readonly denialError: "access_denied" | "invalid_grant";
  /** What its ID tokens are signed with; the deployment's first algorithm where it says nothing. */
  readonly idTokenAlg?: JwsAlgorithm;
  /** Every exchange needs a DPoP proof; with it, a public agent may exchange. @see RFC 9449 §5.2 */
  readonly dpopBound?: boolean;
  /** Seconds since the person signed in, for which the agent may act for them without a session (refresh tokens). */
  readonly offlineMaxAge?: number;
}

/** A resource app. */
export interface App {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** Issuer of its authorization server: the audience of ID-JAGs. Unique. */
  readonly issuer: string;
  readonly resources: readonly string[];
  /** Scope to its description. */
  readonly scopes: Readonly<Record<string, string>>;
  /** Agent id to that agent's client id at the app. */
  readonly clients: Readonly<Record<string, string>>;
  /**
   * What the app knows people by, in SSO and in ID-JAGs alike: their stable id; an id that only this app sees; the app's
   * own id of them (`people`); or (addresses are reassigned: a warning is given) their email.
   */
  readonly subject: "id" | "pairwise" | "own" | "email";
  /** Person id to the app's own id of them: `sub` where `subject` is `own`, otherwise `aud_sub`. */
  readonly people?: Readonly<Record<string, string>>;
  /** Other names of the issuer that a request's `audience` may use: URNs. Unique like the issuer. */
  readonly aliases?: readonly string[];
  /** The organization's tenant at the app: `aud_tenant`. */
  readonly audTenant?: string;
  /** Optional claims that the app is told; all of them when absent. */
  readonly claims?: readonly OptionalClaim[];
  /** The person's SAML NameID, for apps that know people by it: `sub_id`. @see ID-JAG draft §3.2.2 */
  readonly samlNameId?: SamlNameId;
  /** Type of authorization details to its description, for people to read. @see RFC 9396 §2 */
  readonly authorizationDetailsTypes?: Readonly<Record<string, string>>;
  /** The app as a relying party of this IdP. */
  readonly sso?: RelyingParty;
}

/** Claims of an ID-JAG that an app may do without. */
export type OptionalClaim = "email" | "auth_time" | "acr" | "amr";

/** How an app is told a person's NameID. */
export interface SamlNameId {
  /** Entity id of the SAML IdP. */
  readonly issuer: string;
  /** Which name of the person is the NameID. */
  readonly nameId: App["subject"];
  readonly format?: string;
  readonly nameQualifier?: string;
  readonly spNameQualifier?: string;
}

/** An app's OAuth client for signing people in. */
export interface RelyingParty {
  readonly clientId: string;
  readonly auth: Exclude<AgentAuth, { readonly method: "client_id_metadata_document" }>;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  /** What its ID tokens are signed with; the deployment's first algorithm where it says nothing. */
  readonly idTokenAlg?: JwsAlgorithm;
}

/** Who: `person:ID`, `group:NAME` or `everyone`. */
export type PeopleRef = `person:${string}` | `group:${string}` | "everyone";

/** Agent to app, for these people, these scopes, under these conditions. */
export interface Connection {
  readonly id: string;
  readonly enabled: boolean;
  readonly agent: string;
  readonly app: string;
  readonly people: readonly PeopleRef[];
  readonly scopes: readonly string[];
  /** Granted when a request names no scope; a subset of `scopes`. */
  readonly defaultScopes: readonly string[];
  /** Which of the app's resources; all of them when absent. */
  readonly resources?: readonly string[];
  readonly conditions: {
    /** The sign-in may be at most this many seconds old. */
    readonly maxAge?: number;
    /** The weakest way to sign in that is enough: one of `ACR_VALUES`. */
    readonly acr?: string;
    /** Only ID-JAGs that are bound to a key or certificate are granted. */
    readonly bound?: boolean;
  };
  /** What it grants by authorization details: each is a limit to those asked for. @see RFC 9396 */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** Ids of agents that may be named as actor; nobody when absent. @see RFC 8693 §4.1 */
  readonly actors?: readonly string[];
  /** Lifetime of the ID-JAG in seconds; the server's default when absent. */
  readonly lifetime?: number;
  /** Seconds since the epoch after which the connection no longer counts. */
  readonly expires?: number;
}

/** Everything an organization file holds. */
export interface Organization {
  readonly name: string;
  /** A demo may hold literal secrets, and only a loopback issuer serves it. */
  readonly demo: boolean;
  /** The organization's name as a tenant of this IdP: `tenant` of every ID-JAG; absent where the issuer is its alone. */
  readonly tenant?: string;
  readonly people: readonly Person[];
  readonly agents: readonly Agent[];
  readonly apps: readonly App[];
  readonly connections: readonly Connection[];
}
