/**
 * For an IdP that runs oidc-provider: the token exchange as one grant more. oidc-provider authenticates the client, and keeps
 * sessions, refresh tokens and keys; policy and record are yours.
 */
import { CredenceError, formOf, isObject, ok, type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import type { Confirmation } from "@credence/protocol/dpop";
import { ID_JAG_TOKEN_TYPE } from "@credence/protocol/id-jag";
import { importSigner, JWS_ALGORITHMS, type PrivateJwk, type Signer, signJwt } from "@credence/protocol/jws";
import {
  type ProviderCertificate,
  readCertificate,
  refusalError,
  refusedBefore,
  writeRefusal,
} from "@credence/protocol/oidc-provider";
import { errorOf } from "@credence/protocol/reasons";
import { TOKEN_EXCHANGE_GRANT, type TokenExchangeAnswer } from "@credence/protocol/token-exchange";
import type { Client, errors, FindAccount, KoaContextWithOIDC, Provider } from "oidc-provider";
import { checkFunctions } from "./configuration.ts";
import { exchange, type Issuer, reasonOf } from "./exchange/exchange.ts";
import type { ProofOptions } from "./exchange/proof.ts";
import { includeSid, pointToSession } from "./oidc-provider/sessions.ts";
import { type SignedInAccount, verifyProviderSubject } from "./oidc-provider/subject.ts";
import type { ExchangeEvent, IssuerPorts, SubjectRequest } from "./ports.ts";

export type { ProviderCertificate } from "@credence/protocol/oidc-provider";
export { type SignedInAccount, type SubjectPorts, verifyProviderSubject } from "./oidc-provider/subject.ts";

/** How the grant is set up. */
export interface TokenExchangeGrantOptions<Subject = SignedInAccount>
  extends Pick<IssuerPorts<Client, Subject>, "decide" | "record" | "verifyActor"> {
  /** The function of the provider's configuration: an account that it does not find any more exchanges nothing. */
  readonly findAccount: FindAccount;
  /** Signs ID-JAGs: one of the private keys in the provider's `jwks`, or a signer over one that is kept elsewhere. */
  readonly signingKey: PrivateJwk | Signer;
  /**
   * Takes DPoP proofs, whether or not the provider's own feature is on; without it a request that carries one is refused.
   * `url` is the provider's token endpoint below its issuer, unless you say otherwise.
   */
  readonly dpop?: Omit<ProofOptions, "url"> & Partial<Pick<ProofOptions, "url">>;
  /** The client's certificate, as `features.mTLS.getCertificate` of the provider's configuration gives it. */
  readonly getCertificate?: (ctx: KoaContextWithOIDC) => ProviderCertificate | undefined;
  /** Told of every failure of a port, with the decision id: for the operator's log. */
  readonly onFault?: (error: unknown, id: string) => void;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** Makes decision ids: unique, at least 128 bits of randomness; 22 characters of base64url by default. */
  readonly newId?: () => string;
}

/** Options with another check of subject tokens than oidc-provider's own ID tokens and refresh tokens. */
export interface OwnSubjectOptions<Subject> extends TokenExchangeGrantOptions<Subject> {
  /** Verifies a subject token; {@link verifyProviderSubject} is what stands here by default. */
  readonly verifySubject: (request: SubjectRequest<Client>, ctx: KoaContextWithOIDC) => Promise<Result<Subject>>;
}

/**
 * Adds the token exchange for ID-JAGs to an oidc-provider: before its `callback()` or `listen()`, as all of its middleware.
 *
 * Clients that list the grant in their `grant_types` may use it; their ID tokens carry a `sid` from then on, and an ID token
 * counts while that session lives. The metadata says what is there.
 *
 * @throws CredenceError `configuration` when an option is wrong.
 * @see ID-JAG draft §4.3
 */
export function registerTokenExchange(provider: Provider, options: TokenExchangeGrantOptions): void;
export function registerTokenExchange<Subject>(provider: Provider, options: OwnSubjectOptions<Subject>): void;
export function registerTokenExchange<Subject>(
  provider: Provider,
  options: TokenExchangeGrantOptions | OwnSubjectOptions<Subject>,
): void {
  if ("verifySubject" in options) register(provider, options);
  else {
    checkFunctions(options, ["findAccount"]);
    const ports = { provider, findAccount: options.findAccount };
    const verifySubject: OwnSubjectOptions<SignedInAccount>["verifySubject"] = (request, ctx) =>
      verifyProviderSubject(request, ctx, ports);
    register(provider, { ...options, verifySubject });
  }
}

function register<Subject>(provider: Provider, options: OwnSubjectOptions<Subject>): void {
  checkFunctions(options, ["decide", "record", "verifySubject"]);
  if (options.dpop !== undefined) checkFunctions(options.dpop, ["markUsed"], "dpop.");
  const { now: clock = () => Date.now() / 1_000, newId = randomId } = options;
  const now = (): number => Math.floor(clock());
  const sign = signerOf(options.signingKey, provider);
  includeSid(provider, (client) => client.grantTypeAllowed(TOKEN_EXCHANGE_GRANT));

  // No parameter is oidc-provider's to check: each is read and refused as in every other IdP that is made with this library.
  provider.registerGrantType(TOKEN_EXCHANGE_GRANT, async (ctx) => {
    const id = newId();
    const time = now();
    const outcome = await answer(ctx, id, time, issuerFor(ctx, provider, options, sign), options).catch((error) => {
      options.onFault?.(error, id);
      return refuse("internal-fault");
    });
    const nonces = ctx.get("dpop") === "" ? undefined : options.dpop?.nonces;
    if (nonces !== undefined) ctx.set("dpop-nonce", await nonces.current(time));
    if (!outcome.ok) throw refusalError(ctx, outcome.refusal, id);
    ctx.body = outcome.value;
  });

  const refused = new WeakMap<object, errors.OIDCProviderError>();
  provider.on("grant.error", (ctx, error) => void refused.set(ctx, error));
  provider.use(async (ctx, next) => {
    await next();
    if (!isObject(ctx.oidc)) return;
    // Typed as Koa's own; oidc-provider has put its context into it meanwhile, as a route matched.
    const served = ctx as unknown as KoaContextWithOIDC;
    const { oidc } = served;
    if (oidc.route === "discovery" && isObject(ctx.body)) ctx.body = completed(ctx.body, options);
    if (oidc.client?.grantTypeAllowed(TOKEN_EXCHANGE_GRANT)) {
      await pointToSession(oidc, provider, now()).catch((error: unknown) => options.onFault?.(error, oidc.route));
    }
    const error = refused.get(ctx);
    if (writeRefusal(served) || error === undefined || oidc.body?.grant_type !== TOKEN_EXCHANGE_GRANT) return;
    const id = newId();
    const before = refusedBefore(served, error, TOKEN_EXCHANGE_GRANT);
    const { refusal } = await recordRefusal(before, served, id, now(), options);
    refusalError(ctx, refusal, id);
    writeRefusal(served);
  });
}

/** One exchange, over ports that are bound to its request. */
async function answer<Subject>(
  ctx: KoaContextWithOIDC,
  id: string,
  now: number,
  issuer: Issuer<Client, Subject>,
  options: OwnSubjectOptions<Subject>,
): Promise<Result<TokenExchangeAnswer>> {
  const form = formOf(ctx.oidc.body ?? {});
  if (!form.ok) return recordRefusal(form.refusal, ctx, id, now, options);
  const certificate = readCertificate(options.getCertificate?.(ctx));
  if (!certificate.ok) return recordRefusal(certificate.refusal, ctx, id, now, options);
  const proofs = {
    dpop: ctx.get("dpop") || null,
    ...(certificate.value === undefined ? {} : { certificate: certificate.value }),
  };
  return exchange({ id, now, authorization: null, form: form.value, source: ctx.ip, ...proofs }, issuer);
}

function issuerFor<Subject>(
  ctx: KoaContextWithOIDC,
  provider: Provider,
  options: OwnSubjectOptions<Subject>,
  sign: IssuerPorts<Client, Subject>["sign"],
): Issuer<Client, Subject> {
  const { dpop, onFault, verifyActor } = options;
  return {
    issuer: provider.issuer,
    ...(dpop === undefined ? {} : { dpop: { url: provider.urlFor("token"), ...dpop } }),
    ...(onFault === undefined ? {} : { onFault }),
    ports: {
      authenticate: async ({ binding }) => admit(ctx.oidc.client, binding),
      verifySubject: (request) => options.verifySubject(request, ctx),
      ...(verifyActor === undefined ? {} : { verifyActor: (request) => verifyActor.call(options, request) }),
      decide: (question) => options.decide(question),
      record: (event) => options.record(event),
      sign,
    },
  };
}

/** oidc-provider has authenticated the client; what it lets pass as a public one proves nothing. @see ID-JAG draft §9.1 */
function admit(client: Client | undefined, binding: Confirmation | undefined): Result<Client> {
  if (client === undefined) return refuse("client-auth-missing");
  const keyed = binding?.jkt !== undefined;
  if (client.clientAuthMethod === "none" && !(client.dpopBoundAccessTokens && keyed)) return refuse("client-public");
  if (client.dpopBoundAccessTokens && !keyed) return refuse("binding-missing");
  if (client.tlsClientCertificateBoundAccessTokens && binding === undefined) return refuse("binding-missing");
  return ok(client);
}

/** What does not come to an exchange is on record too; what can not be recorded is told as such. */
async function recordRefusal<Subject>(
  refusal: Refusal,
  { oidc, ip }: Pick<KoaContextWithOIDC, "oidc" | "ip">,
  id: string,
  time: number,
  { record, onFault }: Pick<OwnSubjectOptions<Subject>, "record" | "onFault">,
): Promise<{ readonly ok: false; readonly refusal: Refusal }> {
  const authenticated = errorOf(refusal.reason) !== "invalid_client";
  const event: ExchangeEvent<Client, Subject> = {
    outcome: "refused",
    reasons: [reasonOf(refusal)],
    connections: [],
    decisionId: id,
    time,
    source: ip,
    refusal,
    ...(authenticated && oidc.client !== undefined ? { client: oidc.client } : {}),
  };
  try {
    await record(event);
    return { ok: false, refusal };
  } catch (error) {
    onFault?.(error, id);
    return refuse("store-unavailable");
  }
}

/** The metadata, with what an ID-JAG's IdP says of itself. @see ID-JAG draft §7.1 */
function completed(metadata: object, { dpop }: Pick<TokenExchangeGrantOptions, "dpop">): object {
  return {
    ...(dpop === undefined ? {} : { dpop_signing_alg_values_supported: JWS_ALGORITHMS }),
    ...metadata,
    identity_chaining_requested_token_types_supported: [ID_JAG_TOKEN_TYPE],
  };
}

/** Imports the key at its first use, and sees that the provider publishes it: apps could not verify anything else. */
function signerOf(key: PrivateJwk | Signer, provider: Provider): IssuerPorts<Client, unknown>["sign"] {
  let signer: Promise<Signer> | undefined;
  let published = false;
  if (key === undefined)
    throw new CredenceError("The options of the issuer: signingKey is missing", { code: "configuration" });
  return async ({ typ }, claims) => {
    signer ??= isSigner(key) ? Promise.resolve(key) : importSigner(key);
    const idJag = await signJwt(typ, claims, await signer);
    if (!published) {
      // All that the check reads of a client: whom the token is for, and its algorithm.
      const reader = { clientId: claims.aud, idTokenSignedResponseAlg: (await signer).alg } as unknown as Client;
      await provider.IdToken.validate(idJag, reader).catch((cause: unknown) => {
        const message = "signingKey is not among the provider's jwks: apps could not verify what it signs";
        throw new CredenceError(message, { code: "configuration", cause });
      });
      published = true;
    }
    return idJag;
  };
}

function isSigner(key: PrivateJwk | Signer): key is Signer {
  return typeof key.sign === "function";
}
