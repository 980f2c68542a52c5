/** Checks of possession: certificates, and what is bound to them or to a DPoP key, at IdP, receiver and resource. */
import type { Row } from "./seen-red.table.ts";

const PROTOCOL = "packages/protocol/src";
const CONFIRMATION = `${PROTOCOL}/confirmation.ts`;
const ISSUER = "packages/issuer/src/exchange";
const RESOURCE = "packages/resource/src";
const SERVER = "packages/server/src";

const CONFIRMATION_TEST = `${PROTOCOL}/confirmation.test.ts`;
const EXCHANGE_TEST = "test/exchange-dpop.test.ts";
const MTLS_TEST = "test/exchange-mtls.test.ts";
const HOSTILE_TEST = "test/hostile-proofs.test.ts";
const REDEEM_TEST = `${RESOURCE}/redeem/binding.test.ts`;

const EXCHANGED = "an exchange with a DPoP proof";
const BOUND = "an ID-JAG that is bound to a key";
const UNBOUND = "an ID-JAG that is bound to nothing";
const AT_RESOURCE = "a token that is bound to a key, at the resource";

export const POSSESSION_ROWS: readonly Row[] = [
  {
    bug: "ID-JAG bound to a key or certificate redeemed without it",
    check: "what the ID-JAG is bound to is what the request proves",
    changes: [
      {
        file: `${RESOURCE}/redeem/proof.ts`,
        find: 'return proven !== undefined && sameConfirmation(cnf, proven) ? ok(cnf) : refuse("id-jag-bound");',
        replace: "void sameConfirmation; return ok(cnf);",
      },
    ],
    tests: [
      {
        file: REDEEM_TEST,
        names: [
          `${BOUND} > and no proof is refused`,
          `${BOUND} > and a proof of another key is refused`,
          "a certificate > that is missing is refused",
          "a certificate > that is another is refused",
        ],
      },
    ],
  },
  {
    bug: "ID-JAG bound to a key redeemed with another key (`jkt` not compared)",
    check: "the thumbprints are compared, not only there",
    changes: [{ file: CONFIRMATION, find: "a.jkt === b.jkt &&", replace: "" }],
    tests: [
      { file: REDEEM_TEST, names: [`${BOUND} > and a proof of another key is refused`] },
      {
        file: CONFIRMATION_TEST,
        names: ["for all confirmations > two are the same only where kind and thumbprint are"],
      },
    ],
  },
  {
    bug: 'Client certificate other than the one in `cnf["x5t#S256"]`',
    check: "the thumbprints are compared, not only there",
    changes: [{ file: CONFIRMATION, find: '&& a["x5t#S256"] === b["x5t#S256"]', replace: "" }],
    tests: [
      { file: REDEEM_TEST, names: ["a certificate > that is another is refused"] },
      {
        file: CONFIRMATION_TEST,
        names: ["for all confirmations > two are the same only where kind and thumbprint are"],
      },
    ],
  },
  {
    bug: "`jkt` and `x5t#S256` side by side, of which one is proven",
    check: "a confirmation is exactly one thumbprint",
    changes: [{ file: CONFIRMATION, find: "more.length > 0", replace: "more.length > 9" }],
    tests: [
      {
        file: `${RESOURCE}/redeem/redeem.test.ts`,
        names: ["an ID-JAG that does not bind to this server, client or issuer is refused > a cnf of two kinds"],
      },
      {
        file: CONFIRMATION_TEST,
        names: [
          "for all confirmations > nothing beside the one thumbprint is passed over: with any further member there is none",
        ],
      },
    ],
  },
  {
    bug: "DPoP proof at the exchange, and an ID-JAG that is bound to nothing",
    check: "a proven key always binds",
    changes: [
      {
        file: `${ISSUER}/exchange.ts`,
        find: "return binding?.jkt !== undefined || permit.bindCertificate === true ? binding : undefined;",
        replace: "return permit.bindCertificate === true && binding?.jkt === undefined ? binding : undefined;",
      },
    ],
    tests: [
      {
        file: `${ISSUER}/proof.test.ts`,
        names: [`${EXCHANGED} > binds the ID-JAG to the proof's key, and the record says so`],
      },
      { file: EXCHANGE_TEST, names: [`${EXCHANGED} > gives an ID-JAG for its key, and the record says so`] },
    ],
  },
  {
    bug: "DPoP proof passed over where a certificate is shown",
    check: "a proof wins over a certificate, and is checked whatever the certificate",
    changes: [
      {
        file: `${PROTOCOL}/proof-of-possession.ts`,
        find: "if (header !== null) {",
        replace: "if (header !== null && certificate === undefined) {",
      },
    ],
    tests: [
      {
        file: MTLS_TEST,
        names: [
          "an exchange on whose connection the client showed a certificate > and that has a DPoP proof is bound to the key alone: x5t#S256 never stands beside jkt",
          "an exchange on whose connection the client showed a certificate > with a proof for another URL is refused, whatever the certificate",
        ],
      },
    ],
  },
  {
    bug: "`jwt-dpop` without a proof",
    check: "the grant that is named after the proof is refused without one",
    changes: [
      {
        file: `${RESOURCE}/redeem/redeem.ts`,
        find: 'form.get("grant_type") === JWT_DPOP_GRANT && binding?.jkt === undefined',
        replace: 'form.get("grant_type") === "" && binding?.jkt === JWT_DPOP_GRANT',
      },
    ],
    tests: [
      { file: REDEEM_TEST, names: [`${UNBOUND} > gives a bearer token without a proof, and none by the DPoP grant`] },
      { file: "test/hostile.test.ts", names: ["at the redemption alone > the DPoP grant without a proof"] },
    ],
  },
  {
    bug: "Public client with one leg bound only: it redeems somebody's unbound ID-JAG with a key of its own",
    check: "a public client redeems what is bound to its key, and nothing else",
    changes: [
      {
        file: `${RESOURCE}/redeem/redeem.ts`,
        find: 'if (client.method === "none" && unbound) return refuse("id-jag-unbound", "public client");',
        replace: "",
      },
      {
        file: `${RESOURCE}/redeem/redeem.ts`,
        find: 'if (client.dpopBound && unbound) return refuse("id-jag-unbound", "the client is DPoP-bound, and the ID-JAG is not");',
        replace: "",
      },
    ],
    tests: [
      {
        file: REDEEM_TEST,
        names: ["a public client > redeems nothing without a proof, or with somebody's unbound ID-JAG"],
      },
    ],
  },
  {
    bug: "Public agent exchanges though nobody bound it to a key",
    check: "a public agent is marked as DPoP-bound by the organization, and proves a key",
    changes: [
      {
        file: `${SERVER}/idp/client.ts`,
        find: "allowsPublic: ({ agent }) => agent.dpopBound === true && binding?.jkt !== undefined,",
        replace: "allowsPublic: ({ agent }) => agent.enabled,",
      },
    ],
    tests: [
      {
        file: EXCHANGE_TEST,
        names: ["an agent that is DPoP-bound > may be public: it exchanges with its key, and with nothing else"],
      },
      {
        file: "test/exchange.test.ts",
        names: ["binding bugs that peers have shipped > a public client, or one that proves nothing, gets nothing"],
      },
    ],
  },
  {
    bug: "Agent that is DPoP-bound exchanges without a proof",
    check: "its every exchange proves a key",
    changes: [
      {
        file: `${SERVER}/idp/client.ts`,
        find: 'return agent.dpopBound && binding?.jkt === undefined ? refuse("binding-missing") : outcome;',
        replace: "return outcome;",
      },
    ],
    tests: [{ file: EXCHANGE_TEST, names: ["an agent that is DPoP-bound > is refused without a proof"] }],
  },
  {
    bug: "Connection that wants bound ID-JAGs gives an unbound one",
    check: "the condition holds where a key or certificate is proven",
    changes: [
      {
        file: `${SERVER}/policy/conditions.ts`,
        find: '"binding-missing": bound !== true || binding !== undefined,',
        replace: '"binding-missing": bound !== null || binding !== null,',
      },
    ],
    tests: [
      {
        file: EXCHANGE_TEST,
        names: ["a connection that wants bound ID-JAGs > gives none without a proof, and one with it"],
      },
      {
        file: MTLS_TEST,
        names: [
          "an exchange without a certificate that counts is not bound: > and a connection that wants bound ID-JAGs then gives none",
        ],
      },
    ],
  },
  {
    bug: "Certificate in a header that the client wrote itself",
    check:
      "the header counts from a trusted proxy, and is removed from everybody else (two checks: both are taken out)",
    changes: [
      {
        file: `${SERVER}/http/certificate.ts`,
        find: "if (enabled && isProxy(req)) return;",
        replace: "if (enabled) return;",
      },
      {
        file: `${SERVER}/http/certificate.ts`,
        find: "if (isProxy(req)) return parseClientCertHeader",
        replace: "if (enabled || isProxy(req)) return parseClientCertHeader",
      },
    ],
    tests: [
      {
        file: EXCHANGE_TEST,
        names: ["a client certificate > that a client writes into the header itself binds nothing"],
      },
    ],
  },
  {
    bug: "Certificate that nobody's CA has issued binds",
    check: "the TLS listener has validated its chain",
    changes: [
      {
        file: `${SERVER}/http/certificate.ts`,
        find: "socket instanceof TLSSocket && socket.authorized ?",
        replace: "socket instanceof TLSSocket && socket.getPeerX509Certificate() ?",
      },
    ],
    tests: [
      {
        file: MTLS_TEST,
        names: ["one of somebody else's CA", "one that signed itself", "one for servers"].map(
          (one) => `an exchange without a certificate that counts is not bound: > ${one}`,
        ),
      },
    ],
  },
  {
    bug: "Certificate of the proxy in front taken for its client's",
    check: "over a trusted proxy's connection only what it hands on counts",
    changes: [
      {
        file: `${SERVER}/http/certificate.ts`,
        find: "if (isProxy(req)) return parse",
        replace: "if (isProxy(req) && req.headersDistinct[HEADER]) return parse",
      },
    ],
    tests: [
      {
        file: MTLS_TEST,
        names: [
          "a proxy that ends TLS, and comes to the server with a certificate of its own > is not the client: what it hands on counts, and its own certificate does not",
        ],
      },
    ],
  },
  {
    bug: "DPoP proof of a refresh used again at the exchange of the same endpoint",
    check: "one mark for all grants of the token endpoint",
    changes: [
      {
        file: `${SERVER}/sign-in/overrides.ts`,
        find: 'return (await markProofUsed(...proof.value.mark)) === "first";',
        replace: "return true;",
      },
    ],
    tests: [
      {
        file: EXCHANGE_TEST,
        names: [
          "a DPoP proof at the token endpoint > counts once for all grants: used at a refresh, it is used up for the exchange, and the other way round",
        ],
      },
    ],
  },
  {
    bug: "Bound access token used as a bearer token",
    check: "a token that is bound to a key comes by the DPoP scheme",
    changes: [
      { file: `${RESOURCE}/protect/possession.ts`, find: 'scheme !== "dpop" || typeof dpop', replace: "typeof dpop" },
    ],
    tests: [
      {
        file: HOSTILE_TEST,
        names: ["at the resource > a bound token as a bearer token, beside its proof opens nothing"],
      },
    ],
  },
  {
    bug: "Bearer token taken as a bound one",
    check: "what comes by the DPoP scheme is bound to a key",
    changes: [
      {
        file: `${RESOURCE}/protect/possession.ts`,
        find: 'if (scheme === "dpop") return refuse("access-token-proof", "the token is not bound to a key");',
        replace: "",
      },
    ],
    tests: [
      { file: REDEEM_TEST, names: [`${AT_RESOURCE} > a bearer token is not taken as a bound one`] },
      { file: HOSTILE_TEST, names: ["at the resource > a bearer token as a bound one opens nothing"] },
    ],
  },
  {
    bug: "Bound access token used with another key",
    check: "the proof's key is the token's",
    changes: [
      {
        file: `${RESOURCE}/protect/possession.ts`,
        find: 'if (proven.value.jkt !== cnf.jkt) return refuse("access-token-proof", "another key");',
        replace: "",
      },
    ],
    tests: [{ file: REDEEM_TEST, names: [`${AT_RESOURCE} > with another's proof is refused with 401`] }],
  },
  {
    bug: "Access token of one certificate used with another",
    check: "the thumbprint is compared",
    changes: [
      {
        file: `${RESOURCE}/protect/possession.ts`,
        find: 'return shown.value["x5t#S256"] === cnf["x5t#S256"] ? ok(true) : refuse("access-token-proof", "another certificate");',
        replace: "return ok(true);",
      },
    ],
    tests: [
      {
        file: REDEEM_TEST,
        names: ["a certificate > that an ID-JAG is bound to gives a bearer token for it, which nobody else can use"],
      },
    ],
  },
];
