/** Checks of the record: no bugs of peers, but what everything else is seen by. */
import type { Row } from "./seen-red.table.ts";

const AUDIT = "packages/server/src/audit";
const VERIFY = `${AUDIT}/verify.ts`;
const VERIFY_TEST = `${AUDIT}/verify.test.ts`;
const CLI_TEST = "packages/server/src/cli/audit.test.ts";

const NAMES = "verifying the record > names it:";
const EXITS = "credence audit > verify > names it and exits 1:";

export const RECORD_ROWS: readonly Row[] = [
  {
    bug: "Record: an event changed, unnoticed",
    check: "each row has the hash of its payload and of the row before it",
    changes: [
      {
        file: VERIFY,
        find: "if (row.hash !== rowHash(writer, seq, before.hash, row.payload)) {",
        replace: 'if (rowHash(writer, seq, before.hash, row.payload) === "") {',
      },
    ],
    tests: [
      { file: VERIFY_TEST, names: [`${NAMES} an event changed`] },
      { file: CLI_TEST, names: [`${EXITS} an event changed`] },
    ],
  },
  {
    bug: "Record: an event removed, unnoticed",
    check:
      "rows are numbered without gaps, and each hash covers its number and the hash before (two checks: both are taken out)",
    changes: [
      { file: VERIFY, find: "if (seq !== before.seq + 1) {", replace: "if (seq < before.seq) {" },
      {
        file: VERIFY,
        find: "if (row.hash !== rowHash(writer, seq, before.hash, row.payload)) {",
        replace: 'if (rowHash(writer, seq, before.hash, row.payload) === "") {',
      },
    ],
    tests: [
      { file: VERIFY_TEST, names: [`${NAMES} an event removed`, `${NAMES} the first events removed`] },
      { file: CLI_TEST, names: [`${EXITS} an event removed`] },
    ],
  },
  {
    bug: "Record: a tail cut after a signed head, unnoticed",
    check: "signed heads and the register say how far each chain reached",
    changes: [
      {
        file: VERIFY,
        find: "if (!last) return ended(cutTail(writer, state.seq, checkpoints));",
        replace: "if (!last) return ended(cutTail(writer, state.seq, []));",
      },
    ],
    tests: [
      {
        file: VERIFY_TEST,
        names: [
          `${NAMES} a tail cut after a signed head`,
          `${NAMES} all events of a start removed`,
          `${NAMES} a tail cut with the heads that cover it: the next start's entry still does`,
        ],
      },
      { file: CLI_TEST, names: [`${EXITS} a tail cut after a signed head`] },
    ],
  },
  {
    bug: "Record: rewritten with good hashes, unnoticed",
    check: "the chain agrees with every signed head that it passes",
    changes: [{ file: VERIFY, find: " ?? checkpointProblem(row, vouched, bySeq.get(row.seq))", replace: "" }],
    tests: [
      {
        file: VERIFY_TEST,
        names: [
          "verifying the record > sees a tail that was written anew with good hashes, since the signed head says otherwise",
        ],
      },
    ],
  },
  {
    bug: "Record: heads that somebody else signed",
    check: "a head counts with a good signature of the record's key",
    changes: [
      {
        file: VERIFY,
        find: "if (await isGoodHead(head, keys)) {",
        replace: "if ((await isGoodHead(head, keys)) || head !== undefined) {",
      },
    ],
    tests: [
      {
        file: VERIFY_TEST,
        names: [
          "verifying the record > does not take heads that another key signed",
          `${NAMES} a head's signature changed`,
        ],
      },
      { file: CLI_TEST, names: [`${EXITS} a head's signature changed`] },
    ],
  },
  {
    bug: "Record: `audit verify` names it and exits 0",
    check: "exit code 1 for a record that is not as it was written",
    changes: [
      { file: "packages/server/src/cli/audit.ts", find: "if (!found.ok) world.exit(NOT_AS_TOLD);", replace: "" },
    ],
    tests: [{ file: CLI_TEST, names: [`${EXITS} an event changed`, `${EXITS} an event removed`] }],
  },
  {
    bug: "Record: half an append kept",
    check: "rows of one append are one transaction",
    changes: [
      {
        file: "packages/server/src/store/sqlite/backend.ts",
        find: "await writer.commit([{ sql: INSERT_EVENT, values }]);",
        replace: "for (const row of values) await writer.commit([{ sql: INSERT_EVENT, values: [row] }]);",
      },
    ],
    tests: [
      {
        file: "packages/server/src/store/sqlite.test.ts",
        names: ["store conformance: SQLite > the record > keeps all of an append or none of it"],
      },
    ],
  },
  {
    bug: "Failing append: the ID-JAG leaves all the same",
    check: "503 when the outcome can not be recorded",
    changes: [
      {
        file: "packages/issuer/src/exchange/exchange.ts",
        find: "return recorded.ok ? outcome : recorded;",
        replace: "return recorded.ok ? outcome : outcome;",
      },
    ],
    tests: [
      { file: "packages/issuer/src/handler.test.ts", names: ["when a port fails, nothing is issued > record"] },
      {
        file: "test/exchange.test.ts",
        names: [
          "the record is what a permit stands on > when it can not be written, the answer is 503 and there is no ID-JAG",
        ],
      },
    ],
  },
  {
    bug: "Failing append: the access token leaves all the same",
    check: "503 when the redemption can not be recorded",
    changes: [
      {
        file: "packages/resource/src/endpoints/token.ts",
        find: 'return refusalAnswer(authorization, { reason: "store-unavailable" }, decisionId, receiver.issuer);',
        replace: "",
      },
    ],
    tests: [
      {
        file: "packages/resource/src/redeem/replay.test.ts",
        names: ["when something fails, nothing is issued > the record: 503 and no token, for a grant"],
      },
    ],
  },
];
