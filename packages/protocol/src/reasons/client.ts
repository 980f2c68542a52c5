/** Why a client is not authenticated, or may not use a grant. */
export const CLIENT_REASONS = {
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
    section: "RFC 6749 §5.2, ID-JAG draft §8",
    means:
      "The client's registration, or its own metadata document, does not name this grant, or another profile than the ID-JAG's.",
    mend: "Add the token-exchange and jwt-bearer grants, and to a document the ID-JAG profile too.",
  },
  "client-metadata-unavailable": {
    error: "temporarily_unavailable",
    section: "Client ID metadata document draft §5.1",
    means: "The agent's metadata document, or its keys at a URL, could not be fetched.",
    mend: "Check that the URL can be reached from here and answers with 200 in time; the log says what happened.",
  },
  "client-metadata-invalid": {
    error: "invalid_client",
    section: "Client ID metadata document draft §4",
    means:
      "The agent's metadata document, or the keys at its URL, break a rule: another client id, a secret in it, a redirect, a private address, no JSON.",
    mend: "Mend the document at the agent's URL; the log names the rule that it breaks.",
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
    mend: "Sign with ES256, ES384, RS256, PS256 or EdDSA.",
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
} as const;
