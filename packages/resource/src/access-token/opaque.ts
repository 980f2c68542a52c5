import { asObject, encodeBase64url } from "@credence/protocol";
import { type StoreKeyOf, webStoreKeyOf } from "../replay.ts";
import type { ResourceStore } from "../store.ts";
import { type AccessTokenClaims, parseAccessTokenClaims } from "./claims.ts";

/** Makes and reads access tokens that only the store knows the claims of. */
export interface OpaqueTokens {
  /** @returns 43 characters of base64url: 256 random bits. */
  issue(claims: AccessTokenClaims): Promise<string>;
  check(token: string): Promise<AccessTokenClaims | undefined>;
  end(token: string): Promise<void>;
}

/** The store keeps a token by its hash: a copy of the store holds no token. @see RFC 6819 §5.1.4.1.3 */
export function opaqueTokens(
  store: Pick<ResourceStore, "put" | "get" | "delete">,
  storeKeyOf: StoreKeyOf = webStoreKeyOf,
): OpaqueTokens {
  const keyOf = (token: string): string | Promise<string> => storeKeyOf("token", token);
  return {
    async issue(claims) {
      const token = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
      await store.put(await keyOf(token), JSON.stringify(claims), claims.exp);
      return token;
    },
    async check(token) {
      const value = token.length <= 64 ? await store.get(await keyOf(token)) : undefined;
      const claims = value === undefined ? undefined : parseAccessTokenClaims(asObject(JSON.parse(value)) ?? {});
      return typeof claims === "string" ? undefined : claims;
    },
    end: async (token) => store.delete(await keyOf(token)),
  };
}
