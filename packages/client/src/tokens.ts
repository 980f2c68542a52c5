import { AgentError, type Where } from "./errors.ts";
import { appClient, exchange, type IdJag, type IdJagRequest, scopeTokens } from "./exchange.ts";
import { BoundedMap, SingleFlight } from "./flight.ts";
import type { Identity } from "./identity.ts";
import type { AgentContext } from "./options.ts";
import { type AccessToken, findRedeemer, redeem } from "./redeem.ts";
import { signInRequired } from "./sign-in.ts";

/** Access tokens for one person, kept while they are good. */
export interface TokenSource {
  /**
   * An access token that is good for a while yet.
   * @param refused - One that the resource did not take: anything but this.
   */
  token(request: IdJagRequest, refused?: string): Promise<AccessToken>;
  idJag(request: IdJagRequest): Promise<IdJag>;
  forget(): void;
}

/** Access tokens kept at the most; seconds for which one is kept that does not say how long it lives. */
const LIMITS = { tokens: 200, unstated: 300 };

interface Kept {
  readonly token: AccessToken;
  /** Seconds since the epoch. */
  readonly until: number;
}

/** Makes the token source of a session. */
export function createTokenSource(context: AgentContext, identity: Identity): TokenSource {
  const kept = new BoundedMap<Kept>(LIMITS.tokens);
  const flights = new SingleFlight<AccessToken>();

  async function obtain(request: IdJagRequest, key: string): Promise<AccessToken> {
    const server = await findRedeemer(context, request.audience);
    const token = await redeemOnceMore(
      () => exchangeRenewing(request),
      (idJag) => redeem(context, server, request, idJag),
    );
    // Signed out meanwhile: the answer belongs to nobody.
    identity.assertAlive();
    kept.set(key, { token, until: keepUntil(token) });
    return token;
  }

  /** The IdP decides anew for every access token, so that its no counts from then on. */
  async function exchangeRenewing(request: IdJagRequest): Promise<IdJag> {
    const before = identity.current().idToken;
    const idToken = await identity.idToken();
    try {
      return await exchange(context, request, idToken);
    } catch (cause) {
      const renewable = idToken === before && identity.renewable();
      if (!(cause instanceof AgentError && cause.leg === "exchange" && cause.retry === "renew-sign-in" && renewable)) {
        throw cause;
      }
      return exchange(context, request, await renewAfter(cause, idToken));
    }
  }

  async function renewAfter(refusal: AgentError, idToken: string): Promise<string> {
    try {
      return await identity.idToken(idToken);
    } catch (cause) {
      if (!(cause instanceof AgentError && cause.code === "sign_in_required")) throw cause;
      const where: Where = { leg: "sign-in", party: context.idp.issuer };
      throw signInRequired(where, "The IdP neither takes this sign-in nor renews it", refusal);
    }
  }

  function keepUntil({ expiresAt }: AccessToken): number {
    const now = context.now();
    if (expiresAt === undefined) return now + LIMITS.unstated;
    return expiresAt - Math.min(context.renewBefore, (expiresAt - now) / 5);
  }

  return {
    async token(request, refused) {
      identity.assertAlive();
      const key = JSON.stringify([request.audience, request.resource, [...scopeTokens(request.scope)].sort()]);
      const found = kept.get(key);
      if (found && found.until > context.now() && found.token.accessToken !== refused) return found.token;
      return flights.run(key, () => obtain(request, key));
    },
    async idJag(request) {
      await appClient(context, request.audience);
      const idJag = await exchangeRenewing(request);
      identity.assertAlive();
      return idJag;
    },
    forget: () => kept.clear(),
  };
}

/** An ID-JAG that the app does not take is worth one fresh one, and no more. */
async function redeemOnceMore<T, R>(get: () => Promise<T>, use: (grant: T) => Promise<R>): Promise<R> {
  try {
    return await use(await get());
  } catch (cause) {
    if (!(cause instanceof AgentError && cause.leg === "redemption" && cause.retry === "new-id-jag")) throw cause;
    return use(await get());
  }
}
