/** What ends with a person's password, and when an admin says so. */
import type { Row } from "./seen-red.table.ts";

const STORE = "packages/server/src/store";
const STORE_TEST = `${STORE}/sqlite.test.ts`;
const SIGNED_IN = "store conformance: SQLite > what somebody is signed in by >";
const WITH_TOMBSTONE = `${SIGNED_IN} ends with the password, with a tombstone for whoever writes of it later; not with a name, nor for anybody else`;

export const ENDING_ROWS: readonly Row[] = [
  {
    bug: "Another password: sessions and refresh tokens of whoever knew the former one live on",
    check: "the change of a `password_hash` ends them in the same transaction",
    changes: [
      {
        file: `${STORE}/organization.ts`,
        find: "await endSignInsOf(db, otherPassword);",
        replace: "await endSignInsOf(db, []);",
      },
    ],
    tests: [
      { file: STORE_TEST, names: [WITH_TOMBSTONE] },
      {
        file: "test/sign-ins-end.test.ts",
        names: [
          "what agents hold of a person's sign-in > is worth nothing once the password is another one, and that of others still is",
        ],
      },
    ],
  },
  {
    bug: "Another password: a sign-in that stopped after the former one goes on",
    check: "a sign-in that somebody has finished is theirs, and ends with the rest",
    changes: [
      {
        file: "packages/server/src/sign-in/adapter.ts",
        find: "model === SIGN_IN_MODEL ? result?.login?.accountId :",
        replace: "model === SIGN_IN_MODEL ? result?.login?.remember?.toString() :",
      },
    ],
    tests: [
      {
        file: "packages/server/src/sign-in/ended.test.ts",
        names: ["a sign-in that stopped after a right password > does not go on once the password is another one"],
      },
    ],
  },
  {
    bug: "Another password: a request in flight saves the session again",
    check: "each session that ends leaves a tombstone",
    changes: [
      {
        file: `${STORE}/sign-ins.ts`,
        find: 'bury(db, ENDED_SESSION, "uid", chunk, "Session")',
        replace: 'bury(db, ENDED_SESSION, "uid", chunk, "None")',
      },
    ],
    tests: [{ file: STORE_TEST, names: [WITH_TOMBSTONE] }],
  },
  {
    bug: "A reset of factors: whoever has used the lost one stays signed in",
    check: "the reset ends what the person is signed in by",
    changes: [
      {
        file: `${STORE}/sign-ins.ts`,
        find: "...(await endSignInsOf(db, [person])) };",
        replace: "...(await endSignInsOf(db, [])) };",
      },
    ],
    tests: [
      {
        file: STORE_TEST,
        names: [`${SIGNED_IN} ends with a reset of the factors, which goes with them, of that person alone`],
      },
      {
        file: "test/sign-ins-end.test.ts",
        names: ["what agents hold of a person's sign-in > is worth nothing once their factors were reset"],
      },
    ],
  },
];
