/** What can be wrong with a request before anybody looks at who sends it. */
export const REQUEST_REASONS = {
  "method-wrong": {
    error: "invalid_request",
    section: "RFC 6749 §3.2",
    means: "The endpoint was called with another method than POST.",
    mend: "Send a POST with a form body.",
  },
  "requests-too-many": {
    error: "slow_down",
    section: "RFC 6585 §4",
    means:
      "Too many requests came from this address: sign-ins that were begun, forms, or calls of clients that did not prove who they are.",
    mend: "Wait as Retry-After says. If honest users share the address, name the proxy in trusted_proxies or raise the limit.",
  },
  "client-requests-too-many": {
    error: "slow_down",
    section: "RFC 6585 §4",
    means: "The client has proven who it is, and sends more requests than it may.",
    mend: "Wait as Retry-After says. Keep what is still good instead of asking anew, or raise the limit for clients.",
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
} as const;
