import { errors, type KoaContextWithOIDC, Provider } from "oidc-provider";
import { replace } from "./overrides.ts";
import { sourceOf } from "./source.ts";

/**
 * Told that the client of a request has proven who it is, once for each request.
 *
 * @param source - The address that the request came from.
 * @returns whole seconds that the client has to wait, or 0.
 */
export type ClientProven = (source: string, clientId: string) => number;

const COUNTED: ReadonlySet<string> = new Set(["token", "revocation"]);

/**
 * Counts the calls of clients at oidc-provider's own endpoints. It looks a code or token up once it has authenticated the client,
 * and before it verifies or writes anything: that is where a client that sends too much is stopped.
 *
 * @see RFC 6585 §4
 */
export function limitClients(provider: Provider, proven: ClientProven): void {
  const counted = new WeakSet<object>();
  for (const model of [provider.AuthorizationCode, provider.RefreshToken, provider.AccessToken]) {
    const { find } = model;
    replace(model, "find", async (...args: Parameters<typeof find>) => {
      const { ctx } = Provider;
      if (ctx !== undefined && COUNTED.has(ctx.oidc.route) && !counted.has(ctx)) {
        counted.add(ctx);
        count(ctx, proven);
      }
      return Reflect.apply(find, model, args);
    });
  }
}

/** Who proves nothing, a public client, is counted by its address alone: anybody could use up what it may. */
function count(ctx: KoaContextWithOIDC, proven: ClientProven): void {
  const { client } = ctx.oidc;
  if (client === undefined || client.clientAuthMethod === "none") return;
  const wait = proven(sourceOf(ctx.req), client.clientId);
  if (wait === 0) return;
  ctx.set("retry-after", String(wait));
  const error = new errors.CustomOIDCProviderError("slow_down", "Too many requests.", {
    detail: "requests of this client",
  });
  throw Object.assign(error, { status: 429, statusCode: 429 });
}
