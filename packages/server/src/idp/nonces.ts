import { hkdfSync } from "node:crypto";
import type { DpopNonces } from "@credence/protocol/dpop";

/** Seconds for which one nonce is handed out. */
const PERIOD = 60;

/**
 * The nonces of the exchange: those that oidc-provider makes of the same secret for the other grants. A client keeps one nonce for
 * a server, so one that sign-in gave must count here, and the other way round. A test holds the two together.
 *
 * @param secret - 32 bytes.
 * @see RFC 9449 §8, §8.2
 */
export function endpointNonces(secret: Uint8Array): DpopNonces {
  const nonceOf = (period: number): string => {
    const salt = Buffer.alloc(8);
    salt.writeBigUInt64BE(BigInt(period));
    return Buffer.from(hkdfSync("sha256", secret, salt, "DPoP", 32)).toString("base64url");
  };
  const periodOf = (now: number): number => Math.floor(now / PERIOD);
  return {
    current: async (now) => nonceOf(periodOf(now) + 1),
    async accepts(nonce, now) {
      const period = periodOf(now);
      // A nonce is no secret: whoever asks is given one.
      return [-2, -1, 0, 1, 2].some((offset) => nonceOf(period + offset) === nonce);
    },
  };
}
