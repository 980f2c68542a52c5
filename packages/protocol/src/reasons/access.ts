/** Why an access token does not open a protected resource. */
export const ACCESS_REASONS = {
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
  "access-token-client": {
    error: "invalid_grant",
    section: "RFC 7009 §2.1",
    means: "The access token that a client wants to end was issued to another client.",
    mend: "End tokens as the client that they were issued to; an admin revokes by person, client or ID-JAG.",
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
} as const;
