import { CLIENT_ASSERTION_LIMITS, clientAssertionMark, isClientAssertionTyp } from "@credence/protocol/client-auth";
import { type MarkProof, verifyDpopProof } from "@credence/protocol/dpop";
import { decodeJws, singleAudience } from "@credence/protocol/jws";
import { errors, type KoaContextWithOIDC, Provider, type UnknownObject } from "oidc-provider";
import { isLoopbackIp } from "./clients.ts";

/** Where our rules are narrower than oidc-provider's configuration can say. */
export interface Overrides {
  /** Marks a client assertion as used: one atomic statement. `expiresAt` in seconds since the epoch. */
  readonly markAssertionUsed: (key: string, expiresAt: number) => Promise<"first" | "again">;
  /** Marks a DPoP proof as used, for exchange and sign-in alike. */
  readonly markProofUsed: MarkProof;
  /** URL of the token endpoint, as clients know it. */
  readonly tokenEndpoint: string;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Whether a secret is one of a client's, which may have two. */
  readonly isSecretOf: (clientId: string, secret: string) => Promise<boolean>;
  /** Ends a session for good, wherever it is kept. */
  readonly endSession: (uid: string) => Promise<void>;
}

/** Puts the narrower rules onto one provider's own models (they are made anew for each provider). */
export function override(provider: Provider, overrides: Overrides): void {
  const { markAssertionUsed, isSecretOf, endSession } = overrides;
  // An exchange asks whether the session of the ID token's `sid` lives, so every ID token has one.
  replace(provider.Client.prototype, "includeSid", () => true);
  // One statement in place of find and save, and the same marks as the exchange's own client authentication.
  replace(
    provider.ReplayDetection,
    "unique",
    async (iss: string, jti: string, exp: number) =>
      (await markAssertionUsed(...clientAssertionMark(iss, jti, exp))) === "first" && (await useProof(jti, overrides)),
  );
  // oidc-provider's clients have one secret; while it is replaced, ours have two. The caller awaits the answer.
  replace(
    provider.Client.prototype,
    "compareClientSecret",
    function (this: InstanceType<typeof provider.Client>, secret: string) {
      return isSecretOf(this.clientId, secret);
    },
  );
  narrowLoopback(provider);
  endSessionsForGood(provider, endSession);
  keepSessionWhileItsIdChanges(provider);
}

/**
 * oidc-provider has one kind of mark, for assertions and proofs, by client and `jti`. A proof at the token endpoint has the
 * exchange's mark, too: one endpoint, one use. What oidc-provider passes and the exchange would not (a proof of minutes ago)
 * is refused here as well.
 *
 * @returns whether this is not a proof that was used before.
 * @see RFC 9449 §11.1
 */
async function useProof(
  jti: string,
  { markProofUsed, tokenEndpoint: url, now }: Pick<Overrides, "markProofUsed" | "tokenEndpoint" | "now">,
): Promise<boolean> {
  const { ctx } = Provider;
  const header = ctx?.oidc.route === "token" ? ctx.get("dpop") : "";
  const payload = header === "" ? undefined : decodeJws(header)?.payload;
  if (payload?.jti !== jti) return true;
  // A nonce that is there has been looked at already, and says when the proof was made.
  const nonces = payload.nonce === undefined ? undefined : { accepts: async () => true };
  const proof = await verifyDpopProof(header, { method: "POST", url, now: now(), nonces });
  if (!proof.ok) throw new errors.InvalidDpopProof(proof.refusal.detail ?? proof.refusal.reason);
  return (await markProofUsed(...proof.value.mark)) === "first";
}

/** Any port is good on a loopback address, not on whatever `localhost` resolves to. @see RFC 8252 §7.3, §8.3 */
function narrowLoopback(provider: Provider): void {
  const { prototype } = provider.Client;
  const allowed = prototype.redirectUriAllowed;
  replace(prototype, "redirectUriAllowed", function (this: InstanceType<typeof provider.Client>, uri: string) {
    const url = URL.parse(uri);
    return this.redirectUris?.includes(uri) === true || (url !== null && isLoopbackIp(url) && allowed.call(this, uri));
  });
}

function endSessionsForGood(provider: Provider, endSession: (uid: string) => Promise<void>): void {
  const { prototype } = provider.Session;
  const { destroy } = prototype;
  replace(prototype, "destroy", async function (this: InstanceType<typeof provider.Session>) {
    await endSession(this.uid);
    await destroy.call(this);
  });
}

/** A session gets a new id at each sign-in. The new row comes first, so that it is never seen as over in between. */
function keepSessionWhileItsIdChanges(provider: Provider): void {
  const { prototype } = provider.Session;
  const { save } = prototype;
  replace(prototype, "save", async function (this: InstanceType<typeof provider.Session>, ttl: number) {
    const before: unknown = Reflect.get(this, "oldId");
    Reflect.set(this, "oldId", undefined);
    const saved = await save.call(this, ttl);
    if (typeof before === "string" && before !== this.jti) await provider.Session.adapter.destroy(before);
    return saved;
  });
}

/** Puts a function of ours in the place of oidc-provider's. @throws TypeError when it has none of that name. */
export function replace(target: object, name: string, value: (...args: never[]) => unknown): void {
  if (!(name in target))
    throw new TypeError(`oidc-provider has no ${name} any more: this version is not the one we know`);
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
}

/**
 * The rules for client assertions that are ours: nothing else by `typ`, for our issuer alone, and short-lived.
 * @see RFC 7523 §3
 */
export function checkAssertionClaims(ctx: KoaContextWithOIDC, claims: UnknownObject, header: UnknownObject): void {
  const { aud, exp, iat } = claims;
  const typ = header.typ === undefined ? {} : { typ: String(header.typ) };
  if (!isClientAssertionTyp({ alg: String(header.alg), ...typ }))
    throw new errors.InvalidClientAuth("typ says that it is no client assertion");
  const audience = singleAudience(aud);
  // oidc-provider takes its endpoints' URLs, too, and ours in a list with others'.
  if (audience !== ctx.oidc.issuer) throw new errors.InvalidClientAuth("audience must be the issuer alone");
  const now = Math.floor(Date.now() / 1000);
  const { skew } = CLIENT_ASSERTION_LIMITS;
  if (typeof iat === "number" && iat > now + skew) {
    throw new errors.InvalidClientAuth("the assertion is from the future: the client's clock is ahead");
  }
  const start = typeof iat === "number" ? Math.min(iat, now) : now;
  if (typeof exp !== "number" || exp > start + CLIENT_ASSERTION_LIMITS.maxLifetime) {
    throw new errors.InvalidClientAuth("the assertion lives too long");
  }
}
