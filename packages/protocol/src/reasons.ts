/**
 * The catalogue of reasons and the one table of errors.
 *
 * A *reason* is exact and for the operator: log, audit, simulator. An *error* is what the wire may say. Every refusal in
 * every package names a reason; the error, its HTTP status and what the client should do follow from the tables here.
 * It is long because it is one table: whoever looks for a reason looks in one place.
 */

/** What the client should do after an error, as a machine-readable hint. */
export type Retry =
  /** Nothing changes by trying again. */
  | "never"
  /** Renew the sign-in (refresh token, else sign in again), then once more. */
  | "renew-sign-in"
  /** Ask the IdP for one fresh ID-JAG, then give up. */
  | "new-id-jag"
  /** Sign in again with what `max_age` or `acr_values` ask for, then once more. */
  | "step-up"
  /** Once more, with the nonce that the answer carries. */
  | "with-nonce"
  /** Wait as `Retry-After` says. */
  | "wait";

/** The type of a table, checked entry by entry. */
type Table<Entries extends Record<string, Entry>, Entry> = Entries;

interface ErrorEntry {
  readonly status: number;
  /** The only sentence that leaves the house for this error. */
  readonly description: string;
  readonly retry: Retry;
}

/** OAuth errors with their HTTP status, the public sentence and what the client does. */
export const ERRORS = {
  invalid_request: {
    status: 400,
    description: "The request is malformed, or lacks or repeats a parameter.",
    retry: "never",
  },
  invalid_client: { status: 401, description: "The client could not be authenticated.", retry: "never" },
  unauthorized_client: { status: 400, description: "This client may not use this grant.", retry: "never" },
  unsupported_grant_type: { status: 400, description: "This grant type is not supported here.", retry: "never" },
  invalid_grant: {
    status: 400,
    description: "The grant is invalid, expired, revoked or was issued to another client.",
    retry: "renew-sign-in",
  },
  access_denied: {
    status: 400,
    description: "The organization's policy does not permit this request.",
    retry: "never",
  },
  insufficient_user_authentication: {
    status: 400,
    description: "The person must authenticate again, more recently or more strongly.",
    retry: "step-up",
  },
  invalid_target: {
    status: 400,
    description: "The audience or resource is unknown or not valid for this request.",
    retry: "never",
  },
  invalid_scope: { status: 400, description: "The scope is unknown, malformed or not available.", retry: "never" },
  invalid_authorization_details: {
    status: 400,
    description: "The authorization details are unknown or malformed.",
    retry: "never",
  },
  invalid_dpop_proof: { status: 400, description: "The DPoP proof is invalid.", retry: "never" },
  use_dpop_nonce: { status: 400, description: "A DPoP nonce is required.", retry: "with-nonce" },
  temporarily_unavailable: { status: 503, description: "The service is unavailable for the moment.", retry: "wait" },
  slow_down: { status: 429, description: "Too many requests.", retry: "wait" },
  // At the protected resource (RFC 6750 §3.1).
  invalid_token: {
    status: 401,
    description: "The access token is missing, malformed, expired, revoked or not for this resource.",
    retry: "new-id-jag",
  },
  insufficient_scope: { status: 403, description: "The access token lacks a scope that this needs.", retry: "never" },
} as const;

/** An OAuth error code of the table {@link ERRORS}. */
export type OAuthErrorCode = keyof Table<typeof ERRORS, ErrorEntry>;

interface ReasonEntry {
  /** The error on the wire; `null` for a reason that explains a permit. */
  readonly error: OAuthErrorCode | null;
  /** Where the rule stands. */
  readonly section: string;
  /** What it means, for an admin. */
  readonly means: string;
  /** How to mend it. */
  readonly mend: string;
}

/** Every reason, by id. */
export const REASONS = {
  // --- The decision ---------------------------------------------------------------------------------------------
  "connection-permits": {
    error: null,
    section: "Credence, the algebra of a decision",
    means: "A connection names this agent, app, person and scope, and all its conditions hold.",
    mend: "Nothing to mend.",
  },
  "no-connection": {
    error: "access_denied",
    section: "ID-JAG draft §4.3.3",
    means: "No connection lets this agent reach this app.",
    mend: "Add a connection from the agent to the app, for the people who should have it.",
  },
  "connection-off": {
    error: "access_denied",
    section: "ID-JAG draft §4.3.3",
    means: "A connection from this agent to this app exists, and is switched off.",
    mend: "Switch the connection on, if this access is wanted.",
  },
  "connection-expired": {
    error: "access_denied",
    section: "ID-JAG draft §4.3.3",
    means: "A connection from this agent to this app exists, and its expiry has passed.",
    mend: "Give the connection a later expiry, if this access is still wanted.",
  },
  "person-not-covered": {
    error: "access_denied",
    section: "ID-JAG draft §4.3.3",
    means: "The agent's connections to this app are for other people or groups.",
    mend: "Add the person, or one of their groups, to the connection's people.",
  },
  "scope-not-covered": {
    error: "access_denied",
    section: "ID-JAG draft §4.3.3",
    means: "The connections that apply name none of the scopes asked for, or none by default.",
    mend: "Add the scope to the connection, or default_scopes for requests that name none.",
  },
  "resource-not-covered": {
    error: "access_denied",
    section: "ID-JAG draft §4.3.3",
    means: "The connections that apply are for other resources of this app.",
    mend: "Add the resource to the connection's resources, or remove its list to cover all of the app.",
  },
  "person-disabled": {
    error: "access_denied",
    section: "Credence, a sign-in can end",
    means: "The person is disabled.",
    mend: "Enable the person, if they should have access.",
  },
  "app-disabled": {
    error: "access_denied",
    section: "Credence, the algebra of a decision",
    means: "The app is disabled.",
    mend: "Enable the app, if it should be reachable.",
  },
  "sign-in-too-old": {
    error: "insufficient_user_authentication",
    section: "RFC 9470 §3",
    means: "The person signed in longer ago than the connection's max_age allows.",
    mend: "The person signs in again; or the connection gets a longer max_age.",
  },
  "auth-time-missing": {
    error: "insufficient_user_authentication",
    section: "RFC 9470 §3",
    means: "The connection has a max_age, and the sign-in does not say when it happened.",
    mend: "The person signs in again, so that the ID token carries auth_time.",
  },
  "acr-too-weak": {
    error: "insufficient_user_authentication",
    section: "RFC 9470 §3",
    means: "The person signed in in a weaker way than the connection asks for, or the sign-in does not say how.",
    mend: "The person signs in again with a stronger method; or the connection asks for a weaker one.",
  },
  "binding-missing": {
    error: "invalid_dpop_proof",
    section: "ID-JAG draft §9.8",
    means: "The connection grants only ID-JAGs that are bound to a key, and the request proves none.",
    mend: "Send a DPoP proof, or a client certificate; or leave the binding out of the connection's conditions.",
  },
  "actor-not-covered": {
    error: "access_denied",
    section: "RFC 8693 §4.1",
    means: "No connection allows this actor.",
    mend: "Add the actor to the connection's actors, or leave actor_token out.",
  },
  "details-not-covered": {
    error: "access_denied",
    section: "RFC 9396 §6",
    means: "No connection grants any of the authorization details that were asked for.",
    mend: "Add them to a connection's authorization_details, or ask for what it grants.",
  },
  "offline-too-old": {
    error: "invalid_grant",
    section: "Credence, a sign-in can end",
    means: "The person signed in longer ago than the agent may act without them.",
    mend: "The person signs in again; or the agent gets a longer offline_max_age.",
  },
  "audience-unknown": {
    error: "invalid_target",
    section: "RFC 8693 §2.2.2",
    means: "No app has this audience as its issuer, or as an alias of it.",
    mend: "Register the app with exactly this issuer, or correct the audience (compared letter by letter).",
  },
  "resource-unknown": {
    error: "invalid_target",
    section: "RFC 8707 §2",
    means: "The app named by the audience does not have this resource.",
    mend: "Add the resource to the app, or correct it (compared letter by letter).",
  },
  "resources-several": {
    error: "invalid_target",
    section: "RFC 8707 §2",
    means:
      "The ID-JAG is for several resources, and the redemption does not say for which: an access token is for one.",
    mend: "Name one of the ID-JAG's resources in the redemption.",
  },
  "resources-differ": {
    error: "invalid_target",
    section: "ID-JAG draft §4.3.3",
    means: "Several resources were asked for in one request, and what is granted differs between them.",
    mend: "Ask for one resource at a time, or for scopes that all of them grant.",
  },
  "audiences-several": {
    error: "invalid_target",
    section: "ID-JAG draft §4.3",
    means: "More than one audience was asked for in one request.",
    mend: "Ask for one audience at a time.",
  },
  "scope-unknown": {
    error: "invalid_scope",
    section: "RFC 6749 §5.2",
    means: "The app does not have a scope that was asked for.",
    mend: "Add the scope to the app, or ask for one that it has.",
  },
  "person-unknown-to-app": {
    error: "access_denied",
    section: "ID-JAG draft §3.1",
    means: "The app knows people by its own ids, and has none for this person.",
    mend: "Add the person to the app's people, with the id that the app gave them.",
  },
  "agent-unknown-to-app": {
    error: "access_denied",
    section: "ID-JAG draft §5",
    means: "The app's registration does not say which client id this agent has there.",
    mend: "Add the agent to the app's clients, with the client id that the app gave it.",
  },

  // --- The request ----------------------------------------------------------------------------------------------
  "method-wrong": {
    error: "invalid_request",
    section: "RFC 6749 §3.2",
    means: "The token endpoint was called with another method than POST.",
    mend: "Send a POST with a form body.",
  },
  "form-content-type": {
    error: "invalid_request",
    section: "RFC 6749 §3.2",
    means: "The body is not application/x-www-form-urlencoded.",
    mend: "Send the parameters as a form.",
  },
  "form-too-large": {
    error: "invalid_request",
    section: "Credence, limits",
    means: "The body is larger than the limit.",
    mend: "Send less; the limit is in the documentation of the endpoint.",
  },
  "form-malformed": {
    error: "invalid_request",
    section: "RFC 6749 §3.2",
    means: "The form is not valid: bad percent-encoding, not UTF-8, or a control character.",
    mend: "Encode the form as the URL standard says.",
  },
  "parameter-doubled": {
    error: "invalid_request",
    section: "RFC 6749 §3.2",
    means: "A parameter that may stand once was sent more than once.",
    mend: "Send each parameter once.",
  },
  "parameter-missing": {
    error: "invalid_request",
    section: "RFC 8693 §2.1",
    means: "A required parameter is missing or empty.",
    mend: "Send the parameter that the record names.",
  },
  "parameter-malformed": {
    error: "invalid_request",
    section: "RFC 8693 §2.1",
    means: "A parameter has a value that it can not have.",
    mend: "Correct the parameter that the record names.",
  },
  "scope-malformed": {
    error: "invalid_scope",
    section: "RFC 6749 §3.3",
    means: "The scope has characters that a scope can not have, or too many.",
    mend: "Send scope tokens divided by one space.",
  },
  "resource-malformed": {
    error: "invalid_target",
    section: "RFC 8707 §2",
    means: "The resource is not an absolute URI, or has a fragment.",
    mend: "Send the resource identifier as its metadata gives it.",
  },
  "grant-type-unsupported": {
    error: "unsupported_grant_type",
    section: "RFC 6749 §5.2",
    means: "The grant type is not one that this token endpoint knows.",
    mend: "Read grant_types_supported in the server's metadata.",
  },
  "requested-token-type-unsupported": {
    error: "invalid_request",
    section: "RFC 8693 §2.2.2",
    means: "The requested token type is not an ID-JAG.",
    mend: "Send requested_token_type=urn:ietf:params:oauth:token-type:id-jag.",
  },
  "subject-token-type-unsupported": {
    error: "invalid_request",
    section: "RFC 8693 §2.2.2",
    means: "The subject token's type is not one that is accepted here.",
    mend: "Send an ID token, with subject_token_type=urn:ietf:params:oauth:token-type:id_token.",
  },
  "actor-token-unsupported": {
    error: "invalid_request",
    section: "ID-JAG draft §4.3.3",
    means: "The request carries an actor token, and no actor is configured.",
    mend: "Leave actor_token out.",
  },
  "authorization-details-malformed": {
    error: "invalid_authorization_details",
    section: "RFC 9396 §5",
    means: "The authorization_details are no JSON array of objects with a type, or go beyond the limits.",
    mend: "Send a JSON array, each member with its type; at most 50 members and 16,384 characters.",
  },
  "authorization-details-unknown": {
    error: "invalid_authorization_details",
    section: "RFC 9396 §5",
    means: "The authorization_details have a type that is not registered here.",
    mend: "Ask with a registered type, or register this one.",
  },
  "authorization-details-differ": {
    error: "invalid_authorization_details",
    section: "RFC 9396 §3",
    means: "The authorization_details do not fit the resources or scopes beside them, or go beyond the ID-JAG's.",
    mend: "Ask for details at the resources that the request names, and no more than the ID-JAG carries.",
  },
  "actor-token-malformed": {
    error: "invalid_request",
    section: "RFC 8693 §2.1",
    means: "actor_token and actor_token_type do not stand together, or the token can not be read.",
    mend: "Send both, or neither.",
  },
  "actor-token-invalid": {
    error: "invalid_request",
    section: "RFC 8693 §2.2.2",
    means: "The actor token is expired, not for this server, or not signed by a key of the actor.",
    mend: "Make a new one, with the actor's own registered key and this server's issuer as audience.",
  },

  // --- Proof of possession --------------------------------------------------------------------------------------
  "dpop-malformed": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §4.3",
    means: "The DPoP proof can not be read: not one JWT with typ dpop+jwt, a public key, an id and a time.",
    mend: "Send exactly one DPoP header, made anew for each request.",
  },
  "dpop-signature": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §4.3",
    means: "The DPoP proof's signature does not verify with the key in it, or its algorithm is not allowed.",
    mend: "Sign with the private key whose public half stands in the header, ES256, RS256, PS256 or EdDSA.",
  },
  "dpop-method": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §4.3",
    means: "The DPoP proof is for another HTTP method.",
    mend: "Make a proof for the method of this request.",
  },
  "dpop-url": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §4.3",
    means: "The DPoP proof is for another URL.",
    mend: "Make a proof for the URL of this request, as the metadata has it. Behind a proxy: configure the external URL.",
  },
  "dpop-time": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §11.1",
    means: "The DPoP proof is too old or lies in the future: the client's clock is wrong, or the proof was kept.",
    mend: "Set the client's clock, and make a new proof for each request.",
  },
  "dpop-replayed": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §11.1",
    means: "The DPoP proof was used before.",
    mend: "Make a new proof for each request.",
  },
  "dpop-nonce-wanted": {
    error: "use_dpop_nonce",
    section: "RFC 9449 §8",
    means: "The DPoP proof carries no nonce of ours, or an old one.",
    mend: "Make a new proof with the nonce of the DPoP-Nonce header.",
  },
  "dpop-token": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §4.3",
    means: "The DPoP proof is for another access token.",
    mend: "Make the proof with the hash (ath) of the access token that goes with it.",
  },
  "dpop-unavailable": {
    error: "invalid_dpop_proof",
    section: "RFC 9449 §5",
    means: "A DPoP proof was sent to a server that does not take any.",
    mend: "Leave the DPoP header out; read dpop_signing_alg_values_supported in the metadata.",
  },
  "certificate-malformed": {
    error: "invalid_request",
    section: "RFC 8705 §3",
    means: "The client certificate can not be read.",
    mend: "Check what the TLS listener or the proxy hands on (RFC 9440: Client-Cert).",
  },

  // --- The client -----------------------------------------------------------------------------------------------
  "client-auth-missing": {
    error: "invalid_client",
    section: "RFC 6749 §5.2",
    means: "The request carries no client authentication.",
    mend: "Authenticate with the method that the client is registered with.",
  },
  "client-auth-several": {
    error: "invalid_request",
    section: "RFC 6749 §2.3",
    means: "The request uses more than one way of client authentication.",
    mend: "Use exactly one.",
  },
  "client-auth-malformed": {
    error: "invalid_client",
    section: "RFC 6749 §2.3.1",
    means: "The client authentication can not be read.",
    mend: "Check the Authorization header or the client_assertion parameters.",
  },
  "client-unknown": {
    error: "invalid_client",
    section: "RFC 6749 §5.2",
    means: "No client has this id.",
    mend: "Register the client, or correct its id.",
  },
  "client-disabled": {
    error: "invalid_client",
    section: "RFC 6749 §5.2",
    means: "The client is disabled.",
    mend: "Enable the agent, if it should have access.",
  },
  "client-auth-method-wrong": {
    error: "invalid_client",
    section: "RFC 7591 §2",
    means: "The client authenticated with another method than it is registered with.",
    mend: "Use the registered method, or register the one that is used.",
  },
  "client-secret-wrong": {
    error: "invalid_client",
    section: "RFC 6749 §2.3.1",
    means: "The client secret is wrong.",
    mend: "Check the secret in the agent's configuration.",
  },
  "client-public": {
    error: "unauthorized_client",
    section: "ID-JAG draft §9.1",
    means: "A client without authentication may sign people in, and nothing else.",
    mend: "Give the agent a secret or a key.",
  },
  "client-grant": {
    error: "unauthorized_client",
    section: "ID-JAG draft §8",
    means: "The agent's own metadata document does not name token exchange, or another profile than the ID-JAG's.",
    mend: "Add the token-exchange and jwt-bearer grants and the ID-JAG profile to the document.",
  },
  "client-assertion-malformed": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "The client assertion is not a JWT that can be read, or lacks a required claim.",
    mend: "Send a signed JWT with iss, sub, aud, exp and jti.",
  },
  "client-assertion-issuer": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "The client assertion's iss or sub is not the client id.",
    mend: "Set iss and sub to the client id.",
  },
  "client-assertion-audience": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "The client assertion is for another audience than this server's issuer.",
    mend: "Set aud to the issuer identifier of this server, and nothing else.",
  },
  "client-assertion-algorithm": {
    error: "invalid_client",
    section: "RFC 8725 §3.1",
    means: "The client assertion is signed with an algorithm that is not allowed.",
    mend: "Sign with ES256, RS256, PS256 or EdDSA.",
  },
  "client-assertion-key": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "No registered key of the client fits the client assertion.",
    mend: "Register the public key, with the kid that the assertion names.",
  },
  "client-assertion-signature": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "The client assertion's signature does not verify.",
    mend: "Sign with the registered key.",
  },
  "client-assertion-expired": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "The client assertion has expired, is not yet valid, or lives too long.",
    mend: "Make a new assertion for each request, and check the clock.",
  },
  "client-assertion-replayed": {
    error: "invalid_client",
    section: "RFC 7523 §3",
    means: "The client assertion was used before.",
    mend: "Make a new assertion, with a new jti, for each request.",
  },

  // --- The subject token ----------------------------------------------------------------------------------------
  "subject-token-malformed": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The subject token is not an ID token that can be read.",
    mend: "Send the ID token exactly as the sign-in gave it.",
  },
  "subject-token-type-wrong": {
    error: "invalid_grant",
    section: "RFC 8725 §3.11",
    means: "The subject token is another kind of token than an ID token: an ID-JAG, an access token or an assertion.",
    mend: "Send the ID token of the sign-in.",
  },
  "subject-token-issuer": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token was issued by somebody else.",
    mend: "Send the ID token that this IdP issued.",
  },
  "subject-token-audience": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The subject token was issued to another client.",
    mend: "An agent exchanges only the ID tokens that were issued to itself.",
  },
  "subject-token-key": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token names a key or algorithm that this IdP does not sign ID tokens with.",
    mend: "Sign in again for a new ID token.",
  },
  "subject-token-signature": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token's signature does not verify.",
    mend: "Send the ID token exactly as the sign-in gave it.",
  },
  "subject-token-expired": {
    error: "invalid_grant",
    section: "OpenID Connect Core §3.1.3.7",
    means: "The subject token has expired, or is not yet valid.",
    mend: "Renew the ID token with the refresh token, or sign in again.",
  },
  "subject-token-binding": {
    error: "invalid_grant",
    section: "RFC 9449 §5, RFC 8705 §4",
    means: "The refresh token is bound to a key or certificate, and the request does not prove it.",
    mend: "Send a proof of the key that the refresh token was issued with.",
  },
  "subject-token-scope": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The refresh token was not issued for openid and offline_access.",
    mend: "Sign in with scope openid offline_access.",
  },
  "sign-in-over": {
    error: "invalid_grant",
    section: "Credence, a sign-in can end",
    means: "The sign-in that the ID token stands for has ended: the person signed out, or the session ran out.",
    mend: "The person signs in again.",
  },
  "person-unknown": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.3.3",
    means: "The person of the subject token is not in the directory.",
    mend: "Add the person, or sign in as somebody who is.",
  },

  // --- Sign-in --------------------------------------------------------------------------------------------------
  "grant-refused": {
    error: "invalid_grant",
    section: "RFC 6749 §5.2",
    means:
      "A code or refresh token was not redeemed: used before, expired, another client's, or the client was refused.",
    mend: "Sign in again; if a code or token was used twice, ask who else had it: its whole grant is revoked.",
  },
  "password-missing": {
    error: "access_denied",
    section: "Credence, sign-in",
    means: "The person has no password here, so nobody can sign in as them with one.",
    mend: "Give the person a password_hash, made by credence password-hash.",
  },
  "password-wrong": {
    error: "access_denied",
    section: "Credence, sign-in",
    means: "The password is wrong.",
    mend: "Try again; or the admin sets a new password_hash.",
  },
  "too-many-attempts": {
    error: "slow_down",
    section: "Credence, sign-in",
    means: "Too many sign-ins failed for this account or from this address.",
    mend: "Wait a few minutes; if it goes on, somebody may be guessing passwords.",
  },
  "sign-in-busy": {
    error: "temporarily_unavailable",
    section: "Credence, sign-in",
    means: "Too many passwords were being checked at once.",
    mend: "Try again; if it goes on, look at where the sign-ins come from.",
  },

  // --- The ID-JAG, at redemption --------------------------------------------------------------------------------
  "id-jag-malformed": {
    error: "invalid_grant",
    section: "RFC 7523 §3.1",
    means: "The assertion is not a JWT that can be read, or is too large.",
    mend: "Send the ID-JAG exactly as the IdP gave it.",
  },
  "id-jag-typ": {
    error: "invalid_grant",
    section: "ID-JAG draft §3.1",
    means: "The assertion's typ is not oauth-id-jag+jwt.",
    mend: "Send an ID-JAG; an ID token or access token is not one.",
  },
  "id-jag-algorithm": {
    error: "invalid_grant",
    section: "RFC 8725 §3.1",
    means: "The ID-JAG is signed with an algorithm that is not allowed for its issuer.",
    mend: "Allow the algorithm for this issuer, if the issuer should use it.",
  },
  "id-jag-crit": {
    error: "invalid_grant",
    section: "RFC 7515 §4.1.11",
    means: "The ID-JAG has a critical header extension that is not understood here.",
    mend: "Ask the IdP to issue without it.",
  },
  "id-jag-claim": {
    error: "invalid_grant",
    section: "ID-JAG draft §3.1",
    means: "A required claim of the ID-JAG is missing, or a claim has the wrong form.",
    mend: "Ask the IdP to issue ID-JAGs as the draft says; the record names the claim.",
  },
  "id-jag-issuer": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.4.1",
    means: "The ID-JAG's issuer (with its tenant) is not one that this server trusts.",
    mend: "Register the issuer as a customer's IdP, exactly as its metadata names it.",
  },
  "id-jag-key": {
    error: "invalid_grant",
    section: "RFC 7515 §4.1.4",
    means: "The issuer's keys have none that fits the ID-JAG.",
    mend: "Check that the issuer publishes the key that it signs with.",
  },
  "id-jag-signature": {
    error: "invalid_grant",
    section: "RFC 7523 §3",
    means: "The ID-JAG's signature does not verify.",
    mend: "Send the ID-JAG exactly as the IdP gave it.",
  },
  "id-jag-audience": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.4.1",
    means: "The ID-JAG's aud is not exactly this server's issuer.",
    mend: "Ask the IdP for an ID-JAG with this server's issuer as audience.",
  },
  "id-jag-client": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.4.1",
    means: "The ID-JAG was issued to another client than the one that redeems it.",
    mend: "Map the agent to its client id at this app, in the IdP's registration of the app.",
  },
  "id-jag-expired": {
    error: "invalid_grant",
    section: "RFC 7523 §3",
    means: "The ID-JAG has expired.",
    mend: "Ask the IdP for a new one; if new ones fail too, compare the clocks.",
  },
  "id-jag-not-yet-valid": {
    error: "invalid_grant",
    section: "RFC 7523 §3",
    means: "The ID-JAG's iat or nbf lies in the future, beyond the allowed skew: a clock is wrong.",
    mend: "Compare the clocks of the IdP and of this server.",
  },
  "id-jag-lifetime": {
    error: "invalid_grant",
    section: "RFC 7523 §3",
    means: "The ID-JAG's lifetime is longer than allowed for its issuer.",
    mend: "Shorten it at the IdP, or raise the maximum lifetime for this issuer.",
  },
  "id-jag-bound": {
    error: "invalid_grant",
    section: "ID-JAG draft §9.8",
    means: "The ID-JAG is bound to a key or certificate, and the request does not prove it, or proves another.",
    mend: "Redeem with a proof of the key, or with the certificate, that the exchange was made with.",
  },
  "id-jag-unbound": {
    error: "invalid_grant",
    section: "ID-JAG draft §9.8.1.2.4",
    means: "The resource takes only bound access tokens, and neither the ID-JAG nor the request proves a key.",
    mend: "Send a DPoP proof or a client certificate on both legs.",
  },
  "id-jag-sub-id": {
    error: "invalid_grant",
    section: "ID-JAG draft §3.2.2",
    means:
      "The ID-JAG's sub_id is needed here and missing, malformed, or of a SAML issuer that is not configured for its iss.",
    mend: "Send the NameID that single sign-on would carry, or configure the SAML issuer.",
  },
  "id-jag-replayed": {
    error: "invalid_grant",
    section: "RFC 7523 §3",
    means: "The ID-JAG was redeemed before, and its issuer is set to single use.",
    mend: "Ask the IdP for a new one.",
  },
  "id-jag-revoked": {
    error: "invalid_grant",
    section: "Credence, a revoke must reach what is out",
    means: "The ID-JAG was issued before its access was revoked.",
    mend: "Ask the IdP for a new one, if the person and the agent should have access.",
  },
  "id-jag-tenant": {
    error: "invalid_grant",
    section: "ID-JAG draft §6",
    means: "The ID-JAG names another customer of this server than the one its issuer selects.",
    mend: "Correct aud_tenant at the IdP.",
  },
  "issuer-keys-unavailable": {
    error: "temporarily_unavailable",
    section: "Credence, fetching",
    means: "The issuer's keys could not be fetched.",
    mend: "Check that the issuer's JWKS can be reached from here, is below the limits, and is JSON.",
  },
  "subject-unresolved": {
    error: "invalid_grant",
    section: "ID-JAG draft §4.4.1",
    means: "The person of the ID-JAG has no account here, and none may be made on the fly.",
    mend: "Add the account, or allow just-in-time provisioning for this issuer.",
  },
  "nothing-granted": {
    error: "invalid_scope",
    section: "ID-JAG draft §4.4.1",
    means: "Local policy leaves no scope of those asked for.",
    mend: "Ask for a scope that this client may have here.",
  },
  "resource-foreign": {
    error: "invalid_target",
    section: "RFC 8707 §2.2",
    means: "The resource is not one that this server issues access tokens for, or goes beyond the ID-JAG's.",
    mend: "Ask the IdP for a resource of this server.",
  },
  "scope-beyond-grant": {
    error: "invalid_scope",
    section: "RFC 6749 §3.3",
    means: "The request asks for scopes that the ID-JAG does not carry.",
    mend: "Ask for no more than the ID-JAG's scope.",
  },
  "resource-missing": {
    error: "invalid_target",
    section: "MCP enterprise-managed authorization",
    means: "The ID-JAG names no resource, and this server has more than one.",
    mend: "Name the resource in the token exchange.",
  },

  // --- The access token, at the protected resource --------------------------------------------------------------
  "access-token-missing": {
    error: "invalid_token",
    section: "RFC 6750 §3",
    means: "The request carries no access token.",
    mend: "Follow the challenge: read the resource's metadata and get a token.",
  },
  "access-token-malformed": {
    error: "invalid_token",
    section: "RFC 9068 §4",
    means: "The access token can not be read.",
    mend: "Send the access token exactly as the authorization server gave it.",
  },
  "access-token-typ": {
    error: "invalid_token",
    section: "RFC 9068 §4",
    means: "The token is not an access token (typ at+jwt): an ID-JAG or ID token is not one.",
    mend: "Redeem the ID-JAG and send the access token.",
  },
  "access-token-issuer": {
    error: "invalid_token",
    section: "RFC 9068 §4",
    means: "The access token was issued by somebody else.",
    mend: "Get a token from the authorization server that the resource names.",
  },
  "access-token-audience": {
    error: "invalid_token",
    section: "RFC 9068 §4",
    means: "The access token is for another resource.",
    mend: "Get a token for this resource.",
  },
  "access-token-signature": {
    error: "invalid_token",
    section: "RFC 9068 §4",
    means: "The access token's signature does not verify, or no key fits.",
    mend: "Get a new token.",
  },
  "access-token-expired": {
    error: "invalid_token",
    section: "RFC 9068 §4",
    means: "The access token has expired.",
    mend: "Go back to the IdP for a new ID-JAG and redeem it.",
  },
  "access-token-revoked": {
    error: "invalid_token",
    section: "Credence, a revoke must reach what is out",
    means: "The grant that the access token goes back to was revoked.",
    mend: "Go back to the IdP for a new ID-JAG, if the person and the agent should have access.",
  },
  "scope-insufficient": {
    error: "insufficient_scope",
    section: "RFC 6750 §3.1",
    means: "The access token lacks a scope that this call needs.",
    mend: "Ask for all the scopes that the challenge names.",
  },

  "access-token-proof": {
    error: "invalid_token",
    section: "RFC 9449 §7.1, RFC 8705 §3",
    means:
      "The access token is bound, and the request does not prove its key or certificate, or uses the wrong scheme.",
    mend: "Send it as DPoP with a proof of the same key, or over the same certificate.",
  },

  // --- Ourselves ------------------------------------------------------------------------------------------------
  "store-unavailable": {
    error: "temporarily_unavailable",
    section: "Credence, the record",
    means: "The store did not take the record, so nothing was issued.",
    mend: "Check the store: disk space, permissions, connection.",
  },
  "signer-unavailable": {
    error: "temporarily_unavailable",
    section: "Credence, keys",
    means: "The signing key could not be used, so nothing was issued.",
    mend: "Check the key store and the key-encryption key.",
  },
  "internal-fault": {
    error: "temporarily_unavailable",
    section: "Credence, fail closed",
    means: "Something failed that should not have; nothing was issued.",
    mend: "Look for the decision id in the server's log, and report it.",
  },
} as const;

/** The id of a reason of the catalogue {@link REASONS}. */
export type ReasonId = keyof Table<typeof REASONS, ReasonEntry>;

/** The reasons for which something is refused: all but those that explain a permit. */
export type RefusalReason = {
  [Id in ReasonId]: (typeof REASONS)[Id]["error"] extends null ? never : Id;
}[ReasonId];

/** The error on the wire for a refusal. */
export function errorOf(reason: RefusalReason): OAuthErrorCode {
  return REASONS[reason].error;
}
