import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { ok, type Result } from "@credence/protocol";
import { parseClientCertHeader } from "@credence/protocol/mtls";
import { isFromTrusted } from "../sign-in/source.ts";

/** Where a proxy that ends TLS puts the client's certificate. @see RFC 9440 §2.2 */
const HEADER = "client-cert";

/** How the certificates of clients are found. */
export interface ClientCertificates {
  /** To be called once for each request, before anybody reads it: removes what nobody vouches for. */
  vouch(req: IncomingMessage): void;
  /**
   * The certificate of the client: as the TLS socket has validated it, or as the trusted proxy has.
   * @returns the certificate in DER; `undefined` when there is none that was validated; refused: `certificate-malformed`.
   */
  of(req: IncomingMessage): Result<Uint8Array | undefined>;
}

/**
 * Finds the certificates of clients. What a client writes into the proxy's header itself proves nothing; and a proxy's own
 * certificate says nothing of the client behind it.
 *
 * @param enabled - Whether proxies hand certificates on here at all.
 * @param trusted - Addresses and networks of the proxies in front.
 * @see RFC 8705 §3, RFC 9440 §4
 */
export function clientCertificates(enabled: boolean, trusted: readonly string[]): ClientCertificates {
  const isProxy = isFromTrusted(trusted);
  return {
    vouch(req) {
      if (!(HEADER in req.headers)) return;
      if (enabled && isProxy(req)) return;
      delete req.headers[HEADER];
      delete req.headersDistinct[HEADER];
    },
    of(req) {
      if (isProxy(req)) return parseClientCertHeader(req.headersDistinct[HEADER]?.join(","));
      const { socket } = req;
      // `authorized`: the chain ends at a CA of ours, in time, and the certificate is one for clients.
      const shown = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
      return ok(shown && Uint8Array.from(shown.raw));
    },
  };
}
