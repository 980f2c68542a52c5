import { ID_JAG_TYP } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner, type JwkSet, type JwsAlgorithm } from "@credence/protocol/jws";
import { authorizationServerMetadataUrls } from "@credence/protocol/metadata";
import { systemTime } from "../clock.ts";
import type { Customer, TrustedIssuer } from "../redeem/customers.ts";
import { type BadIdJag, makeBadIdJags } from "./bad-id-jags.ts";
import { jwtOf } from "./jwt.ts";
import { type ClaimChanges, goodClaims, type IdJagTarget } from "./target.ts";

/** How a test IdP is made. */
export interface TestIdpOptions {
  /** Its issuer; `https://idp.example` by default. */
  readonly issuer?: string;
  /** The `tenant` of its ID-JAGs; none by default. */
  readonly tenant?: string;
  /** What it signs with; ES256 by default. */
  readonly algorithm?: JwsAlgorithm;
  /** Seconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
}

/** A good ID-JAG of a form that is easily refused by mistake. */
export interface GoodIdJag {
  readonly name: string;
  /** The ID-JAG. */
  readonly assertion: string;
}

/** An IdP without network and without people: it has keys, and makes ID-JAGs, good and bad. */
export interface TestIdp {
  readonly issuer: string;
  readonly tenant: string | undefined;
  /** Its public keys. */
  readonly jwks: JwkSet;
  /** An entry for a customer's `issuers`: its keys are in it, so that nothing is fetched. */
  trusted(more?: Partial<TrustedIssuer>): TrustedIssuer;
  /** An entry for the option `customers`; its id is `test-customer`. */
  customer(more?: Partial<Customer>): Customer;
  /** For the option `fetch`: answers its metadata and keys, and 404 for all else. */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Makes an ID-JAG: a good one, but for what `claims` changes. It lives 300 seconds.
   * @param claims - Other claims; `undefined` takes one away.
   */
  idJag(target: IdJagTarget, claims?: ClaimChanges): Promise<string>;
  /** Good ones, each of which the server must redeem. */
  goodIdJags(target: IdJagTarget): Promise<readonly GoodIdJag[]>;
  /** Every kind of bad one, each of which the server must refuse for its reason. */
  badIdJags(target: IdJagTarget): Promise<readonly BadIdJag[]>;
}

/** Makes an IdP for tests, with a fresh key. */
export async function createTestIdp(options: TestIdpOptions = {}): Promise<TestIdp> {
  const { issuer = "https://idp.example", tenant, algorithm = "ES256", now = systemTime } = options;
  const { privateJwk, publicJwk } = await generateSigningKey(algorithm);
  const signer = await importSigner(privateJwk);
  const jwks = { keys: [publicJwk] };
  const idp = { issuer, tenant };
  const make = (target: IdJagTarget, claims: ClaimChanges = {}, typ = ID_JAG_TYP): Promise<string> => {
    const header = { alg: signer.alg, kid: signer.kid, typ };
    return jwtOf(header, { ...goodClaims(idp, target, Math.floor(now())), ...claims }, (data) => signer.sign(data));
  };
  const trusted: TestIdp["trusted"] = (more = {}) => ({
    issuer,
    ...(tenant === undefined ? {} : { tenant }),
    jwks,
    ...more,
  });
  return {
    issuer,
    tenant,
    jwks,
    trusted,
    customer: (more = {}) => ({ id: "test-customer", issuers: [trusted()], ...more }),
    fetch: serving(issuer, jwks),
    idJag: (target, claims) => make(target, claims),
    async goodIdJags(target) {
      const time = Math.floor(now());
      return [
        { name: "as the draft has it", assertion: await make(target) },
        { name: "aud as an array of exactly one", assertion: await make(target, { aud: [target.server.issuer] }) },
        {
          name: "typ with `application/`, in capitals",
          assertion: await make(target, {}, `APPLICATION/${ID_JAG_TYP}`),
        },
        { name: "with nbf, auth_time, acr and amr", assertion: await make(target, signInOf(time)) },
        { name: "with an actor", assertion: await make(target, { act: { sub: "agent-7" } }) },
        { name: "with claims that nobody knows", assertion: await make(target, { ver: 1, groups: ["a"], ext: null }) },
      ];
    },
    badIdJags: (target) => makeBadIdJags({ ...idp, signer, publicJwk, now: Math.floor(now()) }, target),
  };
}

function signInOf(now: number): ClaimChanges {
  return { nbf: now, auth_time: now - 60, acr: "phr", amr: ["pwd", "otp"] };
}

function serving(issuer: string, jwks: JwkSet): typeof globalThis.fetch {
  const jwksUri = `${issuer.replace(/\/$/, "")}/jwks`;
  const metadata = { issuer, jwks_uri: jwksUri, token_endpoint: `${issuer.replace(/\/$/, "")}/token` };
  const documents = new Map<string, object>([
    [jwksUri, jwks],
    ...authorizationServerMetadataUrls(issuer).map((url) => [url, metadata] as const),
  ]);
  return async (input) => {
    const document = documents.get(input instanceof Request ? input.url : String(input));
    return document === undefined ? new Response(null, { status: 404 }) : Response.json(document);
  };
}
