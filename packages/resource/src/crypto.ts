import { encodeBase64url } from "@credence/protocol";
import {
  importSigner,
  type JwkSet,
  jwksKeys,
  type KeySource,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  type Signer,
} from "@credence/protocol/jws";

/** How keys are used and hashes made. */
export interface ResourceCrypto {
  /** Finds the keys of a set, each imported once. */
  readonly keysOf: (jwks: JwkSet) => KeySource;
  /** Makes a signer of a private key. @throws CredenceError `configuration` when the key does not fit its algorithm. */
  readonly signerOf: (jwk: PrivateJwk) => Signer | Promise<Signer>;
  /** SHA-256 of a text's UTF-8, in base64url without padding: 43 characters. */
  readonly sha256: (text: string) => string | Promise<string>;
}

/** By WebCrypto, which every runtime has. */
export const webCrypto: ResourceCrypto = {
  keysOf: (jwks) => jwksKeys(jwks),
  signerOf: importSigner,
  async sha256(text) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return encodeBase64url(new Uint8Array(digest));
  },
};

/**
 * Finds the keys of sets that come again and again with the registration of a client or an issuer: a set is read and its keys are
 * imported when it is seen first, and again when other keys stand in it.
 *
 * @returns for a set, as the app has it, the source of its keys; of what is no set, none.
 */
export function keysOfSets(keysOf: ResourceCrypto["keysOf"] = webCrypto.keysOf): (jwks: JwkSet) => KeySource {
  const known = new WeakMap<JwkSet, { readonly members: readonly PublicJwk[]; readonly keys: KeySource }>();
  return (jwks) => {
    const before = known.get(jwks);
    if (before !== undefined && sameMembers(before.members, jwks.keys)) return before.keys;
    const keys = keysOf(parseJwks(jwks) ?? { keys: [] });
    if (Array.isArray(jwks?.keys)) known.set(jwks, { members: [...jwks.keys], keys });
    return keys;
  };
}

function sameMembers(before: readonly PublicJwk[], now: readonly PublicJwk[]): boolean {
  return before.length === now.length && before.every((one, index) => one === now[index]);
}
