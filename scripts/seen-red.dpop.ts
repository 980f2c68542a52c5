/** Checks of DPoP proofs themselves, wherever they are taken. */
import type { Row } from "./seen-red.table.ts";

const PROTOCOL = "packages/protocol/src";
const RESOURCE = "packages/resource/src";
const SERVER = "packages/server/src";
const DPOP = `${PROTOCOL}/dpop.ts`;

const DPOP_TEST = `${PROTOCOL}/dpop.test.ts`;
const EXCHANGE_TEST = "test/exchange-dpop.test.ts";
const REDEEM_TEST = `${RESOURCE}/redeem/binding.test.ts`;
const HOSTILE_TEST = "test/hostile-proofs.test.ts";

const PROOF = "a DPoP proof";
const REFUSED = "a DPoP proof is refused";
const EXCHANGED = "an exchange with a DPoP proof";
const BOUND = "an ID-JAG that is bound to a key";
const AT_RESOURCE = "a token that is bound to a key, at the resource";

/** The same case at both token endpoints. */
const atBoth = (name: string): readonly string[] =>
  ["exchange", "redemption"].map((door) => `at the ${door} > ${REFUSED} > ${name}`);

export const DPOP_ROWS: readonly Row[] = [
  {
    bug: "DPoP proof that another key signed",
    check: "the signature is checked with the key in the proof",
    changes: [
      {
        file: DPOP,
        find: 'if (fault !== undefined) return refuse("dpop-signature", fault);',
        replace: "void fault;",
      },
    ],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > with another key than it was signed with is refused`] },
      { file: HOSTILE_TEST, names: atBoth("with somebody else's key") },
    ],
  },
  {
    bug: "DPoP proof for another method",
    check: "`htm` is the request's method, letter by letter",
    changes: [{ file: DPOP, find: 'if (htm !== expected.method) return refuse("dpop-method");', replace: "void htm;" }],
    tests: [
      {
        file: DPOP_TEST,
        names: [`${PROOF} > with another method is refused`, `${PROOF} > with the method in lower case is refused`],
      },
      { file: EXCHANGE_TEST, names: [`${EXCHANGED} > for another method is refused`] },
      { file: REDEEM_TEST, names: [`${BOUND} > with a proof for another method is refused`] },
    ],
  },
  {
    bug: "DPoP proof for another URL",
    check: "`htu` is the configured URL of what was called",
    changes: [
      {
        file: DPOP,
        find: 'if (typeof htu !== "string" || !sameUrl(htu, expected.url)) return refuse("dpop-url");',
        replace: "void [htu, sameUrl];",
      },
    ],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > with another host is refused`, `${PROOF} > with no URL is refused`] },
      { file: EXCHANGE_TEST, names: [`${EXCHANGED} > for the endpoint next door is refused`] },
      { file: REDEEM_TEST, names: [`${AT_RESOURCE} > with a proof for another URL is refused with 401`] },
      { file: HOSTILE_TEST, names: atBoth("for another scheme") },
    ],
  },
  {
    bug: "URL of a DPoP proof matched by prefix",
    check: "origin and path of `htu` are compared whole",
    changes: [
      {
        file: DPOP,
        find: "withoutQuery(a) === withoutQuery(b)",
        replace: "withoutQuery(a).startsWith(withoutQuery(b))",
      },
    ],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > with another path is refused`] },
      { file: HOSTILE_TEST, names: atBoth("for a path that goes on") },
    ],
  },
  {
    bug: "DPoP proof from the future, kept for later",
    check: "`iat` lies no further ahead than clocks may differ",
    changes: [{ file: DPOP, find: "if (iat > now + DPOP_LIMITS.skew)", replace: "if (iat < 0)" }],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > with a time in five minutes is refused`] },
      { file: EXCHANGE_TEST, names: [`${EXCHANGED} > of five minutes ahead is refused`] },
      { file: REDEEM_TEST, names: [`${BOUND} > with a proof of five minutes ahead is refused`] },
    ],
  },
  {
    bug: "Old DPoP proof accepted",
    check: "`iat` is a minute old at the most, where no nonce says when the proof was made",
    changes: [{ file: DPOP, find: "if (!nonceGood && iat < now - DPOP_LIMITS.maxAge)", replace: "if (iat < -1)" }],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > with a time of five minutes ago is refused`] },
      { file: EXCHANGE_TEST, names: [`${EXCHANGED} > five minutes old is refused`] },
      { file: REDEEM_TEST, names: [`${AT_RESOURCE} > with an old proof is refused with 401`] },
    ],
  },
  {
    bug: "DPoP proof used twice, or a hundred times at once",
    check: "the first mark of a proof counts",
    changes: [
      {
        file: DPOP,
        find: 'return (await markUsed(...mark)) === "first" ? ok({ jkt }) : refuse("dpop-replayed");',
        replace: "await markUsed(...mark); return ok({ jkt });",
      },
    ],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > counts once; another key's jti is its own`] },
      { file: EXCHANGE_TEST, names: [`${EXCHANGED} > counts once, whoever is first of a hundred`] },
      { file: REDEEM_TEST, names: [`${BOUND} > takes a proof once, of a hundred at the same time`] },
      { file: HOSTILE_TEST, names: atBoth("a hundred times at once: one counts") },
    ],
  },
  {
    bug: "DPoP proof without the server's nonce",
    check: "a server with nonces takes no proof without one",
    changes: [
      {
        file: DPOP,
        find: 'if (nonces && !nonceGood) return refuse("dpop-nonce-wanted");',
        replace: "",
      },
    ],
    tests: [
      { file: DPOP_TEST, names: ["nonces > are wanted where the server has some"] },
      {
        file: EXCHANGE_TEST,
        names: ["a server with nonces > asks for one at the exchange and at sign-in, and takes it at both"],
      },
      { file: REDEEM_TEST, names: ["a server with nonces asks for one, and takes the one that it gave"] },
    ],
  },
  {
    bug: "Any nonce is good, at the app",
    check: "a nonce is an HMAC of ours, of this period or one beside it",
    changes: [
      { file: `${PROTOCOL}/dpop-nonces.ts`, find: "return good.includes(nonce);", replace: 'return nonce !== "";' },
    ],
    tests: [
      {
        file: `${PROTOCOL}/dpop-nonces.test.ts`,
        names: ["a nonce > of another secret, or of none, is not accepted", "a nonce > an hour later"],
      },
      { file: REDEEM_TEST, names: ["a server with nonces asks for one, and takes the one that it gave"] },
    ],
  },
  {
    bug: "Any nonce is good, at the IdP",
    check: "a nonce is made of the secret that sign-in and exchange share, for this period or one beside it",
    changes: [
      {
        file: `${SERVER}/idp/nonces.ts`,
        find: "nonceOf(period + offset) === nonce",
        replace: "nonceOf(period + offset) !== nonce",
      },
    ],
    tests: [
      {
        file: HOSTILE_TEST,
        names: ["a server with nonces refuses a proof > with one of another server, and gives a good one"],
      },
    ],
  },
  {
    bug: "DPoP proof for another access token",
    check: "`ath` is the hash of the token that comes with it",
    changes: [
      {
        file: DPOP,
        find: "expected.accessToken !== undefined && ath !== (await accessTokenHash(expected.accessToken))",
        replace: "ath === accessTokenHash",
      },
    ],
    tests: [
      { file: DPOP_TEST, names: [`${PROOF} > with an access token is for that token alone`] },
      { file: REDEEM_TEST, names: [`${AT_RESOURCE} > with a proof for another token is refused with 401`] },
      { file: HOSTILE_TEST, names: ["at the resource > a proof without ath opens nothing"] },
    ],
  },
];
