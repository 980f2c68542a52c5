import {
  CredenceError,
  type Form,
  ok,
  type Refusal,
  type Result,
  randomId,
  readForm,
  refuse,
} from "@credence/protocol";
import { type AuthorizationDetail, narrowDetails } from "@credence/protocol/authorization-details";
import type { Confirmation } from "@credence/protocol/dpop";
import { type DecodedIdJag, decodeIdJag, type IdJagClaims, verifyIdJag } from "@credence/protocol/id-jag";
import { JWS_ALGORITHMS, type KeySource } from "@credence/protocol/jws";
import {
  JWT_BEARER_GRANT,
  JWT_DPOP_GRANT,
  type JwtBearerRequest,
  parseJwtBearerRequest,
} from "@credence/protocol/jwt-bearer";
import type { Proof } from "@credence/protocol/proof-of-possession";
import { type AccessTokenClaims, type Root, rootOf } from "../access-token/claims.ts";
import type { RequestContext } from "../context.ts";
import { faultOf } from "../fault.ts";
import type { LivenessInput, Narrowed, NarrowInput } from "../options.ts";
import type { Facts } from "../record.ts";
import { type StoreKeyPorts, webStoreKeyOf } from "../replay.ts";
import { type ClientPorts, identifyClient, type RegisteredClient } from "./client.ts";
import type { FindTrust, Trust, TrustedIssuer } from "./customers.ts";
import { type Offer, offerOf, type Resources } from "./offer.ts";
import { bindingOf, type ProofPorts, proofOf, spendProof } from "./proof.ts";
import { type Account, type AccountPorts, resolveAccount } from "./subject.ts";

/** What the checks of an ID-JAG need from their surroundings. Any port may reject: then nothing is granted. */
export interface GrantPorts<A extends Account = Account> extends StoreKeyPorts {
  readonly issuer: string;
  readonly resources: Resources;
  readonly requireResource: boolean;
  readonly findTrust: FindTrust;
  keysOf(issuer: TrustedIssuer): KeySource;
  isAlive(grant: LivenessInput): Promise<boolean>;
  readonly accounts: AccountPorts<A>;
  narrow(input: NarrowInput<A>): Promise<Narrowed>;
  consume(key: string, expiresAt: number): Promise<"first" | "again">;
  /** Seconds since the epoch. */
  now(): number;
}

/** Everything that a redemption needs from its surroundings. Any port may reject: then nothing is issued. */
export interface Receiver<A extends Account = Account> extends GrantPorts<A>, ClientPorts, ProofPorts {
  /** Seconds that an access token lives. */
  readonly lifetime: number;
  issue(claims: AccessTokenClaims): Promise<string>;
}

/** A client that has authenticated by `method`; `none` is a public one, which proves nothing but a key. */
export type RedeemingClient = RegisteredClient & { readonly method: string };

/** What is granted, before an access token is made of it. */
export interface Grant<A extends Account = Account> {
  readonly client: RegisteredClient;
  readonly customer: string;
  readonly account: A;
  readonly resource: string;
  readonly scope: readonly string[];
  readonly authorizationDetails: readonly AuthorizationDetail[];
  /** What the access token is bound to. */
  readonly binding: Confirmation | undefined;
  readonly root: Root;
  readonly claims: IdJagClaims;
}

/** What a redemption gave. */
export interface Redeemed {
  readonly accessToken: string;
  readonly claims: AccessTokenClaims;
  readonly scope: readonly string[];
}

/** A request to redeem, whose body was read once and within its limit. */
export interface RedemptionRequest {
  /** The form, or why there is none. */
  readonly form: Result<Form>;
  /** Its headers; several of one name come joined by a comma. */
  readonly authorization: string | null;
  readonly dpop: string | null;
  /** The client's certificate, in DER. */
  readonly certificate?: Uint8Array | undefined;
}

/** Its outcome, and what was learned on the way for the record. */
export interface Redemption {
  readonly outcome: Result<Redeemed>;
  readonly facts: Facts;
}

/** Default limits of a trusted issuer, in seconds. */
const ISSUER_DEFAULTS = { skew: 30, maxLifetime: 3_600 };

/**
 * Redeems an ID-JAG: a token request becomes an access token, or a refusal with its exact reason.
 *
 * @returns the outcome; never rejects. Recording it and answering are the caller's.
 * @see ID-JAG draft §4.4
 */
export async function redeem<A extends Account>(
  request: Request,
  receiver: Receiver<A>,
  context: RequestContext = {},
): Promise<Redemption> {
  return redeemForm(await redemptionRequest(request, context), receiver);
}

/** A Web request as one to redeem: its body is read, once. */
export async function redemptionRequest(request: Request, { certificate }: RequestContext): Promise<RedemptionRequest> {
  const { headers } = request;
  const [authorization, dpop] = [headers.get("authorization"), headers.get("dpop")];
  return { form: await readForm(request), authorization, dpop, certificate };
}

/**
 * As {@link redeem}, for whoever reads requests themselves.
 *
 * @returns the outcome; never rejects.
 * @see ID-JAG draft §4.4
 */
export async function redeemForm<A extends Account>(
  request: RedemptionRequest,
  receiver: Receiver<A>,
): Promise<Redemption> {
  const facts: Facts = { verified: false };
  try {
    return { outcome: await steps(request, receiver, facts), facts };
  } catch (thrown) {
    const { refusal, cause } = faultOf(thrown);
    facts.cause = cause;
    return { outcome: { ok: false, refusal }, facts };
  }
}

async function steps<A extends Account>(
  request: RedemptionRequest,
  receiver: Receiver<A>,
  facts: Facts,
): Promise<Result<Redeemed>> {
  const now = receiver.now();

  const parsed = parse(request.form);
  if (!parsed.ok) return parsed;
  const { form, redemption } = parsed.value;
  if (redemption.scope) facts.asked = redemption.scope;

  const proven = await proofOf(request, receiver, now);
  // Who authenticates is on record even where the proof is not good.
  const binding = proven.ok ? proven.value?.binding : undefined;
  const client = await identifyClient(request.authorization, form, receiver, now, binding);
  // A public client is known by its key alone: what its proof lacks, a nonce first of all, is what it has to hear.
  if (!client.ok) return !proven.ok && client.refusal.reason === "client-public" ? proven : client;
  facts.client = client.value.clientId;
  if (!proven.ok) return proven;
  if (form.get("grant_type") === JWT_DPOP_GRANT && binding?.jkt === undefined)
    return refuse("id-jag-unbound", "no proof");

  const grant = await grantFor(redemption, client.value, proven.value, receiver, facts);
  return grant.ok ? ok(await issue(grant.value, receiver, facts)) : grant;
}

/**
 * What an ID-JAG grants to a client that has authenticated: every check of a redemption but the client's, and no token yet.
 * For whoever issues tokens themselves.
 *
 * @param proof - What the request proves possession of: one by DPoP is marked as used, once nothing else is wrong.
 * @param facts - Takes what is learned, for the record.
 * @returns the grant; refused with the exact reason. Rejects when a port does: then nothing is granted.
 * @see ID-JAG draft §4.4.1
 */
export async function grantFor<A extends Account>(
  redemption: JwtBearerRequest,
  client: RedeemingClient,
  proof: Proof | undefined,
  receiver: GrantPorts<A>,
  facts: Facts,
): Promise<Result<Grant<A>>> {
  const now = receiver.now();
  checkLists(client);
  const proven = proof?.binding;
  if (client.dpopBound && proven?.jkt === undefined) return refuse("id-jag-unbound", "the client is DPoP-bound");
  const decoded = decodeIdJag(redemption.assertion);
  if (!decoded.ok) return decoded;
  noteClaims(facts, decoded.value.claims);

  const trust = await receiver.findTrust(decoded.value.claims.iss, decoded.value.claims.tenant);
  // Our own keys vouch for nobody, whatever a look-up says.
  if (trust === undefined || trust.issuer.issuer === receiver.issuer) return refuse("id-jag-issuer");
  facts.customer = trust.customer.id;

  const verified = await verify(decoded.value, trust, client, receiver, now, facts);
  if (!verified.ok) return verified;
  const claims = verified.value;

  const fits = checkFit(claims, trust, client);
  if (!fits.ok) return fits;

  const root = rootOf(claims);
  const alive = await receiver.isAlive({ customer: trust.customer.id, clientId: client.clientId, root, issuedAt: now });
  if (!alive) return refuse("id-jag-revoked");

  const { resources, requireResource } = receiver;
  const offer = offerOf(claims, redemption, client, resources, requireResource);
  if (!offer.ok) return offer;
  const { resource } = offer.value;
  facts.resource = resource;

  const binding = bindingOf(claims.cnf, proven, resources.get(resource)?.requireBound ?? false);
  if (!binding.ok) return binding;

  const account = await resolveAccount(claims, trust, receiver.accounts);
  if (!account.ok) return account;
  facts.account = account.value.id;

  const granted = await narrowOffer(offer.value, client, trust, account.value, receiver);
  if (!granted.ok) return granted;

  // A public client is anybody until its ID-JAG is found to be good: strangers leave no mark.
  const unused = await spendProof(proof, receiver);
  if (!unused.ok) return unused;

  // Last of all checks, so that a refused ID-JAG is not burnt; and before anything is issued.
  const fresh = await consume(claims, trust.issuer, receiver);
  if (!fresh.ok) return fresh;
  return ok({
    client,
    customer: trust.customer.id,
    account: account.value,
    resource,
    ...granted.value,
    binding: binding.value,
    root,
    claims,
  });
}

async function issue<A extends Account>(grant: Grant<A>, receiver: Receiver<A>, facts: Facts): Promise<Redeemed> {
  const { scope, authorizationDetails: details, binding, claims } = grant;
  const now = receiver.now();
  const accessToken: AccessTokenClaims = {
    iss: receiver.issuer,
    aud: grant.resource,
    sub: grant.account.id,
    client_id: grant.client.clientId,
    jti: randomId(),
    iat: now,
    exp: now + receiver.lifetime,
    ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
    ...(details.length === 0 ? {} : { authorization_details: details }),
    ...(binding === undefined ? {} : { cnf: binding }),
    ...(claims.acr === undefined ? {} : { acr: claims.acr }),
    ...(claims.auth_time === undefined ? {} : { auth_time: claims.auth_time }),
    ...(claims.act === undefined ? {} : { act: claims.act }),
    customer: grant.customer,
    root: grant.root,
  };
  const token = await receiver.issue(accessToken);
  facts.granted = scope;
  facts.accessToken = accessToken.jti;
  if (binding !== undefined) facts.binding = binding.jkt === undefined ? "certificate" : "dpop";
  return { accessToken: token, claims: accessToken, scope };
}

/** @see RFC 6749 §3.2 */
function parse(form: Result<Form>): Result<{ form: Form; redemption: JwtBearerRequest }> {
  if (!form.ok) return form;
  const grant = form.value.get("grant_type");
  if (grant === undefined) return refuse("parameter-missing", "grant_type");
  if (grant !== JWT_BEARER_GRANT && grant !== JWT_DPOP_GRANT) return refuse("grant-type-unsupported");
  const redemption = parseJwtBearerRequest(form.value);
  return redemption.ok ? ok({ form: form.value, redemption: redemption.value }) : redemption;
}

async function verify(
  decoded: DecodedIdJag,
  { issuer }: Trust,
  client: RegisteredClient,
  receiver: Pick<GrantPorts, "issuer" | "keysOf">,
  now: number,
  facts: Facts,
): Promise<Result<IdJagClaims>> {
  const keys = receiver.keysOf(issuer);
  const expected = {
    issuer: issuer.issuer,
    audience: receiver.issuer,
    clientId: client.clientId,
    algorithms: issuer.algorithms ?? JWS_ALGORITHMS,
    skew: issuer.skew ?? ISSUER_DEFAULTS.skew,
    maxLifetime: issuer.maxLifetime ?? ISSUER_DEFAULTS.maxLifetime,
  };
  const verified = await verifyIdJag(decoded, expected, keys, now);
  facts.verified = verified.ok || !SIGNATURE_REASONS.has(verified.refusal.reason);
  return verified;
}

/** Reasons for which the signature did not count; after any other, it did. */
const SIGNATURE_REASONS: ReadonlySet<Refusal["reason"]> = new Set<Refusal["reason"]>([
  "id-jag-algorithm",
  "id-jag-crit",
  "id-jag-key",
  "id-jag-signature",
  "issuer-keys-unavailable",
]);

/**
 * In a text, a scope would be found within the name of another, and a customer's id within another's.
 *
 * @throws CredenceError `configuration` for a client whose limits are no lists.
 */
function checkLists({ scopes = [], customers = [] }: RegisteredClient): void {
  if (Array.isArray(scopes) && Array.isArray(customers)) return;
  throw new CredenceError("a client's scopes and customers are lists", { code: "configuration" });
}

/** What a verified ID-JAG must still fit: customer, client within it, and what this server understands. */
function checkFit(claims: IdJagClaims, { customer }: Trust, client: RedeemingClient): Result<true> {
  // ID-JAG draft §6: within the customer that (iss, tenant) selected, never to select one.
  if (claims.aud_tenant !== undefined && claims.aud_tenant !== customer.audTenant) return refuse("id-jag-tenant");
  if (client.customers && !client.customers.includes(customer.id)) return refuse("id-jag-client", "another customer's");
  const unbound = claims.cnf?.jkt === undefined;
  // A public client proves nothing but its key: an ID-JAG that is not bound to it could be anybody's.
  if (client.method === "none" && unbound) return refuse("id-jag-unbound", "public client");
  if (client.dpopBound && unbound) return refuse("id-jag-unbound", "the client is DPoP-bound, and the ID-JAG is not");
  return ok(true);
}

async function narrowOffer<A extends Account>(
  { resource, scope, authorizationDetails }: Offer,
  client: RegisteredClient,
  trust: Trust,
  account: A,
  receiver: Pick<GrantPorts<A>, "narrow">,
): Promise<Result<Pick<Grant, "scope" | "authorizationDetails">>> {
  const input = { client, customer: trust.customer.id, account, resource, scope, authorizationDetails };
  const allowed = await receiver.narrow(input);
  const granted = {
    scope: scope.filter((one) => allowed.scope.includes(one)),
    authorizationDetails: narrowDetails(authorizationDetails, allowed.authorizationDetails ?? authorizationDetails),
  };
  const offered = scope.length + authorizationDetails.length;
  const left = granted.scope.length + granted.authorizationDetails.length;
  return left > 0 || offered === 0 ? ok(granted) : refuse("nothing-granted", "by local policy");
}

async function consume(
  claims: IdJagClaims,
  issuer: TrustedIssuer,
  { consume: mark, storeKeyOf = webStoreKeyOf }: Pick<GrantPorts, "consume" | "storeKeyOf">,
): Promise<Result<true>> {
  if (issuer.replay === "resubmit") return ok(true);
  const key = await storeKeyOf("id-jag", claims.iss, claims.tenant, claims.jti);
  const used = await mark(key, claims.exp + (issuer.skew ?? ISSUER_DEFAULTS.skew));
  return used === "first" ? ok(true) : refuse("id-jag-replayed");
}

function noteClaims(facts: Facts, { iss, tenant, sub, jti }: IdJagClaims): void {
  Object.assign(facts, { iss, sub, jti }, tenant === undefined ? {} : { tenant });
}
