import type { JwsAlgorithm } from "@credence/protocol/jws";
import type { KekSource } from "./kek.ts";

/** What a deployment says of its keys; what it does not say has the default of `keyring.ts`. Seconds. */
export interface KeySettings<Secret> {
  /** Where the key-encryption key is; the key file by default. */
  readonly kek?: KekSource<Secret>;
  /** What ID tokens and ID-JAGs are signed with, the default first. */
  readonly algorithms?: readonly JwsAlgorithm[];
  /** How long a key signs; `never`: until somebody rotates it. */
  readonly rotateEvery?: number | "never";
  /** How long a key still verifies after it has signed for the last time. */
  readonly overlap?: number;
  /** How long others may keep our JWKS. */
  readonly jwksAge?: number;
  /** A transit engine where the IdP's private keys are made and stay. */
  readonly signer?: { readonly url: string; readonly token: Secret };
}
