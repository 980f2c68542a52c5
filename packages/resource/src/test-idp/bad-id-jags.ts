import { type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { ID_JAG_TYP } from "@credence/protocol/id-jag";
import { generateSigningKey, importSigner, type PublicJwk, type Signer } from "@credence/protocol/jws";
import { errorOf, type OAuthErrorCode, type RefusalReason } from "@credence/protocol/reasons";
import { endpointsOf } from "../endpoints/metadata.ts";
import { jwtOf, macWith } from "./jwt.ts";
import { type ClaimChanges, goodClaims, type IdJagTarget } from "./target.ts";

/** An ID-JAG that has one thing wrong. */
export interface BadIdJag {
  /** What is wrong with it. */
  readonly name: string;
  /** Why it must be refused: what `record` is told. */
  readonly reason: RefusalReason;
  /** The error that the client gets. */
  readonly error: OAuthErrorCode;
  /** The ID-JAG. */
  readonly assertion: string;
  /** How often it is to be redeemed, the last time being the one that is refused: 2 for a replay, else 1. */
  readonly times: 1 | 2;
  /** The key that a proof is to be made with, where the request carries one. */
  readonly dpop?: DpopKey;
}

/** What the makers of bad ID-JAGs know of the IdP. */
export interface BadIdJagParts {
  readonly issuer: string;
  readonly tenant: string | undefined;
  readonly signer: Signer;
  readonly publicJwk: PublicJwk;
  /** Seconds since the epoch. */
  readonly now: number;
}

const FAR = 3_600;
const TEN_YEARS = 315_360_000;

/** Every kind of bad ID-JAG for a server, each of which it must refuse for the reason that is named. */
export async function makeBadIdJags(idp: BadIdJagParts, target: IdJagTarget): Promise<readonly BadIdJag[]> {
  return [...(await badClaims(idp, target)), ...(await badForms(idp, target)), ...(await badUses(idp, target))];
}

/** Signed as it should be; one claim is not as it should be. */
async function badClaims(idp: BadIdJagParts, target: IdJagTarget): Promise<readonly BadIdJag[]> {
  const { now, issuer, tenant } = idp;
  const { issuer: aud } = target.server;
  const slashed = (url: string): string => (url.endsWith("/") ? url.slice(0, -1) : `${url}/`);
  const { resource } = goodClaims(idp, target, now);
  const foreign = "https://foreign.example/api";
  const rows: readonly (readonly [name: string, RefusalReason, ClaimChanges])[] = [
    ["iss of an issuer that nobody trusts", "id-jag-issuer", { iss: "https://evil.example" }],
    ["iss with or without a trailing slash", "id-jag-issuer", { iss: slashed(issuer) }],
    ["iss of the server itself", "id-jag-issuer", { iss: aud }],
    ["no iss", "id-jag-claim", { iss: undefined }],
    ["tenant of somebody else", "id-jag-issuer", { tenant: `${tenant ?? ""}-other` }],
    ...(tenant === undefined ? [] : ([["no tenant", "id-jag-issuer", { tenant: undefined }]] as const)),
    ["aud_tenant of another customer", "id-jag-tenant", { aud_tenant: "-another-customer-" }],
    ["aud of another server", "id-jag-audience", { aud: "https://other.example" }],
    ["aud of two, ours among them", "id-jag-audience", { aud: [aud, "https://other.example"] }],
    ["aud twice ours", "id-jag-audience", { aud: [aud, aud] }],
    ["aud empty", "id-jag-audience", { aud: [] }],
    ["aud with ours as prefix", "id-jag-audience", { aud: `${aud}.evil.example` }],
    ["aud a prefix of ours", "id-jag-audience", { aud: aud.slice(0, -2) }],
    ["aud with or without a trailing slash", "id-jag-audience", { aud: slashed(aud) }],
    ["aud in another case", "id-jag-audience", { aud: aud.replace(/^http/, "HTTP") }],
    ["aud the token endpoint", "id-jag-audience", { aud: endpointsOf(aud).token }],
    ["no aud", "id-jag-audience", { aud: undefined }],
    ["client_id of another client", "id-jag-client", { client_id: `${target.clientId}-other` }],
    ["client_id in another case", "id-jag-client", { client_id: otherCase(target.clientId) }],
    ["no client_id", "id-jag-claim", { client_id: undefined }],
    ["expired", "id-jag-expired", { iat: now - 2 * FAR, exp: now - FAR }],
    ["issued in the future", "id-jag-not-yet-valid", { iat: now + FAR, exp: now + FAR + 300 }],
    ["valid from the future", "id-jag-not-yet-valid", { nbf: now + FAR }],
    ["too long a lifetime", "id-jag-lifetime", { exp: now + TEN_YEARS }],
    ["no exp", "id-jag-claim", { exp: undefined }],
    ["exp as a text", "id-jag-claim", { exp: String(now + 300) }],
    ["no iat", "id-jag-claim", { iat: undefined }],
    ["no jti", "id-jag-claim", { jti: undefined }],
    ["no sub", "id-jag-claim", { sub: undefined }],
    ["an empty sub", "id-jag-claim", { sub: "" }],
    ["sub as a number", "id-jag-claim", { sub: 7 }],
    ["resource of another app", "resource-foreign", { resource: foreign }],
    ["resource of another app beside ours", "resource-foreign", { resource: [resource, foreign] }],
    ["resource that begins as ours does", "resource-foreign", { resource: `${String(resource)}-other` }],
    ["scopes that the resource does not have", "nothing-granted", { scope: "-no-such-scope-" }],
    ["scope as a list", "id-jag-claim", { scope: [target.scope ?? "read"] }],
    ["cnf of a key, and no proof", "id-jag-bound", { cnf: { jkt: "x".repeat(43) } }],
    ["cnf of a certificate, and none shown", "id-jag-bound", { cnf: { "x5t#S256": "x".repeat(43) } }],
    ["cnf of both kinds", "id-jag-claim", { cnf: { jkt: "x".repeat(43), "x5t#S256": "x".repeat(43) } }],
    ["cnf of an unknown kind", "id-jag-claim", { cnf: { kid: "1" } }],
    ["cnf empty", "id-jag-claim", { cnf: {} }],
    ["sub_id malformed", "id-jag-sub-id", { sub_id: { format: "saml-nameid", issuer: "https://saml.example" } }],
    ["sub_id as a text", "id-jag-claim", { sub_id: "alice" }],
    [
      "authorization_details of an unknown type",
      "authorization-details-unknown",
      { authorization_details: [{ type: "-no-such-type-" }] },
    ],
    ["authorization_details that are no list", "id-jag-claim", { authorization_details: { type: "x" } }],
    ["act as a text", "id-jag-claim", { act: "agent-7" }],
  ];
  const sign = (changes: ClaimChanges): Promise<string> =>
    jwtOf(headerOf(idp), { ...goodClaims(idp, target, now), ...changes }, (data) => idp.signer.sign(data));
  return Promise.all(rows.map(async ([name, reason, changes]) => bad(name, reason, await sign(changes))));
}

/** The claims are good; header, key or signature are not. */
async function badForms(idp: BadIdJagParts, target: IdJagTarget): Promise<readonly BadIdJag[]> {
  const { signer, publicJwk } = idp;
  const stranger = await generateSigningKey(signer.alg);
  const strange = await importSigner(stranger.privateJwk);
  const own = (data: Uint8Array): Promise<Uint8Array> => signer.sign(data);
  const foreign = (data: Uint8Array): Promise<Uint8Array> => strange.sign(data);
  const made = (changes: object, sign = own): Promise<string> =>
    jwtOf({ ...headerOf(idp), ...changes }, goodClaims(idp, target, idp.now), sign);
  const [head = "", , signature = ""] = (await made({})).split(".");
  const [, others = ""] = (await jwtOf({}, { ...goodClaims(idp, target, idp.now), sub: "mallory" }, own)).split(".");
  return [
    bad("no JWT", "id-jag-malformed", "hello"),
    bad("an encrypted JWT", "id-jag-malformed", "e30.e30.e30.e30.e30"),
    bad("alg none, without a signature", "id-jag-malformed", (await made({ alg: "none" })).replace(/[^.]*$/, "")),
    bad("alg none, with a signature", "id-jag-algorithm", await made({ alg: "none" })),
    bad(
      "alg HS256, with the public key as the secret",
      "id-jag-algorithm",
      await made({ alg: "HS256" }, macWith(JSON.stringify(publicJwk))),
    ),
    bad("an ID token", "id-jag-typ", await made({ typ: "JWT" })),
    bad("an ID token without typ", "id-jag-typ", await made({ typ: undefined })),
    bad("an access token", "id-jag-typ", await made({ typ: "at+jwt" })),
    bad("a client assertion", "id-jag-typ", await made({ typ: "client-authentication+jwt" })),
    bad("a critical extension", "id-jag-crit", await made({ crit: ["b64"], b64: true })),
    bad("a key that the issuer does not publish", "id-jag-key", await made({ kid: strange.kid }, foreign)),
    bad(
      "a key that it brings along",
      "id-jag-key",
      await made({ kid: strange.kid, jwk: stranger.publicJwk, jku: "https://evil.example/jwks" }, foreign),
    ),
    bad("another key, under the issuer's kid", "id-jag-signature", await made({}, foreign)),
    bad("changed after it was signed", "id-jag-signature", `${head}.${others}.${signature}`),
  ];
}

/** Good in itself; how it is used is not. */
async function badUses(idp: BadIdJagParts, target: IdJagTarget): Promise<readonly BadIdJag[]> {
  const [holder, thief] = await Promise.all([generateDpopKey(), generateDpopKey()]);
  const made = (changes: object): Promise<string> =>
    jwtOf(headerOf(idp), { ...goodClaims(idp, target, idp.now), ...changes }, (data) => idp.signer.sign(data));
  return [
    { ...bad("redeemed before", "id-jag-replayed", await made({})), times: 2 },
    {
      ...bad("cnf of a key, and a proof of another", "id-jag-bound", await made({ cnf: { jkt: holder.jkt } })),
      dpop: thief,
    },
  ];
}

function bad(name: string, reason: RefusalReason, assertion: string): BadIdJag {
  return { name, reason, error: errorOf(reason), assertion, times: 1 };
}

function headerOf({ signer }: BadIdJagParts): object {
  return { alg: signer.alg, kid: signer.kid, typ: ID_JAG_TYP };
}

/** The same letters, and never the same text. */
function otherCase(text: string): string {
  return text === text.toUpperCase() ? `${text.toLowerCase()}-x` : text.toUpperCase();
}
