/**
 * Checks of what stands behind a grant, and of how far it goes: refresh tokens and actors, authorization details, names in
 * another namespace, revocation.
 */
import type { Row } from "./seen-red.table.ts";

const PROTOCOL = "packages/protocol/src";
const RESOURCE = "packages/resource/src";
const SERVER = "packages/server/src";

const REFRESH_TEST = "test/exchange-refresh-token.test.ts";
const DETAILS_TEST = "test/exchange-details.test.ts";
const REDEEM_DETAILS_TEST = `${RESOURCE}/redeem/details.test.ts`;
const REVOCATION_TEST = `${RESOURCE}/revocation.test.ts`;

const LATER = "as time goes by,";
const DETAILS = "authorization details of an ID-JAG";
const REVOKED = "kills the token that is out, and the ID-JAG that is not redeemed yet; what is issued later works";

export const GRANT_ROWS: readonly Row[] = [
  {
    bug: "Refresh token of another client, as a subject token",
    check: "the refresh token was issued to the client that authenticated",
    changes: [
      {
        file: `${SERVER}/idp/refresh-token.ts`,
        find: 'if (found.agentId !== agent.id) return refuse("subject-token-audience", "refresh token");',
        replace: "",
      },
    ],
    tests: [{ file: REFRESH_TEST, names: ["a refresh token > of another agent is refused"] }],
  },
  {
    bug: "Refresh token that was used up, as a subject token",
    check: "a used refresh token stands for nobody",
    changes: [{ file: `${SERVER}/sign-in/refresh-tokens.ts`, find: "!found.isValid || ", replace: "" }],
    tests: [
      {
        file: REFRESH_TEST,
        names: [
          "a refresh token > that was used up by a rotation is worth nothing, and its grant lives on until somebody refreshes with it",
        ],
      },
    ],
  },
  {
    bug: "Refresh token that is bound to a key, exchanged without it",
    check: "what the refresh token is bound to is what the request proves",
    changes: [
      {
        file: `${SERVER}/idp/refresh-token.ts`,
        find: "found.binding !== undefined && !(binding !== undefined && sameConfirmation(found.binding, binding))",
        replace: "found.binding !== undefined && sameConfirmation === undefined && binding !== undefined",
      },
    ],
    tests: [
      {
        file: REFRESH_TEST,
        names: ["a refresh token that is bound to a key > exchanges with a proof of that key, and of no other"],
      },
    ],
  },
  {
    bug: "Agent acts for a person who signed in years ago",
    check: "an offline grant counts no longer than the agent may act without the person",
    changes: [
      {
        file: `${SERVER}/idp/refresh-token.ts`,
        find: "if (agent.offlineMaxAge !== undefined && !(",
        replace: "if (agent.offlineMaxAge === 0 && !(",
      },
    ],
    tests: [
      {
        file: REFRESH_TEST,
        names: [`a refresh token, ${LATER} > counts no longer than the agent may act without the person`],
      },
    ],
  },
  {
    bug: "Client gives back another client's refresh token, and ends its grant",
    check: "the token was issued to the client that gives it back",
    changes: [
      {
        file: `${SERVER}/sign-in/configuration.ts`,
        find: "if (token.clientId !== client.clientId) throw",
        replace: 'if (token.clientId === "") throw',
      },
    ],
    tests: [
      {
        file: REFRESH_TEST,
        names: [
          "a refresh token that its client gives back (RFC 7009) > is left as it is where another client tries, who is told; or one that does not prove itself",
        ],
      },
    ],
  },
  {
    bug: "`sub` of an ID-JAG is not the one that the app sees in single sign-on",
    check: "one function names a person, for the app's ID token and for its ID-JAGs",
    changes: [
      {
        file: `${SERVER}/sign-in/configuration.ts`,
        find: "const name = person && app && subjectFor(person, app, naming);",
        replace: "const name = person && app && naming && person.id;",
      },
    ],
    tests: [
      {
        file: "test/naming.test.ts",
        names: ["an id that only this app sees", "the app's own id", "her address"].map(
          (kind) => `the name of a person > is ${kind}, in the app's ID token and in the ID-JAG alike`,
        ),
      },
    ],
  },
  {
    bug: "Actor that no connection allows",
    check: "a connection names its actors, and none is allowed by default",
    changes: [
      {
        file: `${SERVER}/policy/conditions.ts`,
        find: "actor === undefined || (connection.actors?.includes(actor) ?? false)",
        replace: 'actor !== ""',
      },
    ],
    tests: [{ file: DETAILS_TEST, names: ["an actor > that the connection does not name is refused by name"] }],
  },
  {
    bug: "Actor token that somebody else signed",
    check: "the actor's own registered key has signed it",
    changes: [
      {
        file: `${SERVER}/idp/actor.ts`,
        find: 'if (fault !== undefined) return refuse("actor-token-invalid", fault);',
        replace: "void fault;",
      },
    ],
    tests: [{ file: DETAILS_TEST, names: ["an actor > by another's key, or off, or by another type, is refused"] }],
  },
  {
    bug: "Actor token for another server, or for several",
    check: "the audience is our issuer alone",
    changes: [
      {
        file: `${SERVER}/idp/actor.ts`,
        find: 'if (singleAudience(aud) !== issuer) return refuse("actor-token-invalid", "aud");',
        replace: "void [singleAudience, aud, issuer];",
      },
    ],
    tests: [
      {
        file: DETAILS_TEST,
        names: [
          "an actor > by a token for another server is refused",
          "an actor > by a token for us and others is refused",
        ],
      },
    ],
  },
  {
    bug: "Actor token used again",
    check: "the first mark of its `jti` counts",
    changes: [
      {
        file: `${SERVER}/idp/actor.ts`,
        find: 'return used === "first" ? ok(',
        replace: "return used !== undefined ? ok(",
      },
    ],
    tests: [{ file: DETAILS_TEST, names: ["an actor > proves itself once"] }],
  },
  {
    bug: "Actor silently dropped: the agent acts unseen",
    check: "an actor that the decision passes over refuses the request",
    changes: [
      {
        file: "packages/issuer/src/exchange/exchange.ts",
        find: 'if (actor.value !== undefined && permit.actor === undefined) return refuse("actor-not-covered");',
        replace: "",
      },
    ],
    tests: [
      {
        file: "packages/issuer/src/exchange/proof.test.ts",
        names: ["an actor token > that the decision passes over refuses the request"],
      },
    ],
  },
  {
    bug: "Authorization details of an unknown type, at the IdP",
    check: "an app's types are registered, and any other refuses the whole request",
    changes: [
      {
        file: `${SERVER}/policy/decide.ts`,
        find: "authorizationDetails.some(({ type }) => !Object.hasOwn(types, type))",
        replace: 'authorizationDetails.some(({ type }) => type === "" && types === undefined)',
      },
    ],
    tests: [{ file: DETAILS_TEST, names: ["authorization details > of a type that the app lacks are refused"] }],
  },
  {
    bug: "Authorization details beyond the connection",
    check: "what is granted lies within what a connection names (two checks: both are taken out)",
    changes: [
      {
        file: `${SERVER}/policy/conditions.ts`,
        find: "const details = narrowDetails(asked.authorizationDetails ?? [], connection.authorizationDetails ?? []);",
        replace: "const details = narrowDetails(asked.authorizationDetails ?? [], asked.authorizationDetails ?? []);",
      },
      {
        file: `${SERVER}/policy/decide.ts`,
        find: "return narrowDetails(asked.authorizationDetails ?? [], limits);",
        replace: "void [narrowDetails, limits]; return asked.authorizationDetails ?? [];",
      },
    ],
    tests: [
      {
        file: DETAILS_TEST,
        names: [
          "authorization details > are granted as the connection limits them, in the ID-JAG, in the answer and on record",
          "authorization details > that no connection grants are refused",
        ],
      },
    ],
  },
  {
    bug: "Authorization details widened where they should be narrowed",
    check: "lists are cut to what both name",
    changes: [
      {
        file: `${PROTOCOL}/authorization-details.ts`,
        find: "narrowed[name] = common;",
        replace: "narrowed[name] = wanted;",
      },
    ],
    tests: [
      {
        file: `${PROTOCOL}/authorization-details.test.ts`,
        names: [
          "what is asked for is narrowed > to the actions of both",
          "for all details > the narrowed one is never wider than either: it names no item, and says nothing, that either does not allow",
        ],
      },
      { file: REDEEM_DETAILS_TEST, names: [`${DETAILS} > are narrowed by the request, and by local policy`] },
    ],
  },
  {
    bug: "Authorization details of an unknown type dropped, and more granted than the IdP meant",
    check: "every detail of an ID-JAG is understood by the app, or it is refused",
    changes: [
      {
        file: `${RESOURCE}/redeem/offer.ts`,
        find: 'if (type === undefined) return refuse("authorization-details-unknown");',
        replace: "if (type === undefined) continue;",
      },
    ],
    tests: [
      {
        file: REDEEM_DETAILS_TEST,
        names: [
          `${DETAILS} > of a type that is unknown here are refused, not left out`,
          `${DETAILS} > of a type like a member of every object are refused, not left out`,
        ],
      },
    ],
  },
  {
    bug: "Authorization details widened by the request, at the app",
    check: "what the request names lies within the ID-JAG's",
    changes: [
      {
        file: `${RESOURCE}/redeem/offer.ts`,
        find: 'if (asked !== undefined && !detailsNarrow(asked, claimed)) return refuse("authorization-details-differ");',
        replace: "void detailsNarrow;",
      },
    ],
    tests: [
      {
        file: REDEEM_DETAILS_TEST,
        names: [
          `${DETAILS} > that the request widens are refused, not left out`,
          `${DETAILS} > that the request adds are refused, not left out`,
          `${DETAILS} > to which the request adds a member are refused, not left out`,
        ],
      },
    ],
  },
  {
    bug: "`sub_id` of a SAML issuer that nobody trusts opens an account",
    check: "a SAML issuer counts where it is configured for the ID-JAG's own",
    changes: [
      {
        file: `${RESOURCE}/redeem/sub-id.ts`,
        find: "if (saml === undefined || nameId.issuer !== saml.issuer)",
        replace: "if (saml === null)",
      },
    ],
    tests: [
      {
        file: REDEEM_DETAILS_TEST,
        names: [
          "a person's NameID > of another SAML issuer is refused where one is needed",
          "a person's NameID > of an issuer that is not configured finds nobody",
        ],
      },
    ],
  },
  {
    bug: "ID-JAG redeemed after its access was revoked",
    check: "its root is alive when it is redeemed",
    changes: [
      {
        file: `${RESOURCE}/redeem/redeem.ts`,
        find: 'if (!alive) return refuse("id-jag-revoked");',
        replace: "void alive;",
      },
    ],
    tests: [
      {
        file: REVOCATION_TEST,
        names: ["of a person", "of a person's client", "of one ID-JAG"].map(
          (what) => `a revocation, where tokens are jwt, > ${what} ${REVOKED}`,
        ),
      },
    ],
  },
  {
    bug: "Access token that outlives the revocation of what it came from",
    check: "its root is alive at every call",
    changes: [
      {
        file: `${RESOURCE}/protect/check.ts`,
        find: 'return (await ports.isAlive(livenessOf(checked.value))) ? checked : refuse("access-token-revoked");',
        replace: "return checked;",
      },
    ],
    tests: [
      {
        file: REVOCATION_TEST,
        names: ["jwt", "opaque"].map((format) => `a revocation, where tokens are ${format}, > of a person ${REVOKED}`),
      },
    ],
  },
  {
    bug: "ID-JAG of the very second of a revocation",
    check: "a tie is dead: nobody knows the order within a second",
    changes: [{ file: `${RESOURCE}/revocation.ts`, find: "since > epoch", replace: "since >= epoch" }],
    tests: [
      {
        file: REVOCATION_TEST,
        names: ["a revocation > leaves what is rooted later alone, and what is rooted in its very second dead"],
      },
    ],
  },
  {
    bug: "Opaque access token of another server on the same store",
    check: "`iss` of what the store knows is our issuer",
    changes: [
      {
        file: `${RESOURCE}/access-token/access-token.ts`,
        find: 'if (claims.iss !== expected.issuer) return refuse("access-token-issuer");',
        replace: "",
      },
    ],
    tests: [
      {
        file: `${RESOURCE}/access-token/opaque.test.ts`,
        names: ["an opaque token > of another server on the same store is that server's"],
      },
    ],
  },
];
