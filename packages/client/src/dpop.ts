import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { decodeJws } from "@credence/protocol/jws";
import type { AuthorizationServerMetadata } from "@credence/protocol/metadata";
import { BoundedMap } from "./flight.ts";

/** How the agent proves possession of a key. @see RFC 9449 */
export interface DpopOptions {
  /** The key; by default a new one for each agent, which no token outlives. */
  readonly key?: DpopKey;
  /** Whether nothing is done unbound: where the IdP or the app takes no proofs, `not_supported`. False by default. */
  readonly required?: boolean;
}

/** Servers keep nonces of their token endpoint and of their resources apart. @see RFC 9449 §9 */
type Place = "token" | "resource";

/** Proves the agent's key, and remembers the nonces that servers give. */
export interface Prover {
  readonly required: boolean;
  /** Thumbprint of the key: what tokens must be bound to. */
  jkt(): Promise<string>;
  /** The header of one request: a proof is never sent twice. */
  headers(at: Place, method: string, url: string, accessToken?: string): Promise<{ readonly dpop: string }>;
  /**
   * Keeps the nonce of an answer.
   * @param proof - What the request carried.
   * @returns whether the answer has another nonce than the proof: then asking again is worth it.
   */
  note(at: Place, url: string, headers: Headers, proof?: string): boolean;
}

/** Servers whose nonces are remembered. */
const MAX_NONCES = 200;
/** Characters of a nonce. */
const MAX_NONCE = 512;

/** Makes the prover of an agent. */
export function createProver({ key, required = false }: DpopOptions, now: () => number): Prover {
  let own: Promise<DpopKey> | undefined;
  const theKey = (): Promise<DpopKey> => {
    own ??= key === undefined ? generateDpopKey() : Promise.resolve(key);
    return own;
  };
  const nonces = new BoundedMap<string>(MAX_NONCES);
  const placeOf = (at: Place, url: string): string => `${at} ${new URL(url).origin}`;
  return {
    required,
    jkt: async () => (await theKey()).jkt,
    async headers(at, method, url, accessToken) {
      const nonce = nonces.get(placeOf(at, url));
      return { dpop: await createDpopProof(await theKey(), { method, url, nonce, accessToken, now: now() }) };
    },
    note(at, url, headers, proof = "") {
      const nonce = headers.get("dpop-nonce");
      if (!nonce || nonce.length > MAX_NONCE) return false;
      nonces.set(placeOf(at, url), nonce);
      // Compared with what was sent, not with what is kept: another request may have brought it meanwhile.
      return decodeJws(proof)?.payload.nonce !== nonce;
    },
  };
}

/** Whether a server says that it takes DPoP proofs. @see RFC 9449 §5.1 */
export function takesProofs({ dpop_signing_alg_values_supported: algorithms }: AuthorizationServerMetadata): boolean {
  return algorithms !== undefined && algorithms.length > 0;
}
