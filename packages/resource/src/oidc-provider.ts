/**
 * For an app whose authorization server is oidc-provider: the redemption of ID-JAGs as one grant more. oidc-provider
 * authenticates the client and makes the access token; every check of the ID-JAG is this library's.
 */
import { formOf, isObject, type Refusal, type Result, randomId, refuse } from "@credence/protocol";
import { type Confirmation, type DpopNonces, dpopNonces } from "@credence/protocol/dpop";
import { ID_JAG_GRANT_PROFILE } from "@credence/protocol/id-jag";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT, JWT_DPOP_GRANT, parseJwtBearerRequest } from "@credence/protocol/jwt-bearer";
import {
  type ProviderCertificate,
  readCertificate,
  refusalError,
  refusedBefore,
  writeRefusal,
} from "@credence/protocol/oidc-provider";
import type { Proof } from "@credence/protocol/proof-of-possession";
import { errorOf } from "@credence/protocol/reasons";
import type { AccessToken, Client, errors, KoaContextWithOIDC, Provider } from "oidc-provider";
import { checkGrantOptions } from "./configuration.ts";
import { resourceMetadataRouter } from "./endpoints/router.ts";
import { eventOf } from "./endpoints/token.ts";
import { faultOf, port } from "./fault.ts";
import {
  claimsOf,
  type IssuedToken,
  issueProviderToken,
  type ProviderAccessTokenOptions,
  providerTokenReader,
  tokenKeys,
  tokenType,
} from "./oidc-provider/tokens.ts";
import type { GrantOptions } from "./options.ts";
import { livenessOf, tokenChecker } from "./protect/check.ts";
import { serverOf } from "./protect/server-of.ts";
import { type Facts, type Recorder, recorderOf } from "./record.ts";
import type { RegisteredClient } from "./redeem/client.ts";
import { grantPorts } from "./redeem/ports.ts";
import { proofOf } from "./redeem/proof.ts";
import { type Grant, type GrantPorts, grantFor, type RedeemingClient } from "./redeem/redeem.ts";
import type { Account } from "./redeem/subject.ts";
import { revoke } from "./revocation.ts";
import type { ResourceServer } from "./server.ts";
import { memoryStore } from "./store.ts";

export type { ProviderCertificate } from "@credence/protocol/oidc-provider";
export { idJagTokenClaims, type ProviderAccessTokenOptions } from "./oidc-provider/tokens.ts";

/** How the grant is set up: as `createResourceServer`, but for what oidc-provider does itself. */
export interface JwtBearerGrantOptions<A extends Account = Account> extends Omit<GrantOptions<A>, "issuer"> {
  /** What a client may have at the most, and for which customers; everything by default. */
  readonly limitsOf?: (client: Client) => ClientLimits | Promise<ClientLimits>;
  readonly accessToken?: ProviderAccessTokenOptions;
  /** The client's certificate, as `features.mTLS.getCertificate` of the provider's configuration gives it. */
  readonly getCertificate?: (ctx: KoaContextWithOIDC) => ProviderCertificate | undefined;
  /** The token endpoint's URL as clients know it, for DPoP proofs; below the provider's issuer by default. */
  readonly tokenEndpoint?: string;
}

/** What a client may have. */
export type ClientLimits = Pick<RegisteredClient, "scopes" | "customers">;

/**
 * The checks of the app's resources, over the provider's access tokens for ID-JAGs. A revocation reaches tokens that are out at
 * once wherever they are checked here, or in introspection by `isAlive`. Whoever only verifies a JWT's signature
 * learns of it when the token expires.
 */
export interface ProviderResourceServer extends ResourceServer {
  /**
   * Whether an access token still counts: for `features.introspection.allowedPolicy` of the provider's configuration, beside
   * your own rule. It is always so for a token that no ID-JAG was redeemed for.
   */
  readonly isAlive: (token: AccessToken) => Promise<boolean>;
}

/**
 * Adds the redemption of ID-JAGs to an oidc-provider, before its `callback()` or `listen()` as all of its middleware: the
 * grants `jwt-bearer` and `jwt-dpop`, for clients that list them in their `grant_types`.
 *
 * @returns the checks for the app's resources, with the resources' own metadata; `fetch` has no other endpoint: those are
 * oidc-provider's.
 * @throws CredenceError `configuration` when an option is wrong.
 * @see ID-JAG draft §4.4
 */
export function registerJwtBearer<A extends Account>(
  provider: Provider,
  options: JwtBearerGrantOptions<A>,
): ProviderResourceServer {
  const { issuer } = provider;
  const all: GrantOptions<A> = { ...options, issuer };
  checkGrantOptions(all);
  const jwks = tokenKeys(options.accessToken ?? {});
  const store = options.store ?? memoryStore(options.now === undefined ? {} : { now: options.now });
  const ports = grantPorts(all, store);
  const record = recorderOf(options);
  const { nonceSecret } = options.dpop ?? {};
  const redeemer: Redeemer<A> = {
    provider,
    options,
    ports,
    record,
    tokenEndpoint: options.tokenEndpoint ?? provider.urlFor("token"),
    nonces: nonceSecret && dpopNonces(nonceSecret),
  };
  for (const grantType of GRANTS) provider.registerGrantType(grantType, (ctx) => redeem(ctx, grantType, redeemer));
  surround(redeemer);

  const check = tokenChecker({
    ...ports,
    jwks,
    ownFormat: options.accessToken?.format === "jwt" ? undefined : providerTokenReader(provider),
    record,
  });
  return {
    ...serverOf({
      issuer,
      resources: ports.resources,
      route: resourceMetadataRouter(issuer, ports.resources),
      check,
      revoke: (what) => revoke(what, store),
    }),
    async isAlive(token) {
      if (!GRANTS.includes(token.gty)) return true;
      const claims = claimsOf(token, issuer);
      if (claims === undefined) return false;
      return ports.isAlive(livenessOf(claims));
    },
  };
}

const GRANTS: readonly string[] = [JWT_BEARER_GRANT, JWT_DPOP_GRANT];

/** Everything that a redemption inside oidc-provider needs. */
interface Redeemer<A extends Account> {
  readonly provider: Provider;
  readonly options: JwtBearerGrantOptions<A>;
  readonly ports: GrantPorts<A>;
  readonly record: Recorder;
  readonly tokenEndpoint: string;
  readonly nonces: DpopNonces | undefined;
}

/** Redeems, records, answers. A grant that could not be recorded is taken back. */
async function redeem<A extends Account>(
  ctx: KoaContextWithOIDC,
  grantType: string,
  redeemer: Redeemer<A>,
): Promise<void> {
  const { ports, record, nonces } = redeemer;
  const decisionId = randomId();
  const time = ports.now();
  const facts: Facts = { verified: false };
  const outcome = await attempt(() => steps(ctx, grantType, facts, redeemer), facts);
  if (nonces !== undefined && ctx.get("dpop") !== "") ctx.set("dpop-nonce", await nonces.current(time));
  const refusal = outcome.ok ? undefined : outcome.refusal;
  try {
    await record(eventOf(decisionId, time, facts, refusal));
  } catch {
    if (outcome.ok) await outcome.value.token.undo();
    throw refusalError(ctx, { reason: "store-unavailable" }, decisionId);
  }
  if (!outcome.ok) throw refusalError(ctx, outcome.refusal, decisionId);
  const { grant, token } = outcome.value;
  ctx.body = {
    access_token: token.value,
    token_type: tokenType(grant.binding),
    expires_in: token.expiresIn,
    ...(grant.scope.length === 0 ? {} : { scope: grant.scope.join(" ") }),
    resource: grant.resource,
    ...(grant.authorizationDetails.length === 0 ? {} : { authorization_details: grant.authorizationDetails }),
  };
}

interface Redeemed<A extends Account> {
  readonly grant: Grant<A>;
  readonly token: IssuedToken;
}

async function steps<A extends Account>(
  ctx: KoaContextWithOIDC,
  grantType: string,
  facts: Facts,
  redeemer: Redeemer<A>,
): Promise<Result<Redeemed<A>>> {
  const { options, ports, provider } = redeemer;
  const { client } = ctx.oidc;
  if (client === undefined) return refuse("client-auth-missing");
  facts.client = client.clientId;
  const form = formOf(ctx.oidc.body ?? {});
  if (!form.ok) return form;
  const redemption = parseJwtBearerRequest(form.value);
  if (!redemption.ok) return redemption;
  if (redemption.value.scope) facts.asked = redemption.value.scope;

  const proven = await provenBy(ctx, redeemer);
  if (!proven.ok) return proven;
  const binding = proven.value?.binding;
  const admitted = admit(client, binding, grantType);
  if (!admitted.ok) return admitted;
  const limits = port("internal-fault", "limitsOf", async () => options.limitsOf?.(client));
  // Limits and nothing else, whatever else stands in what the app gives: who the client is, oidc-provider has said.
  const { scopes: atMost, customers } = (await limits()) ?? {};
  const limited = {
    ...admitted.value,
    ...(atMost === undefined ? {} : { scopes: atMost }),
    ...(customers === undefined ? {} : { customers }),
  };
  const grant = await grantFor(redemption.value, limited, proven.value, ports, facts);
  if (!grant.ok) return grant;

  const { resource, scope } = grant.value;
  const scopes = Object.keys(ports.resources.get(resource)?.scopes ?? {});
  const token = await issueProviderToken(grant.value, scopes, client, provider, options.accessToken ?? {});
  facts.granted = scope;
  facts.accessToken = token.id;
  const bound = grant.value.binding;
  if (bound !== undefined) facts.binding = bound.jkt === undefined ? "certificate" : "dpop";
  return { ok: true, value: { grant: grant.value, token } };
}

async function provenBy<A extends Account>(
  ctx: KoaContextWithOIDC,
  { options, ports, tokenEndpoint, nonces }: Redeemer<A>,
): Promise<Result<Proof | undefined>> {
  const certificate = readCertificate(options.getCertificate?.(ctx));
  if (!certificate.ok) return certificate;
  const { value: shown } = certificate;
  const dpop = ctx.get("dpop");
  const presented = { dpop: dpop === "" ? null : dpop, certificate: shown };
  return proofOf(presented, { tokenEndpoint, nonces }, ports.now());
}

/**
 * The client as the checks know it. oidc-provider has authenticated it; what it lets pass as a public one proves nothing but
 * a key.
 * @see ID-JAG draft §9.1
 */
function admit(client: Client, proven: Confirmation | undefined, grantType: string): Result<RedeemingClient> {
  const { clientId, clientAuthMethod: method = "none", dpopBoundAccessTokens: dpopBound = false } = client;
  const keyed = proven?.jkt !== undefined;
  if (method === "none" && !(dpopBound && keyed)) return refuse("client-public");
  if (grantType === JWT_DPOP_GRANT && !keyed) return refuse("id-jag-unbound", "no proof");
  if (client.tlsClientCertificateBoundAccessTokens && proven === undefined) {
    return refuse("id-jag-unbound", "the client is certificate-bound");
  }
  return { ok: true, value: { clientId, method, dpopBound } };
}

async function attempt<T>(run: () => Promise<Result<T>>, facts: Facts): Promise<Result<T>> {
  try {
    return await run();
  } catch (thrown) {
    const { refusal, cause } = faultOf(thrown);
    facts.cause = cause;
    return { ok: false, refusal };
  }
}

/** What is ours after oidc-provider's own handlers: metadata, and the whole of a refusal. */
function surround<A extends Account>({ provider, ports, record }: Redeemer<A>): void {
  const refused = new WeakMap<object, errors.OIDCProviderError>();
  provider.on("grant.error", (ctx, error) => void refused.set(ctx, error));
  provider.use(async (ctx, next) => {
    await next();
    if (!isObject(ctx.oidc)) return;
    // Typed as Koa's own; oidc-provider has put its context into it meanwhile, as a route matched.
    const served = ctx as unknown as KoaContextWithOIDC;
    const { oidc } = served;
    if (oidc.route === "discovery" && isObject(ctx.body)) ctx.body = completed(ctx.body);
    const error = refused.get(ctx);
    const grantType = oidc.body?.grant_type;
    if (writeRefusal(served) || error === undefined || typeof grantType !== "string") return;
    if (!GRANTS.includes(grantType)) return;
    const id = randomId();
    const refusal = refusedBefore(served, error, grantType);
    refusalError(ctx, await recorded(refusal, served, id, ports.now(), record), id);
    writeRefusal(served);
  });
}

/** What oidc-provider refused before the grant was asked is on record too; what can not be recorded is told as such. */
async function recorded(
  refusal: Refusal,
  { oidc }: Pick<KoaContextWithOIDC, "oidc">,
  id: string,
  time: number,
  record: Recorder,
): Promise<Refusal> {
  const authenticated = errorOf(refusal.reason) !== "invalid_client";
  const who = authenticated && oidc.client !== undefined ? { client: oidc.client.clientId } : {};
  try {
    await record(eventOf(id, time, { verified: false, ...who }, refusal));
    return refusal;
  } catch {
    return { reason: "store-unavailable" };
  }
}

/** The metadata, which says that ID-JAGs are redeemed here, and not whose. @see ID-JAG draft §7.2 */
function completed(metadata: object): object {
  return {
    dpop_signing_alg_values_supported: JWS_ALGORITHMS,
    ...metadata,
    authorization_grant_profiles_supported: [ID_JAG_GRANT_PROFILE],
  };
}
