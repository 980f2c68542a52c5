import type { RequestListener } from "node:http";
import type { Provider } from "oidc-provider";
import type { SigningKeys } from "../keys/signing-keys.ts";
import { createProvider, type ProviderOptions } from "./provider.ts";

/** oidc-provider at one moment, and what answers its requests. */
export interface CurrentProvider {
  readonly provider: Provider;
  readonly handle: RequestListener;
}

/**
 * oidc-provider takes its keys when it is made, so there is a new one when they have changed. It keeps nothing in memory that
 * must outlive it: a request that the one before has begun is ended by that one, and a sign-in goes on with the next.
 */
export function currentProvider(options: ProviderOptions): () => CurrentProvider {
  let made: (CurrentProvider & { readonly keys: SigningKeys }) | undefined;
  return () => {
    const keys = options.signing();
    if (made?.keys !== keys) {
      const provider = createProvider(options, keys);
      made = { keys, provider, handle: provider.callback() };
    }
    return made;
  };
}
