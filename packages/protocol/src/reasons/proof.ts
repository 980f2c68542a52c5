/** What can be wrong with a DPoP proof or a client certificate. */
export const PROOF_REASONS = {
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
    mend: "Sign with the private key whose public half stands in the header, ES256, ES384, RS256, PS256 or EdDSA.",
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
} as const;
