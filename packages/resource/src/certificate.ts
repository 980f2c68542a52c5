import { parseClientCertHeader } from "@credence/protocol/mtls";

/** Where the client's certificate is to be had, if it does not come by the TLS socket. */
export interface CertificateOptions {
  /**
   * Takes the client's certificate from the `Client-Cert` header of a proxy that ends TLS, and from nowhere else. Only behind
   * a proxy that removes that header from what comes from outside, on an address that nobody else reaches; `false` by default.
   * @see RFC 9440 §4
   */
  readonly clientCertHeader?: boolean;
}

/**
 * The certificate that a proxy hands on.
 *
 * @returns DER; `undefined` where there is none; no bytes at all for a header that can not be read: what is bound to a
 * certificate is refused by it then, as malformed.
 * @see RFC 9440 §2.2
 */
export function certificateOfProxy(header: string | null): Uint8Array | undefined {
  const parsed = parseClientCertHeader(header);
  return parsed.ok ? parsed.value : new Uint8Array();
}
