import type { Confirmation } from "./confirmation.ts";
import { encodeBase64url } from "./encoding.ts";
import { ok, type Result, refuse } from "./result.ts";

export { type Confirmation, parseConfirmation, sameConfirmation } from "./confirmation.ts";

/** Bytes that a certificate in DER may have at the most. */
export const MAX_CERTIFICATE_LENGTH = 16_384;

/**
 * What a token is bound to when its client shows a certificate. That the client holds the certificate's key, and that
 * somebody validated the chain, is the TLS listener's part.
 *
 * @param certificate - In DER, at most {@link MAX_CERTIFICATE_LENGTH} bytes.
 * @returns the SHA-256 thumbprint as `x5t#S256`, 43 characters of base64url; refused: `certificate-malformed`.
 * @see RFC 8705 §3.1
 */
export async function certificateConfirmation(certificate: Uint8Array): Promise<Result<Confirmation>> {
  // An ASN.1 SEQUENCE whose length takes one byte (the smallest ones) or two: every certificate begins so.
  if (certificate.byteLength < 64 || certificate.byteLength > MAX_CERTIFICATE_LENGTH) {
    return refuse("certificate-malformed", "length");
  }
  if (certificate[0] !== 0x30 || (certificate[1] !== 0x81 && certificate[1] !== 0x82))
    return refuse("certificate-malformed", "not DER");
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(certificate));
  return ok({ "x5t#S256": encodeBase64url(new Uint8Array(digest)) });
}

/**
 * Reads the certificate that a proxy which ends TLS puts in `Client-Cert`: a byte sequence of structured fields. Only
 * for a proxy that is trusted and removes what comes from outside.
 *
 * @param header - The header's value, `:BASE64:`.
 * @returns the certificate in DER; `undefined` when there is no header; refused: `certificate-malformed`.
 * @see RFC 9440 §2.2
 */
export function parseClientCertHeader(header: string | null | undefined): Result<Uint8Array | undefined> {
  if (header === null || header === undefined) return ok(undefined);
  // Two headers come joined by a comma, which base64 does not have.
  const encoded = /^ *:([A-Za-z0-9+/]{4,24000}={0,2}): *$/.exec(header)?.[1];
  if (encoded === undefined) return refuse("certificate-malformed", "Client-Cert");
  try {
    return ok(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
  } catch {
    return refuse("certificate-malformed", "Client-Cert");
  }
}
