/** Checks of the IdP: subject tokens, policy, codes and refresh tokens. */
import type { Row } from "./seen-red.table.ts";

const SERVER = "packages/server/src";
const SUBJECT = `${SERVER}/idp/subject.ts`;
const SUBJECT_TEST = `${SERVER}/idp/subject.test.ts`;
const OIDC_PROVIDER = "node_modules/oidc-provider/lib";
const EXCHANGE = "test/exchange.test.ts";
const TOKENS = `${SERVER}/sign-in/tokens.test.ts`;
const LIVENESS = `${SERVER}/sign-in/liveness.test.ts`;
const STORE = `${SERVER}/store/sqlite.test.ts`;

const OURS = "signed with our own key and with all claims of an ID token, no subject token is";
const SHIPPED = "binding bugs that peers have shipped";
const ASKED = "what may be asked for";
const RACES = "of many simultaneous uses exactly one succeeds, and afterwards its refresh token fails";
const USED_AT_ONCE =
  "store conformance: SQLite > artifacts of the sign-in > gives `first` to exactly one of 100 simultaneous uses, and records when";

export const IDP_ROWS: readonly Row[] = [
  {
    bug: "Access token accepted as an ID token; ID-JAG presented at the IdP that issued it",
    check: "`typ` of a subject token is `JWT` or nothing",
    changes: [{ file: SUBJECT, find: "const typ = checkTyp(jws);\n  if (!typ.ok) return typ;", replace: "" }],
    tests: [
      {
        file: SUBJECT_TEST,
        names: [
          `${OURS} > an ID-JAG that we issued`,
          `${OURS} > an access token`,
          `${OURS} > a logout token`,
          `${OURS} > a client assertion`,
        ],
      },
      { file: EXCHANGE, names: [`${SHIPPED} > an ID-JAG presented at the IdP that issued it buys nothing`] },
    ],
  },
  {
    bug: "Opaque access token accepted as an ID token",
    check: "a subject token is a signed JWT (the bug is put in: an opaque one is looked up as a person)",
    changes: [
      {
        file: SUBJECT,
        find: 'if (jws === undefined) return refuse("subject-token-malformed");',
        replace: 'if (jws === undefined) return ok({ person: (await ports.store.person("alice")) as Person });',
      },
    ],
    tests: [{ file: EXCHANGE, names: [`${SHIPPED} > an access token of the IdP is no ID token`] }],
  },
  {
    bug: "ID token of another client accepted",
    check: "`aud` is the client that authenticated",
    changes: [
      {
        file: SUBJECT,
        find: 'if (audience !== agentId) return refuse("subject-token-audience");',
        replace: "",
      },
    ],
    tests: [
      { file: SUBJECT_TEST, names: [`${OURS} > an ID token of another client`] },
      { file: EXCHANGE, names: [`${SHIPPED} > an ID token of another client is no subject token`] },
    ],
  },
  {
    bug: "Multi-valued `aud` accepted in an ID token",
    check: "`aud` is a string, or an array of exactly one",
    changes: [
      {
        file: SUBJECT,
        find: "singleAudience(aud)",
        replace: "singleAudience([aud].flat()[0])",
      },
    ],
    tests: [{ file: SUBJECT_TEST, names: [`${OURS} > one for several audiences, the client first`] }],
  },
  {
    bug: "`aud` of an ID token matched by prefix",
    check: "`aud` is the client, letter by letter",
    changes: [{ file: SUBJECT, find: "audience !== agentId", replace: "!String(audience).startsWith(agentId)" }],
    tests: [{ file: SUBJECT_TEST, names: [`${OURS} > one whose audience only begins like the client`] }],
  },
  {
    bug: "ID token of another issuer accepted",
    check: "`iss` is our issuer, letter by letter",
    changes: [{ file: SUBJECT, find: 'if (iss !== issuer) return refuse("subject-token-issuer");', replace: "" }],
    tests: [
      {
        file: SUBJECT_TEST,
        names: [`${OURS} > one of another issuer`, `${OURS} > one whose issuer only begins like ours`],
      },
    ],
  },
  {
    bug: "ID token that somebody else signed accepted",
    check: "signature by our own key for ID tokens",
    changes: [
      {
        file: SUBJECT,
        find: 'if (fault) return refuse(fault === "signature" ? "subject-token-signature" : "subject-token-key", fault);',
        replace: "void fault;",
      },
    ],
    tests: [
      {
        file: EXCHANGE,
        names: [
          `${SHIPPED} > a client assertion is no ID token, and neither is anything else that somebody else signed`,
          `${SHIPPED} > an ID token of another IdP is refused, though its keys and claims are alike`,
        ],
      },
    ],
  },
  {
    bug: "Exchange after sign-out",
    check: "the session of the ID token's `sid` lives, and is this person's",
    changes: [
      {
        file: SUBJECT,
        find: 'if (!session.alive || session.personId !== sub) return refuse("sign-in-over");',
        replace: "void session;",
      },
    ],
    tests: [
      {
        file: EXCHANGE,
        names: [
          `${SHIPPED} > an exchange after sign-out is refused, with the same ID token that worked before`,
          `${SHIPPED} > an ID token from before sign-out stays dead when the same person signs in again`,
        ],
      },
      {
        file: SUBJECT_TEST,
        names: [`${OURS} > one whose session is over`, `${OURS} > one of a person in another's session`],
      },
    ],
  },
  {
    bug: "Session that comes back after sign-out, saved by a request in flight",
    check: "an ended session leaves a tombstone",
    changes: [
      {
        file: `${SERVER}/sign-in/endings.ts`,
        find: "await putTombstone(ports, ENDED_SESSION, session, lifetime);",
        replace: "void [ENDED_SESSION, lifetime];",
      },
    ],
    tests: [
      {
        file: LIVENESS,
        names: ["the sign-in behind an ID token > stays over when a request in flight saves its session after the end"],
      },
    ],
  },
  {
    bug: "Refresh token taken for an ID token at the exchange",
    check: "the type chooses who verifies the token (the bug is put in: any type is verified as an ID token)",
    changes: [
      {
        file: `${SERVER}/idp/issuer.ts`,
        find: "if (type === TOKEN_TYPES.idToken) return",
        replace: "if (String(type) !== TOKEN_TYPES.saml2) return",
      },
    ],
    tests: [
      {
        file: EXCHANGE,
        names: [`${SHIPPED} > a refresh token is not taken for an ID token, nor an ID token for a refresh token`],
      },
    ],
  },
  {
    bug: "Refresh token of another client",
    check: "oidc-provider compares token and grant with the client (two checks: both are taken out)",
    changes: [
      {
        file: `${OIDC_PROVIDER}/actions/grants/refresh_token.js`,
        find: "if (refreshToken.clientId !== client.clientId) {",
        replace: "if (false) {",
      },
      {
        file: `${OIDC_PROVIDER}/helpers/grant_source.js`,
        find: "if (grant.clientId !== ctx.oidc.client.clientId) {",
        replace: "if (false) {",
      },
    ],
    tests: [{ file: TOKENS, names: ["a refresh token > of another client is refused"] }],
  },
  {
    bug: "Code of another client",
    check: "oidc-provider compares code and grant with the client (two checks: both are taken out)",
    changes: [
      {
        file: `${OIDC_PROVIDER}/helpers/grant_source.js`,
        find: "if (source.clientId !== ctx.oidc.client.clientId) {",
        replace: "if (false) {",
      },
      {
        file: `${OIDC_PROVIDER}/helpers/grant_source.js`,
        find: "if (grant.clientId !== ctx.oidc.client.clientId) {",
        replace: "if (false) {",
      },
    ],
    tests: [{ file: TOKENS, names: ["a code is refused > of another client"] }],
  },
  {
    bug: "`resource` of another app, at the IdP",
    check: "policy knows the app's resources, letter by letter",
    changes: [
      {
        file: `${SERVER}/policy/decide.ts`,
        find: 'if (resources.some((resource) => !app.resources.includes(resource))) return { reason: "resource-unknown" };',
        replace: "",
      },
    ],
    tests: [
      {
        file: EXCHANGE,
        names: [`${ASKED} > not a resource of another app`, `${ASKED} > not a resource below the app's`],
      },
    ],
  },
  {
    bug: "Several resources in one ID-JAG, with the scopes of one",
    check: "what is granted is the same at each of them",
    changes: [
      {
        file: `${SERVER}/policy/decide.ts`,
        find: "if (first === undefined || !permits.every(({ granted }) => sameGrant(granted, first.granted))) return",
        replace: "void sameGrant;\n  if (first === undefined) return",
      },
    ],
    tests: [
      {
        file: "test/exchange-details.test.ts",
        names: ["several resources > are refused where what is granted differs, or one is denied"],
      },
    ],
  },
  {
    bug: "Several audiences in one exchange",
    check: "one `audience` per request",
    changes: [
      {
        file: "packages/protocol/src/token-exchange.ts",
        find: 'if (others.length > 0) return refuse("audiences-several");',
        replace: "void others;",
      },
    ],
    tests: [{ file: EXCHANGE, names: [`${ASKED} > not two audiences`] }],
  },
  {
    bug: "`audience` that only looks like an app's issuer",
    check: "apps are found by their exact issuer (the bug is put in: a slash at the end is passed over)",
    changes: [
      {
        file: `${SERVER}/idp/decision.ts`,
        find: "store.appByIssuer(audience)",
        replace: 'store.appByIssuer(audience.replace(/\\/$/, ""))',
      },
    ],
    tests: [{ file: EXCHANGE, names: [`${ASKED} > not an app's issuer with a slash`] }],
  },
  {
    bug: "Scope widened by the request, at the IdP",
    check: "a connection grants the scopes that it names, and none else",
    changes: [
      {
        file: `${SERVER}/policy/conditions.ts`,
        find: "return connection.scopes.filter((scope) => meant.includes(scope) && Object.hasOwn(app.scopes, scope));",
        replace: "return meant.filter((scope) => Object.hasOwn(app.scopes, scope));",
      },
    ],
    tests: [
      {
        file: EXCHANGE,
        names: [
          "a person signs in, and the agent that the organization connected > gets no more scope than the connection gives, and is told what it got",
          `${ASKED} > not only a scope that no connection gives`,
        ],
      },
    ],
  },
  {
    bug: "Code or refresh token used 100 times at once: the mark is not conditional",
    check: "the store marks an artifact in one conditional update",
    changes: [
      {
        file: `${SERVER}/store/artifacts.ts`,
        find: '.where("consumed_at", "is", null)\n        .executeTakeFirst();',
        replace: ".executeTakeFirst();",
      },
    ],
    tests: [
      { file: STORE, names: [USED_AT_ONCE] },
      { file: TOKENS, names: [`${RACES} > a code`, `${RACES} > a refresh token`] },
    ],
  },
  {
    bug: "Code or refresh token used 100 times at once: the loser goes on",
    check: "the adapter refuses whoever was not first",
    changes: [
      {
        file: `${SERVER}/sign-in/adapter.ts`,
        find: 'throw new errors.InvalidGrant("already used");',
        replace: "",
      },
    ],
    tests: [
      { file: TOKENS, names: [`${RACES} > a code`, `${RACES} > a refresh token`] },
      {
        file: LIVENESS,
        names: [
          "a revoked grant > is revoked by the one who lost, though nobody saw the token as used; what the winner then saves is dead",
        ],
      },
    ],
  },
  {
    bug: "Code or refresh token used 100 times at once: the winner's refresh token lives on",
    check: "whoever loses revokes the grant",
    changes: [
      {
        file: `${SERVER}/sign-in/adapter.ts`,
        find: "if (grant !== undefined) await endGrant(ports, grant, grantLifetime);",
        replace: "void grant;",
      },
    ],
    tests: [
      {
        file: LIVENESS,
        names: [
          "a revoked grant > is revoked by the one who lost, though nobody saw the token as used; what the winner then saves is dead",
        ],
      },
    ],
  },
  {
    bug: "Revoked grant that comes back, saved by a request in flight",
    check: "whoever writes looks for the tombstone afterwards, and takes back what it wrote",
    changes: [
      {
        file: `${SERVER}/sign-in/adapter.ts`,
        find: "if (await hasEnded(ports, sessionOf(model, payload), grantId)) await store.deleteArtifact(model, key);",
        replace: "void hasEnded;",
      },
    ],
    tests: [
      {
        file: LIVENESS,
        names: ["a revoked grant > stays revoked when a request in flight saves it, or a token of it, after the end"],
      },
    ],
  },
  {
    bug: "Used code or refresh token made fresh by saving it again",
    check: "a mark of use is set once",
    changes: [
      {
        file: `${SERVER}/store/artifacts.ts`,
        find: 'eb.fn.coalesce("artifacts.consumed_at", "excluded.consumed_at")',
        replace: 'eb.ref("excluded.consumed_at")',
      },
    ],
    tests: [
      {
        file: STORE,
        names: [
          "store conformance: SQLite > artifacts of the sign-in > does not make a used artifact fresh by saving it again",
        ],
      },
    ],
  },
  {
    bug: "Mark of single use taken by many at once",
    check: "the store inserts the mark, and tells who was first, in one statement",
    changes: [
      {
        file: `${SERVER}/store/sqlite/backend.ts`,
        find: 'values (?, ?, ?) on conflict do nothing"',
        replace: 'values (?, ?, ?) on conflict (kind, key) do update set expires_at = excluded.expires_at"',
      },
    ],
    tests: [
      {
        file: STORE,
        names: [
          "store conformance: SQLite > single use > gives `first` to exactly one of 100 simultaneous uses of a key",
        ],
      },
      { file: TOKENS, names: ["a client proves itself > with a key, for this issuer, once"] },
    ],
  },
  {
    bug: "Client assertion used again (`jti`) at sign-in",
    check: "oidc-provider's replay detection is our single-use mark",
    changes: [
      {
        file: `${SERVER}/sign-in/overrides.ts`,
        find: 'clientAssertionMark(iss, jti, exp))) === "first"',
        replace: "clientAssertionMark(iss, jti, exp))) !== undefined",
      },
    ],
    tests: [{ file: TOKENS, names: ["a client proves itself > with a key, for this issuer, once"] }],
  },
  {
    bug: "Client assertion for the token endpoint, or for several audiences, at sign-in",
    check: "the audience is our issuer alone, narrower than oidc-provider's own check",
    changes: [
      {
        file: `${SERVER}/sign-in/overrides.ts`,
        find: 'if (audience !== ctx.oidc.issuer) throw new errors.InvalidClientAuth("audience must be the issuer alone");',
        replace: "void [audience, ctx];",
      },
    ],
    tests: [
      {
        file: TOKENS,
        names: [
          "a client proves itself > and an assertion for the token endpoint is refused",
          "a client proves itself > and an assertion for several audiences is refused",
        ],
      },
    ],
  },
];
