/** Checks of the wire format, which IdP, receiver and client share: `@credence/protocol`. */
import type { Row } from "./seen-red.table.ts";

const SRC = "packages/protocol/src";
const ID_JAG = `${SRC}/id-jag.ts`;
const JWS = `${SRC}/jws.ts`;
const CLIENT_AUTH = `${SRC}/client-auth.ts`;
const FETCH = `${SRC}/fetch.ts`;
const METADATA = `${SRC}/metadata.ts`;

const REDEEM = "packages/resource/src/redeem/redeem.test.ts";
const KEYS = "packages/resource/src/issuer-keys/issuer-keys.test.ts";
const PRIVATE_KEY = "packages/resource/src/redeem/private-key-jwt.test.ts";
const PROTECT = "packages/resource/src/protect/protect.test.ts";
const CLIENT = "packages/client/src/binding.test.ts";
const EXCHANGE = "test/exchange.test.ts";

const REFUSED = "an ID-JAG is refused";
const UNBOUND = "an ID-JAG that does not bind to this server, client or issuer is refused";
const KINDS = "another kind of token, or another key, is refused";
const NOT_USED = "an ID-JAG is not used, and never reaches the app, when";
const NO_COUNT = "a token that does not count here";
const ON_RECORD = "401 invalid_token, with the exact reason on record only";
const NO_KEYS = "keys that can not be had: 503, nothing issued, and nobody asks again at once";
const FOREIGN_SIGNED =
  "binding bugs that peers have shipped > a client assertion is no ID token, and neither is anything else that somebody else signed";

export const WIRE_ROWS: readonly Row[] = [
  {
    bug: "Multi-valued `aud` accepted in an ID-JAG",
    check: "`aud` is a string, or an array of exactly one",
    changes: [
      {
        file: ID_JAG,
        find: "singleAudience(payload.aud)",
        replace: "singleAudience([payload.aud].flat()[0])",
      },
    ],
    tests: [
      { file: `${SRC}/id-jag.test.ts`, names: [`${REFUSED} > with a multi-valued audience that has ours in it`] },
      { file: REDEEM, names: [`${UNBOUND} > multi-valued aud, ours among them`, `${UNBOUND} > aud twice ours`] },
      { file: CLIENT, names: [`${NOT_USED} > its aud has several values`] },
    ],
  },
  {
    bug: "`aud` of an ID-JAG matched by prefix",
    check: "`aud` is compared letter by letter with our issuer",
    changes: [
      { file: ID_JAG, find: "claims.aud !== expected.audience", replace: "!claims.aud.startsWith(expected.audience)" },
    ],
    tests: [
      { file: `${SRC}/id-jag.test.ts`, names: [`${REFUSED} > with our issuer and a slash as audience`] },
      {
        file: REDEEM,
        names: [
          `${UNBOUND} > aud with our issuer as prefix`,
          `${UNBOUND} > aud with a trailing slash`,
          `${UNBOUND} > aud the token endpoint`,
        ],
      },
    ],
  },
  {
    bug: "`aud` that is a prefix of our issuer accepted",
    check: "`aud` is compared letter by letter with our issuer",
    changes: [
      { file: ID_JAG, find: "claims.aud !== expected.audience", replace: "!expected.audience.startsWith(claims.aud)" },
    ],
    tests: [
      { file: `${SRC}/id-jag.test.ts`, names: [`${REFUSED} > with a prefix of our issuer as audience`] },
      { file: REDEEM, names: [`${UNBOUND} > aud a prefix of our issuer`] },
    ],
  },
  {
    bug: "`client_id` claim of an ID-JAG not compared",
    check: "the claim is the client that authenticated",
    changes: [
      {
        file: ID_JAG,
        find: 'if (claims.client_id !== expected.clientId) return refuse("id-jag-client");',
        replace: "",
      },
    ],
    tests: [
      { file: `${SRC}/id-jag.test.ts`, names: [`${REFUSED} > made for another client`] },
      {
        file: REDEEM,
        names: [
          `${UNBOUND} > client_id of another client`,
          "who may redeem > an authenticated client does not redeem what was issued to another",
        ],
      },
    ],
  },
  {
    bug: "Issuer of an ID-JAG not compared with the one whose keys were used",
    check: "`iss` is the issuer that was resolved",
    changes: [
      { file: ID_JAG, find: 'if (claims.iss !== expected.issuer) return refuse("id-jag-issuer");', replace: "" },
    ],
    tests: [{ file: `${SRC}/id-jag.test.ts`, names: [`${REFUSED} > of another issuer`] }],
  },
  {
    bug: "ID token (or any other JWT of the IdP) accepted as an ID-JAG",
    check: "`typ` is `oauth-id-jag+jwt`",
    changes: [{ file: ID_JAG, find: 'if (!typIs(jws.header, ID_JAG_TYP)) return refuse("id-jag-typ");', replace: "" }],
    tests: [
      { file: `${SRC}/id-jag.test.ts`, names: [`${REFUSED} > whose typ is JWT`, `${REFUSED} > whose typ is at+jwt`] },
      {
        file: REDEEM,
        names: [
          `${KINDS} > ID token presented as an assertion, though all its claims fit`,
          `${KINDS} > access token presented as an assertion, though all its claims fit`,
        ],
      },
      { file: CLIENT, names: [`${NOT_USED} > it is an ID token under another name`] },
    ],
  },
  {
    bug: "Key confusion between the IdP and the app's authorization server",
    check: "the signature is checked with the issuer's key",
    changes: [
      {
        file: JWS,
        find: '(await verifier.verify(jws.signingInput, jws.signature)) ? undefined : "signature"',
        replace: "undefined",
      },
    ],
    tests: [
      {
        file: REDEEM,
        names: [
          `${KINDS} > key confusion: signed with this server's own key, under its kid and under the IdP's`,
          `${KINDS} > key confusion: signed by another customer's IdP, which is trusted for that one alone`,
          `${KINDS} > a changed payload under a good signature`,
        ],
      },
      { file: PROTECT, names: [`${NO_COUNT} > a changed payload: ${ON_RECORD}`] },
      { file: EXCHANGE, names: [FOREIGN_SIGNED] },
    ],
  },
  {
    bug: "Key confusion: an access token signed by a customer's IdP",
    check: "the key is the one with the header's `kid`, and the signature is checked with it",
    changes: [
      { file: `${SRC}/keys.ts`, find: " && (kid === undefined || jwk.kid === kid)", replace: "" },
      {
        file: JWS,
        find: '(await verifier.verify(jws.signingInput, jws.signature)) ? undefined : "signature"',
        replace: "undefined",
      },
    ],
    tests: [{ file: PROTECT, names: [`${NO_COUNT} > key confusion: signed by the customer's IdP: ${ON_RECORD}`] }],
  },
  {
    bug: "Key that the token brings along (`jwk`) used",
    check: "keys come from the issuer alone (the bug is put in: there is nothing to take out)",
    changes: [
      {
        file: JWS,
        find: "const verifier = await keys(jws.header);",
        replace:
          'const { jwksKeys: own } = await import("./keys.ts"); const verifier = await ("jwk" in jws.header ? own({ keys: [{ ...(jws.header.jwk as { kty: string }), kid: jws.header.kid ?? "" }] }) : keys)(jws.header);',
      },
    ],
    tests: [{ file: REDEEM, names: [`${KINDS} > a key that the token brings along (jwk, jku, x5u) is not looked at`] }],
  },
  {
    bug: "`alg: none` accepted",
    check: "algorithms are a list of four (the bug is put in: `none` counts as signed)",
    changes: [
      {
        file: JWS,
        find: "const { alg, crit } = jws.header;",
        replace: 'const { alg, crit } = jws.header; if (alg === "none") return undefined;',
      },
    ],
    tests: [
      { file: REDEEM, names: [`${KINDS} > alg none, with or without a signature`] },
      { file: PROTECT, names: [`${NO_COUNT} > alg none: ${ON_RECORD}`] },
      { file: EXCHANGE, names: [FOREIGN_SIGNED] },
    ],
  },
  {
    bug: "Algorithm that is not on the issuer's list accepted",
    check: "`alg` is on the list of this issuer",
    changes: [
      {
        file: JWS,
        find: "!isJwsAlgorithm(alg) || !algorithms.includes(alg)",
        replace: "!isJwsAlgorithm(alg)",
      },
    ],
    tests: [
      {
        file: `${SRC}/jws.test.ts`,
        names: ["a signature is refused > when its algorithm is not allowed for the issuer"],
      },
      {
        file: REDEEM,
        names: [`${KINDS} > an algorithm that is not on the issuer's list, with a key that the issuer publishes`],
      },
    ],
  },
  {
    bug: "Critical header extension passed over",
    check: "whatever is critical is not understood",
    changes: [{ file: JWS, find: 'if (crit !== undefined) return "crit";', replace: "" }],
    tests: [
      { file: `${SRC}/jws.test.ts`, names: ["a signature is refused > when the header has a critical extension"] },
      { file: REDEEM, names: [`${KINDS} > a critical extension, known to nobody`] },
    ],
  },
  {
    bug: "Public client redeems or exchanges somebody's token",
    check: "`none` authenticates nobody, whether a secret is registered or not (two checks: both are taken out)",
    changes: [
      {
        file: CLIENT_AUTH,
        find: 'if (found.credential.method !== "none") return refuse("client-auth-missing");',
        replace: "",
      },
      {
        file: CLIENT_AUTH,
        find: 'return context.allowsPublic?.(found.client) ? ok(found.client) : refuse("client-public");',
        replace: "return ok(found.client);",
      },
    ],
    tests: [
      {
        file: `${SRC}/client-auth.test.ts`,
        names: [
          "a client that authenticates as we build it is known > none, and is refused: it may sign people in and nothing else",
          "a client that proves nothing, though it should, is refused",
        ],
      },
      {
        file: REDEEM,
        names: [
          "who may redeem > a public client redeeming somebody's ID-JAG",
          "who may redeem > a confidential client that only says its name",
        ],
      },
      {
        file: EXCHANGE,
        names: ["binding bugs that peers have shipped > a public client, or one that proves nothing, gets nothing"],
      },
    ],
  },
  {
    bug: "Multi-valued `aud` accepted in a client assertion",
    check: "`aud` is a string, or an array of exactly one",
    changes: [
      {
        file: CLIENT_AUTH,
        find: "singleAudience(aud)",
        replace: "singleAudience([aud].flat()[0])",
      },
    ],
    tests: [{ file: `${SRC}/client-auth.test.ts`, names: ["private_key_jwt > with several audiences is refused"] }],
  },
  {
    bug: "`aud` of a client assertion matched by prefix, or a token endpoint taken for the issuer",
    check: "`aud` is our issuer, letter by letter",
    changes: [
      {
        file: CLIENT_AUTH,
        find: "audience !== context.issuer",
        replace: "!String(audience).startsWith(context.issuer)",
      },
    ],
    tests: [
      {
        file: `${SRC}/client-auth.test.ts`,
        names: [
          "private_key_jwt > with the token endpoint as audience is refused",
          "private_key_jwt > with our issuer and a slash is refused",
        ],
      },
      { file: PRIVATE_KEY, names: ["an assertion for the token endpoint is not for this one"] },
    ],
  },
  {
    bug: "Client assertion that another client issued",
    check: "`iss` and `sub` are the client",
    changes: [
      {
        file: CLIENT_AUTH,
        find: 'if (iss !== clientId || sub !== clientId) return refuse("client-assertion-issuer");',
        replace: "",
      },
    ],
    tests: [{ file: `${SRC}/client-auth.test.ts`, names: ["private_key_jwt > with another iss is refused"] }],
  },
  {
    bug: "Client assertion used again (`jti`)",
    check: "only the first mark of a `jti` counts",
    changes: [
      {
        file: CLIENT_AUTH,
        find: 'return used === "first" ? ok(found.client) : refuse("client-assertion-replayed");',
        replace: "return ok(used && found.client);",
      },
    ],
    tests: [
      { file: `${SRC}/client-auth.test.ts`, names: ["private_key_jwt > counts once"] },
      {
        file: PRIVATE_KEY,
        names: [
          "a client with a key redeems, and its assertion counts once",
          "the same client assertion sent 100 times at once, each with an ID-JAG of its own: exactly one counts",
        ],
      },
    ],
  },
  {
    bug: "Slow JWKS or metadata hold the server up",
    check: "the whole answer must be there within the time limit",
    changes: [
      {
        file: FETCH,
        find: "const timer = setTimeout(late, seconds * 1_000);",
        replace: "const timer = setTimeout(() => void late, seconds * 1_000);",
      },
    ],
    tests: [
      { file: KEYS, names: [`${NO_KEYS} > JWKS slow`] },
      { file: CLIENT, names: ["discovery stops when > the metadata does not come in time"] },
    ],
  },
  {
    bug: "Huge JWKS or metadata fill the memory",
    check: "an answer is read up to its limit, not to its end",
    changes: [
      {
        file: FETCH,
        find: "readStream(response.body, maxBytes)",
        replace: "readStream(response.body, Number.POSITIVE_INFINITY)",
      },
    ],
    tests: [
      { file: KEYS, names: [`${NO_KEYS} > JWKS huge`] },
      { file: CLIENT, names: ["discovery stops when > the metadata is huge"] },
    ],
  },
  {
    bug: "JWKS, metadata or token endpoint redirect to somewhere else",
    check: "redirects are not followed, and are refused (two checks: both are taken out)",
    changes: [
      {
        file: FETCH,
        find: 'if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {',
        replace: "if (response.status < 0) {",
      },
      { file: FETCH, find: 'redirect: "manual", signal', replace: 'redirect: "follow", signal' },
    ],
    tests: [
      { file: `${SRC}/fetch.test.ts`, names: ["a guarded fetch > refuses a redirect, wherever it leads"] },
      { file: KEYS, names: [`${NO_KEYS} > JWKS redirecting to a private address`] },
      { file: CLIENT, names: ["credentials stay with their issuer when > the token endpoint redirects"] },
    ],
  },
  {
    bug: "URL at a private address fetched",
    check: "the address of every URL is looked at before the fetch",
    changes: [
      {
        file: FETCH,
        find: 'if (kind === "private") throw',
        replace: 'if (kind === "private" && hostname === "") throw',
      },
    ],
    tests: [
      {
        file: `${SRC}/fetch.test.ts`,
        names: [
          "a URL that somebody else named > https://10.1.2.3/: address-private",
          "a URL that somebody else named > https://[::ffff:10.0.0.1]/: address-private",
        ],
      },
      {
        file: CLIENT,
        names: [
          "discovery stops when > the challenge sends it to http://192.168.0.1/",
          "discovery stops when > the token endpoint is at a private address",
        ],
      },
    ],
  },
  {
    bug: "Name that resolves to a private address fetched (DNS rebinding)",
    check: "the address is looked at again when connecting",
    changes: [{ file: `${SRC}/node.ts`, find: "if (bad || !first)", replace: "if (!first)" }],
    tests: [
      {
        file: `${SRC}/fetch.test.ts`,
        names: ["nodeFetch > refuses a name that leads to this machine, when it connects"],
      },
    ],
  },
  {
    bug: "Metadata whose `issuer` differs",
    check: "`issuer` is the identifier that was asked for, letter by letter",
    changes: [
      {
        file: METADATA,
        find: "if (metadata.issuer !== issuer) {",
        replace: 'if (metadata.issuer === "") {',
      },
    ],
    tests: [
      {
        file: `${SRC}/metadata.test.ts`,
        names: ["an authorization server's metadata > counts for exactly the issuer that was asked for"],
      },
      {
        file: KEYS,
        names: [`${NO_KEYS} > metadata whose issuer differs`, `${NO_KEYS} > metadata whose issuer differs by a slash`],
      },
      {
        file: CLIENT,
        names: [
          "credentials stay with their issuer when > the server's metadata names another issuer (mix-up)",
          "credentials stay with their issuer when > the IdP's metadata names another issuer",
        ],
      },
    ],
  },
  {
    bug: "Resource metadata that speaks for another resource",
    check: "the metadata's `resource` covers the URL that was called",
    changes: [
      {
        file: METADATA,
        find: 'if (!covers(resource, url)) throw wrong("protected resource", "resource", "does not cover the URL that was called");',
        replace: "",
      },
    ],
    tests: [
      {
        file: `${SRC}/metadata.test.ts`,
        names: ["a protected resource's metadata > must cover the URL that was called"],
      },
      {
        file: CLIENT,
        names: [
          "discovery stops when > the resource's metadata does not cover the URL that was called",
          "discovery stops when > the resource's metadata speaks for another origin",
        ],
      },
    ],
  },
];
