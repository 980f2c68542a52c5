import {
  type Form,
  isFormContentType,
  ok,
  parseForm,
  type Refusal,
  type Result,
  randomId,
  readBody,
  refuse,
} from "@credence/protocol";
import { type DecodedIdJag, decodeIdJag, type IdJagClaims, verifyIdJag } from "@credence/protocol/id-jag";
import { JWS_ALGORITHMS, type KeySource } from "@credence/protocol/jws";
import { JWT_BEARER_GRANT, type JwtBearerRequest, parseJwtBearerRequest } from "@credence/protocol/jwt-bearer";
import { type AccessTokenClaims, rootOf } from "../access-token/claims.ts";
import { faultOf } from "../fault.ts";
import type { LivenessInput, NarrowInput } from "../options.ts";
import type { Facts } from "../record.ts";
import { replayKey } from "../replay.ts";
import { type Client, type ClientPorts, identifyClient } from "./client.ts";
import type { FindTrust, Trust, TrustedIssuer } from "./customers.ts";
import { type Offer, offerOf, type Resources } from "./offer.ts";
import { type Account, type AccountPorts, resolveAccount } from "./subject.ts";

/** Everything that a redemption needs from its surroundings. Any port may reject: then nothing is issued. */
export interface Receiver<A extends Account = Account> extends ClientPorts {
  readonly resources: Resources;
  readonly requireResource: boolean;
  /** Seconds that an access token lives. */
  readonly lifetime: number;
  readonly findTrust: FindTrust;
  keysOf(issuer: TrustedIssuer): KeySource;
  isAlive(grant: LivenessInput): Promise<boolean>;
  readonly accounts: AccountPorts<A>;
  narrow(input: NarrowInput<A>): Promise<readonly string[]>;
  issue(claims: AccessTokenClaims): Promise<string>;
  /** Seconds since the epoch. */
  now(): number;
}

/** What a redemption gave. */
export interface Redeemed {
  readonly accessToken: string;
  readonly claims: AccessTokenClaims;
  readonly scope: readonly string[];
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
export async function redeem<A extends Account>(request: Request, receiver: Receiver<A>): Promise<Redemption> {
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
  request: Request,
  receiver: Receiver<A>,
  facts: Facts,
): Promise<Result<Redeemed>> {
  const now = receiver.now();

  const parsed = await parse(request);
  if (!parsed.ok) return parsed;
  const { form, redemption } = parsed.value;
  if (redemption.scope) facts.asked = redemption.scope;

  const client = await identifyClient(request.headers.get("authorization"), form, receiver, now);
  if (!client.ok) return client;
  facts.client = client.value.clientId;

  const decoded = decodeIdJag(redemption.assertion);
  if (!decoded.ok) return decoded;
  noteClaims(facts, decoded.value.claims);

  const trust = await receiver.findTrust(decoded.value.claims.iss, decoded.value.claims.tenant);
  if (trust === undefined) return refuse("id-jag-issuer");
  facts.customer = trust.customer.id;

  const verified = await verify(decoded.value, trust, client.value, receiver, now, facts);
  if (!verified.ok) return verified;
  const claims = verified.value;

  const fits = checkFit(claims, trust, client.value);
  if (!fits.ok) return fits;

  const root = rootOf(claims);
  const alive = await receiver.isAlive({ customer: trust.customer.id, clientId: client.value.clientId, root });
  if (!alive) return refuse("id-jag-revoked");

  const { resources, requireResource } = receiver;
  const offer = offerOf(claims, redemption, client.value, resources, requireResource);
  if (!offer.ok) return offer;
  facts.resource = offer.value.resource;

  const account = await resolveAccount(claims, trust, receiver.accounts);
  if (!account.ok) return account;
  facts.account = account.value.id;

  const granted = await narrowOffer(offer.value, client.value, trust, account.value, receiver);
  if (!granted.ok) return granted;

  // Last of all checks, so that a refused ID-JAG is not burnt; and before anything is issued.
  const fresh = await consume(claims, trust.issuer, receiver);
  if (!fresh.ok) return fresh;

  const accessToken: AccessTokenClaims = {
    iss: receiver.issuer,
    aud: offer.value.resource,
    sub: account.value.id,
    client_id: client.value.clientId,
    jti: randomId(),
    iat: now,
    exp: now + receiver.lifetime,
    ...(granted.value.length === 0 ? {} : { scope: granted.value.join(" ") }),
    customer: trust.customer.id,
    root,
  };
  const token = await receiver.issue(accessToken);
  facts.granted = granted.value;
  facts.accessToken = accessToken.jti;
  return ok({ accessToken: token, claims: accessToken, scope: granted.value });
}

/** Reads the request once, bounded. @see RFC 6749 §3.2 */
async function parse(request: Request): Promise<Result<{ form: Form; redemption: JwtBearerRequest }>> {
  if (request.method !== "POST") return refuse("method-wrong");
  if (!isFormContentType(request.headers.get("content-type"))) return refuse("form-content-type");
  const body = await readBody(request);
  if (!body.ok) return body;
  const form = parseForm(body.value);
  if (!form.ok) return form;
  const grant = form.value.get("grant_type");
  if (grant === undefined) return refuse("parameter-missing", "grant_type");
  if (grant !== JWT_BEARER_GRANT) return refuse("grant-type-unsupported");
  // RFC 9396 §5: no type of authorization details is known here, so any is unknown.
  if (form.value.get("authorization_details") !== undefined) return refuse("authorization-details-unsupported");
  const redemption = parseJwtBearerRequest(form.value);
  return redemption.ok ? ok({ form: form.value, redemption: redemption.value }) : redemption;
}

async function verify(
  decoded: DecodedIdJag,
  { issuer }: Trust,
  client: Client,
  receiver: Pick<Receiver, "issuer" | "keysOf">,
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

/** What a verified ID-JAG must still fit: customer, client within it, and what this server understands. */
function checkFit(claims: IdJagClaims, { customer }: Trust, client: Client): Result<true> {
  // ID-JAG draft §6: within the customer that (iss, tenant) selected, never to select one.
  if (claims.aud_tenant !== undefined && claims.aud_tenant !== customer.audTenant) return refuse("id-jag-tenant");
  if (client.customers && !client.customers.includes(customer.id)) return refuse("id-jag-client", "another customer's");
  // ID-JAG draft §9.8: no proof of possession is understood here, so a bound ID-JAG is never proven.
  if (claims.cnf !== undefined) return refuse("id-jag-bound");
  // RFC 9396 §5: leaving them out would grant more than the IdP meant.
  if (claims.authorization_details !== undefined) return refuse("authorization-details-unsupported", "in the ID-JAG");
  return ok(true);
}

async function narrowOffer<A extends Account>(
  { resource, scope }: Offer,
  client: Client,
  trust: Trust,
  account: A,
  receiver: Pick<Receiver<A>, "narrow">,
): Promise<Result<readonly string[]>> {
  const allowed = await receiver.narrow({ client, customer: trust.customer.id, account, resource, scope });
  const granted = scope.filter((one) => allowed.includes(one));
  return granted.length > 0 || scope.length === 0 ? ok(granted) : refuse("nothing-granted", "by local policy");
}

async function consume(claims: IdJagClaims, issuer: TrustedIssuer, receiver: ClientPorts): Promise<Result<true>> {
  if (issuer.replay === "resubmit") return ok(true);
  const key = await replayKey("id-jag", claims.iss, claims.tenant, claims.jti);
  const used = await receiver.consume(key, claims.exp + (issuer.skew ?? ISSUER_DEFAULTS.skew));
  return used === "first" ? ok(true) : refuse("id-jag-replayed");
}

function noteClaims(facts: Facts, { iss, tenant, sub, jti }: IdJagClaims): void {
  Object.assign(facts, { iss, sub, jti }, tenant === undefined ? {} : { tenant });
}
