import { CredenceError } from "@credence/protocol";
import {
  isJwsAlgorithm,
  type JwsAlgorithm,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  thumbprint,
} from "@credence/protocol/jws";
import type { KeyState, StoredKey } from "../store/store.ts";
import { type KeyUse, verifies } from "./life.ts";
import type { SealedPlace, Sealer } from "./seal.ts";

/** What signs: a private key, here, or the name of one that is kept elsewhere. */
export type PrivateHalf = { readonly privateJwk: PrivateJwk } | { readonly external: string };

/** A key as it comes out of its seal. Of one that is gone, the private half is, too. */
export interface OpenKey {
  /** The key's thumbprint (RFC 7638). */
  readonly kid: string;
  readonly use: KeyUse;
  readonly alg: JwsAlgorithm;
  readonly state: KeyState;
  readonly publicJwk: PublicJwk;
  readonly privateHalf?: PrivateHalf;
}

/** What is under the seal: the public half always, so that nobody can put another key in its place. */
interface Sealed {
  readonly publicJwk: PublicJwk;
  readonly privateJwk?: PrivateJwk;
  readonly external?: string;
  /** Sealed when the key went: it does not come back by a changed state alone. */
  readonly gone?: true;
}

/** Makes a key fit for the store: the seal covers kid, use and algorithm. */
export function sealKey(
  { kid, use, alg, publicJwk, privateHalf }: Omit<OpenKey, "state">,
  sealer: Sealer,
): Pick<StoredKey, "kid" | "use" | "alg" | "publicJwk" | "sealed"> {
  const sealed: Sealed = { publicJwk, ...privateHalf };
  const place = placeOf({ kid, use, alg });
  return { kid, use, alg, publicJwk: JSON.stringify(publicJwk), sealed: sealer.seal(JSON.stringify(sealed), place) };
}

/** The same key without its private half. */
export function destroyPrivateHalf(stored: StoredKey, sealer: Sealer): StoredKey {
  const { publicJwk } = unseal(stored, sealer);
  return {
    ...stored,
    sealed: sealer.seal(JSON.stringify({ publicJwk, gone: true } satisfies Sealed), placeOf(stored)),
  };
}

/**
 * Opens a key. The public half is taken from the seal; what stands in clear beside it must be the same key.
 * @throws CredenceError `configuration`, reason `key-altered`, when it was changed in the store.
 */
export async function openKey(stored: StoredKey, sealer: Sealer): Promise<OpenKey> {
  const { kid, use, alg, state } = stored;
  const { publicJwk, privateJwk, external, gone } = unseal(stored, sealer);
  const [ofSeal, inClear] = [await thumbprintOf(publicJwk), await thumbprintOf(parseJson(stored.publicJwk))];
  if (ofSeal !== kid || inClear !== kid || publicJwk.alg !== alg || !isJwsAlgorithm(alg) || !isUse(use)) {
    throw altered(kid);
  }
  if (gone && verifies(state)) throw altered(kid);
  const privateHalf = privateJwk ? { privateJwk } : external === undefined ? undefined : { external };
  return { kid, use, alg, state, publicJwk, ...(privateHalf === undefined ? {} : { privateHalf }) };
}

/** Whether a key is one that was sealed here, and its public half still the same. */
export async function isOwnKey(stored: StoredKey, sealer: Sealer): Promise<boolean> {
  try {
    await openKey(stored, sealer);
    return true;
  } catch {
    return false;
  }
}

/** What a key is called where its private half is kept, if that is not here. */
export function externalName(keys: readonly OpenKey[], kid: string): string | undefined {
  const half = keys.find((key) => key.kid === kid)?.privateHalf;
  return half && "external" in half ? half.external : undefined;
}

function unseal(stored: StoredKey, sealer: Sealer): Sealed {
  try {
    // What opens was sealed here: JSON of our own making. Earlier versions sealed the private JWK alone.
    const found = JSON.parse(sealer.open(stored.sealed, placeOf(stored))) as Sealed | PrivateJwk;
    return "publicJwk" in found ? (found as Sealed) : { privateJwk: found, publicJwk: publicHalf(found) };
  } catch (cause) {
    throw altered(stored.kid, cause);
  }
}

/** The public half of a private key, as it is published. */
export function publicHalf(jwk: PrivateJwk): PublicJwk {
  const [publicJwk] = parseJwks({ keys: [jwk] })?.keys ?? [];
  if (publicJwk === undefined) throw new CredenceError("A signing key is no JWK.", { code: "configuration" });
  return publicJwk;
}

function isUse(use: string): use is KeyUse {
  return use === "idp" || use === "audit";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function thumbprintOf(jwk: unknown): Promise<string | undefined> {
  try {
    return await thumbprint(jwk as PublicJwk);
  } catch {
    // Not a key: it has no thumbprint, and so matches none.
    return undefined;
  }
}

function altered(kid: string, cause?: unknown): CredenceError {
  return new CredenceError(`The signing key ${kid} was changed in the store.`, {
    code: "configuration",
    reason: "key-altered",
    cause,
  });
}

function placeOf({ kid, use, alg }: { kid: string; use: string; alg: string }): SealedPlace {
  return { table: "keys", record: JSON.stringify([kid, use, alg]), field: "private_jwk" };
}
