import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { createAppTokens } from "./code-flow.ts";
import { AgentError, type Where } from "./errors.ts";
import {
  appClient,
  bindsAt,
  bindsTo,
  type ExchangeSubject,
  exchange,
  type IdJag,
  type IdJagRequest,
  scopeTokens,
} from "./exchange.ts";
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
  idJag(request: IdJagRequest & { readonly bind?: boolean | undefined }): Promise<IdJag>;
  forget(): void;
}

/** What "not supported here" is, as the party itself says or as nobody was asked yet: a denial is none of these. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  "id-jag-not-redeemed",
  "id-jag-not-issued",
  "dpop-not-supported",
  "app-unknown",
]);

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
  const appTokens = context.codeFlow && createAppTokens(context, context.codeFlow);

  async function obtain(request: IdJagRequest, key: string): Promise<AccessToken> {
    const token = await obtainByIdJag(request).catch((cause: unknown) => otherwise(cause, request));
    // Signed out meanwhile: the answer belongs to nobody.
    identity.assertAlive();
    kept.set(key, { token, until: keepUntil(token) });
    return token;
  }

  async function obtainByIdJag(request: IdJagRequest): Promise<AccessToken> {
    const server = await findRedeemer(context, request.audience);
    const bind = await bindsTo(context, server);
    return redeemOnceMore(
      () => exchangeRenewing(request, bind),
      (idJag) => redeem(context, server, request, idJag, bind),
    );
  }

  /** The app's own way, where ID-JAGs are not supported; never past a decision of the organization. */
  async function otherwise(cause: unknown, request: IdJagRequest): Promise<AccessToken> {
    if (cause instanceof AgentError && UNSUPPORTED.has(cause.reason ?? "")) {
      const token = appTokens ? await appTokens.token(request) : await context.fallback?.(cause, request);
      if (token !== undefined) return token;
    }
    throw cause;
  }

  /** The IdP decides anew for every access token, so that its no counts from then on. */
  async function exchangeRenewing(request: IdJagRequest, bind: boolean): Promise<IdJag> {
    const before = identity.current();
    const byRefreshToken = context.subject === "refresh_token" && before.refreshToken !== undefined;
    const idToken = byRefreshToken ? before.idToken : await identity.idToken();
    const subject = (): ExchangeSubject => {
      const { refreshToken } = identity.current();
      return byRefreshToken && refreshToken !== undefined
        ? { token: refreshToken, type: TOKEN_TYPES.refreshToken, bind }
        : { token: identity.current().idToken, bind };
    };
    try {
      return await exchange(context, request, subject());
    } catch (cause) {
      const renewable = idToken === before.idToken && identity.renewable();
      if (!(cause instanceof AgentError && cause.leg === "exchange" && cause.retry === "renew-sign-in" && renewable)) {
        throw cause;
      }
      // A refresh token may have been replaced by another process: the renewal finds the new one.
      await renewAfter(cause, idToken);
      return exchange(context, request, subject());
    }
  }

  async function renewAfter(refusal: AgentError, idToken: string): Promise<void> {
    try {
      await identity.idToken(idToken);
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
      const { audience, resource, authorizationDetails: details = null } = request;
      const key = JSON.stringify([audience, resource, [...scopeTokens(request.scope)].sort(), details]);
      const found = kept.get(key);
      if (found && found.until > context.now() && found.token.accessToken !== refused) return found.token;
      return flights.run(key, () => obtain(request, key));
    },
    async idJag(request) {
      await appClient(context, request.audience);
      // Whoever redeems it themselves says whether they prove the key there.
      const asked = request.bind ?? context.prover?.required ?? false;
      const bind = asked && bindsAt(context, [await context.discovery.identityProvider(context.idp.issuer)]);
      const idJag = await exchangeRenewing(request, bind);
      identity.assertAlive();
      return idJag;
    },
    forget() {
      kept.clear();
      appTokens?.forget();
    },
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
