/**
 * The nouns of the directory, as the rest of the server knows them: already validated, secrets still by reference.
 * The organization file's schema (`organization/`) parses into these; the store keeps and returns them.
 */

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

/** How an agent proves itself at the token endpoint. `none` may sign people in, and nothing else. */
export type AgentAuth =
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly secret: SecretRef }
  | {
      readonly method: "private_key_jwt";
      readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
    }
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
  /** What the app knows people by: their stable id, or (addresses are reassigned: a warning is given) their email. */
  readonly subject: "id" | "email";
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
  };
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
  readonly people: readonly Person[];
  readonly agents: readonly Agent[];
  readonly apps: readonly App[];
  readonly connections: readonly Connection[];
}
