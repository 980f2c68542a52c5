/** Checks of the client: answers against the question, credentials and tokens with their issuer. */
import type { Row } from "./seen-red.table.ts";

const SRC = "packages/client/src";
const EXCHANGE = `${SRC}/exchange.ts`;
const REDEEM = `${SRC}/redeem.ts`;
const BINDING = `${SRC}/binding.test.ts`;

const CLIENT_DPOP_TEST = "test/standards/client-dpop.test.ts";

const NOT_USED = "an ID-JAG is not used, and never reaches the app, when";
const TOKEN = "an access token is not used when";
const DROPS = "a client that has proven something drops what is not bound to it:";
const STAY = "credentials stay with their issuer when";

export const CLIENT_ROWS: readonly Row[] = [
  {
    bug: "Returned `aud` unchecked by the client",
    check: "`aud` is the audience that was asked for, letter by letter",
    changes: [
      {
        file: EXCHANGE,
        find: 'if (claims.aud !== request.audience) throw mismatch(where, "id-jag-audience", "the ID-JAG is for another audience");',
        replace: "",
      },
    ],
    tests: [
      {
        file: BINDING,
        names: [`${NOT_USED} > its aud is another app`, `${NOT_USED} > its aud only begins like the app`],
      },
    ],
  },
  {
    bug: "Returned `aud` matched by prefix",
    check: "`aud` is the audience that was asked for, letter by letter",
    changes: [
      { file: EXCHANGE, find: "claims.aud !== request.audience", replace: "!claims.aud.startsWith(request.audience)" },
    ],
    tests: [{ file: BINDING, names: [`${NOT_USED} > its aud only begins like the app`] }],
  },
  {
    bug: "Returned `iss` unchecked by the client",
    check: "`iss` is the IdP",
    changes: [
      {
        file: EXCHANGE,
        find: 'if (claims.iss !== expected.issuer) throw mismatch(where, "id-jag-issuer", "the ID-JAG names another issuer");',
        replace: "",
      },
    ],
    tests: [{ file: BINDING, names: [`${NOT_USED} > its iss is another issuer`] }],
  },
  {
    bug: "Returned `client_id` unchecked by the client",
    check: "`client_id` is the agent's id at the app",
    changes: [
      {
        file: EXCHANGE,
        find: "if (claims.client_id !== expected.clientId) {",
        replace: 'if (claims.client_id === "") {',
      },
    ],
    tests: [{ file: BINDING, names: [`${NOT_USED} > its client_id is the client's id at the IdP`] }],
  },
  {
    bug: "Returned `resource` unchecked by the client, in the ID-JAG",
    check: "`resource` is the one that was asked for",
    changes: [{ file: EXCHANGE, find: "checkResource(claims.resource, request.resource, where);", replace: "" }],
    tests: [
      { file: BINDING, names: [`${NOT_USED} > its resource is another`, `${NOT_USED} > its resource is one more`] },
    ],
  },
  {
    bug: "A server that names somebody else's authorization server as its own gets that one's tokens (confused deputy)",
    check: "where the two are not at one origin, the ID-JAG names the resource",
    changes: [
      {
        file: EXCHANGE,
        find: "checkResourceNamed(claims.resource, request, where);",
        replace: "void checkResourceNamed;",
      },
    ],
    tests: [
      {
        file: BINDING,
        names: [`${NOT_USED} > it does not name a resource that is elsewhere than its authorization server`],
      },
    ],
  },
  {
    bug: "Returned `resource` unchecked by the client, in the IdP's answer",
    check: "`resource` is the one that was asked for",
    changes: [{ file: EXCHANGE, find: "checkResource(answer.resource, request.resource, where);", replace: "" }],
    tests: [{ file: BINDING, names: [`${NOT_USED} > the answer names another resource`] }],
  },
  {
    bug: "Returned `resource` unchecked by the client, in the app's answer",
    check: "`resource` is the one that was asked for",
    changes: [{ file: REDEEM, find: "checkResource(token.resource, request.resource, where);", replace: "" }],
    tests: [{ file: BINDING, names: [`${TOKEN} > it is for another resource`] }],
  },
  {
    bug: "Scope wider than asked, in the ID-JAG",
    check: "every scope was asked for",
    changes: [{ file: EXCHANGE, find: "checkScope(claims.scope, request.scope, where);", replace: "" }],
    tests: [{ file: BINDING, names: [`${NOT_USED} > its scope is wider than asked`] }],
  },
  {
    bug: "Scope wider than asked, in the IdP's answer",
    check: "every scope was asked for",
    changes: [{ file: EXCHANGE, find: "checkScope(answer.scope, request.scope, where);", replace: "" }],
    tests: [{ file: BINDING, names: [`${NOT_USED} > the answer's scope is wider than asked`] }],
  },
  {
    bug: "Scope wider than granted, in the app's answer",
    check: "every scope stands in the ID-JAG",
    changes: [{ file: REDEEM, find: "checkScope(token.scope, granted.scope, where);", replace: "" }],
    tests: [{ file: BINDING, names: [`${TOKEN} > its scope is wider than the ID-JAG's`] }],
  },
  {
    bug: "Scope wider than granted, behind the MCP SDK",
    check: "every scope stands in the ID-JAG",
    changes: [
      {
        file: `${SRC}/mcp-provider.ts`,
        find: "checkScope(tokens.scope, granted, where);",
        replace: "void [checkScope, granted];",
      },
    ],
    tests: [
      {
        file: `${SRC}/mcp.test.ts`,
        names: ["the full provider > uses no token whose scope is wider than the ID-JAG's"],
      },
    ],
  },
  {
    bug: "Access token taken for an ID-JAG",
    check: "`issued_token_type` is the ID-JAG's",
    changes: [
      {
        file: "packages/protocol/src/token-exchange.ts",
        find: 'if (answer?.issued_token_type !== ID_JAG_TOKEN_TYPE) throw wrong("issued_token_type");',
        replace: 'if (answer === undefined) throw wrong("issued_token_type");',
      },
    ],
    tests: [{ file: BINDING, names: [`${NOT_USED} > the answer says it is an access token`] }],
  },
  {
    bug: "ID-JAG used as a bearer token, because the app gave it back",
    check: "an access token is not the ID-JAG",
    changes: [
      {
        file: REDEEM,
        find: 'if (token.access_token === granted.idJag) throw mismatch(where, "id-jag-returned", "it gave the ID-JAG back");',
        replace: "",
      },
    ],
    tests: [{ file: BINDING, names: [`${TOKEN} > it is the ID-JAG itself`] }],
  },
  {
    bug: "Credential of one server sent to another (confused deputy)",
    check: "credentials are found by the exact issuer (the bug is put in: the first one is the fallback)",
    changes: [
      {
        file: `${SRC}/options.ts`,
        find: "return async (issuer) => byIssuer.get(issuer);",
        replace: "return async (issuer) => byIssuer.get(issuer) ?? [...byIssuer.values()][0];",
      },
    ],
    tests: [
      {
        file: BINDING,
        names: [
          `${STAY} > the resource names a server that the agent has none for (confused deputy)`,
          `${STAY} > the resource's server only looks like one that the agent knows`,
          `${STAY} > its own caller names a server that the agent has none for: not even metadata is asked of it`,
        ],
      },
    ],
  },
  {
    bug: "Access token sent to another origin",
    check: "a token goes to URLs that its resource covers",
    changes: [
      {
        file: `${SRC}/routes.ts`,
        find: "covers(resource, url)",
        replace: 'resource !== "" && covers !== undefined && url !== ""',
      },
    ],
    tests: [
      {
        file: `${SRC}/session.test.ts`,
        names: ["a call > to another origin goes without the token of the first"],
      },
    ],
  },
  {
    bug: "Access token carried along by a redirect",
    check: "a call with a token follows no redirect",
    changes: [
      {
        file: `${SRC}/call.ts`,
        find: 'headers: sent, redirect: "manual" }',
        replace: 'headers: sent, redirect: "follow" }',
      },
    ],
    tests: [
      {
        file: `${SRC}/session.test.ts`,
        names: ["a call > does not follow a redirect, so that its token stays at its origin"],
      },
    ],
  },
  {
    bug: "Renewal that brings somebody else's ID token",
    check: "`sub` stays the same",
    changes: [
      {
        file: `${SRC}/sign-in.ts`,
        find: "if (subjectOf(renewed.idToken) !== subjectOf(current.idToken)) {",
        replace: "if (subjectOf(renewed.idToken) === subjectOf) {",
      },
    ],
    tests: [
      { file: `${SRC}/sign-in.test.ts`, names: ["a renewal > that brings somebody else's ID token is not used"] },
    ],
  },
  {
    bug: "ID token of another IdP or client sent to this IdP",
    check: "`iss` and `aud` of a sign-in that is handed over",
    changes: [
      {
        file: `${SRC}/sign-in.ts`,
        find: 'if (iss !== context.idp.issuer) throw unusable(where, "is not one of this IdP");',
        replace: "void iss;",
      },
      {
        file: `${SRC}/sign-in.ts`,
        find: 'if (![aud].flat().includes(context.idp.client.clientId)) throw unusable(where, "is not for this client");',
        replace: "void aud;",
      },
    ],
    tests: [
      {
        file: `${SRC}/sign-in.test.ts`,
        names: [
          "a sign-in > that was made elsewhere for another IdP is not taken over",
          "a sign-in > that was made elsewhere for another client is not taken over",
        ],
      },
    ],
  },
  {
    bug: "Returned authorization details wider than asked, in the ID-JAG",
    check: "every detail lies within those that were asked for",
    changes: [
      {
        file: EXCHANGE,
        find: "checkDetails(claims.authorization_details, request.authorizationDetails, where);",
        replace: "",
      },
    ],
    tests: [{ file: BINDING, names: [`${NOT_USED} > its authorization details were not asked for`] }],
  },
  {
    bug: "Returned authorization details wider than asked, in the IdP's answer",
    check: "every detail lies within those that were asked for",
    changes: [
      {
        file: EXCHANGE,
        find: "checkDetails(answer.authorization_details, request.authorizationDetails, where);",
        replace: "",
      },
    ],
    tests: [{ file: BINDING, names: [`${NOT_USED} > the answer's authorization details were not asked for`] }],
  },
  {
    bug: "Returned authorization details wider than granted, in the app's answer",
    check: "every detail lies within the ID-JAG's",
    changes: [
      {
        file: REDEEM,
        find: "checkDetails(details, granted.claims.authorization_details, where);",
        replace: "void checkDetails;",
      },
    ],
    tests: [
      {
        file: BINDING,
        names: [`${TOKEN} > its authorization details are not the ID-JAG's`],
      },
    ],
  },
  {
    bug: "Binding of an ID-JAG silently dropped, unseen by the client (downgrade)",
    check: "the ID-JAG is bound to what the client has proven, and to nothing else",
    changes: [
      {
        file: EXCHANGE,
        find: "await checkBinding(context, idJag.claims, bind, where);",
        replace: "void checkBinding;",
      },
    ],
    tests: [
      { file: BINDING, names: [`${NOT_USED} > it is bound to a key that the agent does not have`] },
      {
        file: CLIENT_DPOP_TEST,
        names: ["an unbound ID-JAG", "one for another key"].map(
          (one) => `${DROPS} > ${one}, with a DPoP key; the app never sees it`,
        ),
      },
    ],
  },
  {
    bug: "Access token of another type than was proven for, unseen by the client (downgrade)",
    check: "`token_type` is DPoP where the client has proven a key, else Bearer",
    changes: [
      {
        file: REDEEM,
        find: "checkTokenType(token.token_type, where, bound);",
        replace: "void checkTokenType;",
      },
    ],
    tests: [
      { file: BINDING, names: [`${TOKEN} > it is of an unknown type`] },
      {
        file: CLIENT_DPOP_TEST,
        names: [`${DROPS} > an access token that is a bearer token; the resource never sees it`],
      },
    ],
  },
];
