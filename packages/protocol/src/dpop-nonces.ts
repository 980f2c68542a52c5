import { encodeBase64url } from "./encoding.ts";

/** Nonces that every process with the same secret makes and accepts: nothing is stored. */
export interface DpopNonces {
  /** The nonce to hand out: the value of `DPoP-Nonce`. @param now - Seconds since the epoch. */
  current(now: number): Promise<string>;
  /** Whether it is the nonce of this period or one of its neighbours. @param now - Seconds since the epoch. */
  accepts(nonce: string, now: number): Promise<boolean>;
}

/**
 * Makes nonces of a shared secret: an HMAC over the number of the period.
 *
 * @param secret - At least 32 bytes.
 * @param period - Seconds for which one nonce is handed out; it is accepted for one more. 60 by default.
 * @see RFC 9449 §8
 */
export function dpopNonces(secret: Uint8Array, period = 60): DpopNonces {
  const algorithm = { name: "HMAC", hash: "SHA-256" } as const;
  const key = crypto.subtle.importKey("raw", Uint8Array.from(secret), algorithm, false, ["sign"]);
  const nonceOf = async (number: number): Promise<string> => {
    const data = new TextEncoder().encode(`dpop nonce ${number}`);
    return encodeBase64url(new Uint8Array(await crypto.subtle.sign(algorithm, await key, data)));
  };
  return {
    current: (now) => nonceOf(Math.floor(now / period)),
    async accepts(nonce, now) {
      const number = Math.floor(now / period);
      // The next one too: processes' clocks differ a little.
      const good = await Promise.all([number - 1, number, number + 1].map(nonceOf));
      // A nonce is no secret: whoever asks is given one.
      return good.includes(nonce);
    },
  };
}
