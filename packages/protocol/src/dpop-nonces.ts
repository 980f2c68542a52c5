import { encodeBase64url } from "./encoding.ts";
import { CredenceError } from "./errors.ts";

/** Bytes of the secret at the least: as many as the hash has. @see RFC 2104 §3 */
const MIN_SECRET = 32;

/** Nonces that every process with the same secret makes and accepts: nothing is stored. */
export interface DpopNonces {
  /** The nonce to hand out: the value of `DPoP-Nonce`. @param now - Seconds since the epoch. */
  current(now: number): Promise<string>;
  /** Whether it is the nonce of this period or one of its neighbours. @param now - Seconds since the epoch. */
  accepts(nonce: string, now: number): Promise<boolean>;
  /** Seconds for which one nonce is accepted at the most, by all processes together; 300 where it is left out. */
  readonly lifetime?: number;
}

/**
 * Makes nonces of a shared secret: an HMAC over the number of the period.
 *
 * @param secret - At least 32 bytes.
 * @param period - Seconds for which one nonce is handed out; it is accepted for one more. 60 by default.
 * @throws CredenceError `configuration` for a shorter secret, or one that is no bytes.
 * @see RFC 9449 §8
 */
export function dpopNonces(secret: Uint8Array, period = 60): DpopNonces {
  // A text, as JavaScript may give it, would be read as zeros.
  if (!(secret instanceof Uint8Array) || secret.length < MIN_SECRET)
    throw new CredenceError(`The secret of DPoP nonces is not a Uint8Array of at least ${MIN_SECRET} bytes`, {
      code: "configuration",
    });
  const algorithm = { name: "HMAC", hash: "SHA-256" } as const;
  const key = crypto.subtle.importKey("raw", Uint8Array.from(secret), algorithm, false, ["sign"]);
  const nonceOf = async (number: number): Promise<string> => {
    const data = new TextEncoder().encode(`dpop nonce ${number}`);
    return encodeBase64url(new Uint8Array(await crypto.subtle.sign(algorithm, await key, data)));
  };
  return {
    lifetime: 3 * period,
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
