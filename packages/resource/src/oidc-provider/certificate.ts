import { ok, type Result, refuse } from "@credence/protocol";

/** A certificate as oidc-provider takes it: in PEM, or one of node:crypto's. */
export type ProviderCertificate = string | { readonly raw: Uint8Array };

/**
 * Reads a certificate.
 *
 * @returns it in DER; `undefined` where there is none; refused: `certificate-malformed`.
 */
export function readCertificate(certificate: ProviderCertificate | undefined): Result<Uint8Array | undefined> {
  if (certificate === undefined) return ok(undefined);
  if (typeof certificate !== "string") return ok(Uint8Array.from(certificate.raw));
  const base64 = certificate.replaceAll(/-----(?:BEGIN|END) CERTIFICATE-----|\s/g, "");
  try {
    return ok(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  } catch {
    return refuse("certificate-malformed", "PEM");
  }
}
