/** Checks of the receiver: customers, binding, offer, replay, access tokens. */
import type { Row } from "./seen-red.table.ts";

const SRC = "packages/resource/src";
const REDEEM = `${SRC}/redeem/redeem.ts`;
const CUSTOMERS = `${SRC}/redeem/customers.ts`;
const OFFER = `${SRC}/redeem/offer.ts`;
const SUBJECT = `${SRC}/redeem/subject.ts`;
const ACCESS_TOKEN = `${SRC}/access-token/access-token.ts`;

const REDEEM_TEST = `${SRC}/redeem/redeem.test.ts`;
const OFFER_TEST = `${SRC}/redeem/offer.test.ts`;
const SUBJECT_TEST = `${SRC}/redeem/subject.test.ts`;
const REPLAY_TEST = `${SRC}/redeem/replay.test.ts`;
const PROTECT_TEST = `${SRC}/protect/protect.test.ts`;

const UNBOUND = "an ID-JAG that does not bind to this server, client or issuer is refused";
const NO_COUNT = "a token that does not count here";
const ON_RECORD = "401 invalid_token, with the exact reason on record only";
const UNSEEN = "the app never sees it";

export const RECEIVER_ROWS: readonly Row[] = [
  {
    bug: "The resolver's issuer differs from the token's (confused deputy)",
    check: "what the app's look-up gives is compared with the token's `iss` and `tenant`",
    changes: [
      {
        file: CUSTOMERS,
        find: "trust?.issuer.issuer === iss && trust.issuer.tenant === tenant ? trust : undefined;",
        replace: "trust;",
      },
    ],
    tests: [{ file: SUBJECT_TEST, names: ["the customer > from a look-up that compares loosely is not taken"] }],
  },
  {
    bug: "Another tenant of a trusted issuer enters",
    check: "customers are found by `iss` and `tenant` together, and compared again (two checks: both are taken out)",
    changes: [
      {
        file: CUSTOMERS,
        find: "trusts.set(trustKey(issuer.issuer, issuer.tenant), { customer, issuer })",
        replace: "trusts.set(issuer.issuer, { customer, issuer })",
      },
      { file: CUSTOMERS, find: "trusts.get(trustKey(iss, tenant))", replace: "trusts.get(iss)" },
      {
        file: CUSTOMERS,
        find: "trust?.issuer.issuer === iss && trust.issuer.tenant === tenant",
        replace: "trust?.issuer.issuer === iss",
      },
    ],
    tests: [
      {
        file: SUBJECT_TEST,
        names: [
          "the customer > is not selected with no tenant",
          "the customer > is not selected with an unknown tenant",
          "the customer > is selected by issuer and tenant together",
        ],
      },
      { file: REDEEM_TEST, names: [`${UNBOUND} > a tenant that the issuer is not trusted for`] },
    ],
  },
  {
    bug: "`aud_tenant` used to enter another customer",
    check: "`aud_tenant` is checked within the customer, never used to select one",
    changes: [
      {
        file: REDEEM,
        find: 'if (claims.aud_tenant !== undefined && claims.aud_tenant !== customer.audTenant) return refuse("id-jag-tenant");',
        replace: "",
      },
    ],
    tests: [
      { file: REDEEM_TEST, names: [`${UNBOUND} > aud_tenant of another customer`] },
      {
        file: SUBJECT_TEST,
        names: ["the customer > is not selected with aud_tenant used to enter another customer"],
      },
    ],
  },
  {
    bug: "A client of one customer redeems for another",
    check: "a client's registration names its customers",
    changes: [
      {
        file: REDEEM,
        find: 'if (client.customers && !client.customers.includes(customer.id)) return refuse("id-jag-client", "another customer\'s");',
        replace: "void client;",
      },
    ],
    tests: [{ file: REDEEM_TEST, names: ["who may redeem > a client that is registered for other customers"] }],
  },
  {
    bug: "Client found by a look-up that compares loosely",
    check: "the client that was found is the one that was named",
    changes: [
      {
        file: `${SRC}/redeem/client.ts`,
        find: "found?.clientId === clientId && credential",
        replace: "found && credential",
      },
    ],
    tests: [
      {
        file: REDEEM_TEST,
        names: ["who may redeem > clients from a look-up that compares loosely, or has an empty secret"],
      },
    ],
  },
  {
    bug: "A foreign email used to enter another customer",
    check: "an address helps only in a domain that is verified for the customer",
    changes: [
      {
        file: SUBJECT,
        find: "email !== undefined && isInDomains(email, customer.domains ?? [])",
        replace: "email !== undefined && isInDomains !== undefined && customer !== undefined",
      },
    ],
    tests: [
      {
        file: SUBJECT_TEST,
        names: [
          `an account > is not linked by an address of another customer: ${UNSEEN}`,
          "an account > is not linked by an address where no domain is verified for the customer",
        ],
      },
    ],
  },
  {
    bug: "Domain of an email matched by its end",
    check: "domains are compared whole",
    changes: [
      {
        file: SUBJECT,
        find: "known.toLowerCase() === domain.toLowerCase()",
        replace: "domain.toLowerCase().endsWith(known.toLowerCase())",
      },
    ],
    tests: [
      {
        file: SUBJECT_TEST,
        names: [
          `an account > is not linked by an address in a subdomain: ${UNSEEN}`,
          `an account > is not linked by an address in a domain that ends alike: ${UNSEEN}`,
        ],
      },
    ],
  },
  {
    bug: "Email with two `@`, the customer's domain between them",
    check: "an address has one `@`",
    changes: [{ file: SUBJECT, find: " || rest.length > 0", replace: "" }],
    tests: [
      { file: SUBJECT_TEST, names: [`an account > is not linked by an address with two @, ours first: ${UNSEEN}`] },
    ],
  },
  {
    bug: "Account linked anew when the email changes",
    check: "hints count at first sight, and never again",
    changes: [
      {
        file: SUBJECT,
        find: "known ?? (await atFirstSight(seen, issuer.jit ?? false, ports));",
        replace: "(await atFirstSight(seen, issuer.jit ?? false, ports)) ?? known;",
      },
    ],
    tests: [
      {
        file: SUBJECT_TEST,
        names: [
          "an account > is linked by email at first sight, and never again: the address changes, the account stays",
        ],
      },
    ],
  },
  {
    bug: "Hint that opens another customer's account",
    check: "the account belongs to the customer that was selected",
    changes: [
      {
        file: SUBJECT,
        find: "if (account.customer !== undefined && account.customer !== customer.id) {",
        replace: 'if (account.id === "") {',
      },
    ],
    tests: [
      {
        file: SUBJECT_TEST,
        names: ["an account > of another customer is not opened by a hint that the app looks up too widely"],
      },
    ],
  },
  {
    bug: "Key confusion between two customers' IdPs",
    check: "keys are kept per issuer",
    changes: [
      {
        file: `${SRC}/issuer-keys/issuer-keys.ts`,
        find: "remember(kept, JSON.stringify([issuer.issuer, issuer.jwksUri ?? null]))",
        replace: 'remember(kept, "keys")',
      },
    ],
    tests: [
      {
        file: REDEEM_TEST,
        names: [
          "another kind of token, or another key, is refused > key confusion: signed by another customer's IdP, which is trusted for that one alone",
        ],
      },
    ],
  },
  {
    bug: "`resource` of another app, beside ours",
    check: "every resource of the ID-JAG is this server's",
    changes: [
      {
        file: OFFER,
        find: 'if (named.some((one) => !resources.has(one))) return refuse("resource-foreign", "in the ID-JAG");',
        replace: "",
      },
    ],
    tests: [
      { file: OFFER_TEST, names: ["what is not > the resource of another app beside ours, when ours is asked for"] },
    ],
  },
  {
    bug: "`resource` of another app, at the app",
    check: "the resource is this server's, in the ID-JAG and in what is offered (two checks: both are taken out)",
    changes: [
      {
        file: OFFER,
        find: 'if (named.some((one) => !resources.has(one))) return refuse("resource-foreign", "in the ID-JAG");',
        replace: "",
      },
      {
        file: OFFER,
        find: "const definition = resources.get(resource.value);",
        replace: "const definition = resources.get(resource.value) ?? [...resources.values()][0];",
      },
    ],
    tests: [
      {
        file: OFFER_TEST,
        names: [
          "what is not > the resource of another app",
          "what is not > a resource below ours",
          "what is not > our resource with a trailing slash",
          "over the wire > resource of another app; scope widened by the request; and both as they should be",
        ],
      },
    ],
  },
  {
    bug: "`resource` of the request that the ID-JAG does not have",
    check: "the request chooses among the ID-JAG's resources",
    changes: [
      {
        file: OFFER,
        find: 'if (asked.some((one) => !allowed.includes(one))) return refuse("resource-foreign", "in the request");',
        replace: "",
      },
    ],
    tests: [{ file: OFFER_TEST, names: ["what is not > a request for another of our resources"] }],
  },
  {
    bug: "One access token for two resources",
    check: "one access token, one audience",
    changes: [{ file: OFFER, find: "only !== undefined && left.size === 1", replace: "only !== undefined" }],
    tests: [
      {
        file: OFFER_TEST,
        names: ["what is not > two resources in one token", "what is not > two resources, asked for"],
      },
    ],
  },
  {
    bug: "Scope widened by the request, at the app",
    check: "the request narrows the ID-JAG's scope, and never adds",
    changes: [
      {
        file: OFFER,
        find: 'if (asked?.some((scope) => !vouched.includes(scope))) return refuse("scope-beyond-grant");',
        replace: "",
      },
    ],
    tests: [
      {
        file: OFFER_TEST,
        names: [
          "what is not > a scope beyond the ID-JAG's",
          "what is not > a scope where the ID-JAG has none",
          "over the wire > resource of another app; scope widened by the request; and both as they should be",
        ],
      },
    ],
  },
  {
    bug: "Scope widened by the app's own policy",
    check: "`narrow` can not add",
    changes: [
      {
        file: REDEEM,
        find: "scope: scope.filter((one) => allowed.scope.includes(one)),",
        replace: "scope: allowed.scope,",
      },
    ],
    tests: [{ file: OFFER_TEST, names: ["over the wire > local policy narrows, and can not widen"] }],
  },
  {
    bug: "The same ID-JAG redeemed N times where single use is on",
    check: "whoever is not first is refused",
    changes: [
      {
        file: REDEEM,
        find: 'return used === "first" ? ok(true) : refuse("id-jag-replayed");',
        replace: "return ok(used !== undefined || true);",
      },
    ],
    tests: [
      {
        file: REPLAY_TEST,
        names: [
          "single use > the same ID-JAG redeemed 100 times at once: exactly one succeeds",
          "single use > 50 rounds of 50 at once: exactly one each",
        ],
      },
    ],
  },
  {
    bug: "The same ID-JAG redeemed N times at once: look-up and mark are two steps",
    check: "the mark is looked up and set in one step (the bug is put in: a pause between the two)",
    changes: [
      {
        file: `${SRC}/replay.ts`,
        find: "const known = marks.get(key);",
        replace: "const known = marks.get(key); await new Promise<void>((resolve) => setTimeout(resolve, 50));",
      },
    ],
    tests: [
      {
        file: REPLAY_TEST,
        names: [
          "single use > the same ID-JAG redeemed 100 times at once: exactly one succeeds",
          "single use > 50 rounds of 50 at once: exactly one each",
        ],
      },
      {
        file: `${SRC}/redeem/private-key-jwt.test.ts`,
        names: ["the same client assertion sent 100 times at once, each with an ID-JAG of its own: exactly one counts"],
      },
    ],
  },
  {
    bug: "Mark of single use forgotten while the ID-JAG still counts",
    check:
      "a mark lives as long as the ID-JAG, the skew included, and the store's clock may be ahead (two checks: both are taken out)",
    changes: [
      {
        file: REDEEM,
        find: "claims.exp + (issuer.skew ?? ISSUER_DEFAULTS.skew)",
        replace: "claims.exp",
      },
      {
        file: `${SRC}/redeem/ports.ts`,
        find: "store.consume(key, expiresAt + STORE_CLOCK_MARGIN)",
        replace: "store.consume(key, expiresAt + 0 * STORE_CLOCK_MARGIN)",
      },
    ],
    tests: [
      {
        file: REPLAY_TEST,
        names: ["single use > holds to the last second in which the ID-JAG counts, skew included"],
      },
    ],
  },
  {
    bug: "Mark of single use forgotten by a store whose clock is ahead",
    check: "marks are kept for longer than clocks may differ",
    changes: [
      {
        file: `${SRC}/redeem/ports.ts`,
        find: "store.consume(key, expiresAt + STORE_CLOCK_MARGIN)",
        replace: "store.consume(key, expiresAt + 0 * STORE_CLOCK_MARGIN)",
      },
    ],
    tests: [
      {
        file: REPLAY_TEST,
        names: ["single use > holds while the store's clock is a minute ahead of the server's"],
      },
    ],
  },
  {
    bug: "ID-JAG used as a bearer token at an API",
    check: "`typ` of an access token is `at+jwt`",
    changes: [
      {
        file: ACCESS_TOKEN,
        find: 'if (!typIs(jws.header, ACCESS_TOKEN_TYP)) return refuse("access-token-typ");',
        replace: "",
      },
    ],
    tests: [
      {
        file: PROTECT_TEST,
        names: [
          `${NO_COUNT} > ID-JAG used as a bearer token at the API: ${ON_RECORD}`,
          `${NO_COUNT} > ID-JAG with this API as audience, our key and all claims of an access token: ${ON_RECORD}`,
        ],
      },
    ],
  },
  {
    bug: "Access token of another resource accepted",
    check: "`aud` is compared with the resource",
    changes: [
      {
        file: ACCESS_TOKEN,
        find: 'if (claims.aud !== expected.resource) return refuse("access-token-audience");',
        replace: "",
      },
    ],
    tests: [
      {
        file: PROTECT_TEST,
        names: [
          `${NO_COUNT} > wrong audience: another resource of this server: ${ON_RECORD}`,
          "the app's own token format > does not spare the check of the resource",
        ],
      },
    ],
  },
  {
    bug: "`aud` of an access token matched by prefix",
    check: "`aud` is the resource, letter by letter",
    changes: [
      {
        file: ACCESS_TOKEN,
        find: "claims.aud !== expected.resource",
        replace: "!claims.aud.startsWith(expected.resource)",
      },
    ],
    tests: [{ file: PROTECT_TEST, names: [`${NO_COUNT} > wrong audience: below the resource: ${ON_RECORD}`] }],
  },
  {
    bug: "Multi-valued `aud` accepted in an access token",
    check: "`aud` is one text, and is compared whole (two checks: both are taken out)",
    changes: [
      {
        file: `${SRC}/access-token/claims.ts`,
        find: '["iss", "aud", "sub", "client_id", "jti", "customer"]',
        replace: '["iss", "sub", "client_id", "jti", "customer"]',
      },
      {
        file: ACCESS_TOKEN,
        find: "claims.aud !== expected.resource",
        replace: "![claims.aud].flat().includes(expected.resource)",
      },
    ],
    tests: [{ file: PROTECT_TEST, names: [`${NO_COUNT} > several audiences: ${ON_RECORD}`] }],
  },
  {
    bug: "Access token of another authorization server accepted",
    check: "`iss` is our issuer, before and after the signature (two checks: both are taken out)",
    changes: [
      {
        file: ACCESS_TOKEN,
        find: 'if (jws.payload.iss !== expected.issuer) return refuse("access-token-issuer");',
        replace: "",
      },
      {
        file: ACCESS_TOKEN,
        find: 'if (claims.iss !== expected.issuer) return refuse("access-token-issuer");',
        replace: "",
      },
    ],
    tests: [{ file: PROTECT_TEST, names: [`${NO_COUNT} > another issuer's claim under our own key: ${ON_RECORD}`] }],
  },
];
