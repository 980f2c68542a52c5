import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { ok, type Result } from "@credence/protocol";
import { parseClientCertHeader } from "@credence/protocol/mtls";
import { isFromTrusted } from "../sign-in/source.ts";

/** Where a proxy that ends TLS puts the client's certificate. @see RFC 9440 §2.2 */
const HEADER = "client-cert";

/**
 * Keeps the certificate header of a trusted proxy, and removes it from everybody else: what a client writes there itself
 * proves nothing.
 *
 * @param enabled - Whether proxies hand certificates on here at all.
 * @param trusted - Addresses and networks of the proxies in front.
 * @returns a function to be called once for each request, before anybody reads it.
 * @see RFC 9440 §4
 */
export function vouchForCertificate(enabled: boolean, trusted: readonly string[]): (req: IncomingMessage) => void {
  const isProxy = isFromTrusted(trusted);
  return (req) => {
    if (enabled && isProxy(req)) return;
    delete req.headers[HEADER];
    delete req.headersDistinct[HEADER];
  };
}

/**
 * The certificate of the client: as the TLS socket has validated it, or as the trusted proxy has.
 *
 * @returns the certificate in DER; `undefined` when there is none; refused: `certificate-malformed`.
 * @see RFC 8705 §3
 */
export function certificateOf(req: IncomingMessage): Result<Uint8Array | undefined> {
  if (req.socket instanceof TLSSocket && req.socket.authorized) {
    const { raw } = req.socket.getPeerCertificate();
    if (raw !== undefined) return ok(Uint8Array.from(raw));
  }
  return parseClientCertHeader(req.headersDistinct[HEADER]?.join(","));
}
