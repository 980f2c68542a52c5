import { TLSSocket } from "node:tls";
import type { NodeIncoming } from "./request.ts";

/**
 * The certificate that a client has shown to this process, where TLS ends here: `https.createServer` with `requestCert`
 * and the `ca` that vouches for clients.
 *
 * @returns DER; `undefined` where none was shown, or none that the listener's `ca` vouches for.
 * @see RFC 8705 §3
 */
export function socketCertificate({ socket }: Pick<NodeIncoming, "socket">): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { raw } = socket.getPeerCertificate();
  return raw === undefined ? undefined : Uint8Array.from(raw);
}
