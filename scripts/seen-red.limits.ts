/** Checks against floods and guesses: what strangers, clients and people may take, and what is told of it. */
import type { Row } from "./seen-red.table.ts";

const HTTP = "packages/server/src/http";
const AUDIT = "packages/server/src/audit";
const LIMITS_TEST = `${HTTP}/limits.test.ts`;
const RATE_TEST = `${HTTP}/rate-limit.test.ts`;
const DENIALS_TEST = `${AUDIT}/denials.test.ts`;
const STORE_TEST = "packages/server/src/store/sqlite.test.ts";
const GUESSES_TEST = "packages/server/src/sign-in/attempts.test.ts";

const STRANGER = "whoever proves nothing and calls too often >";
const RATE = "a limit of so many a minute >";

export const LIMIT_ROWS: readonly Row[] = [
  {
    bug: "Limits: work is done for a flood before it is held back",
    check: "an address is charged before anything is read; whoever is over its limit is turned away there",
    changes: [
      {
        file: `${HTTP}/router.ts`,
        find: "if (counted !== undefined && wait > 0) return turnAway(",
        replace: "if (counted !== undefined && wait < 0) return turnAway(",
      },
    ],
    tests: [
      {
        file: LIMITS_TEST,
        names: [
          `${STRANGER} waits at /token: 429, with when to come again, before anybody is authenticated`,
          `${STRANGER} waits at /revoke: 429, with when to come again, before anybody is authenticated`,
          "who begins too many sign-ins, or sends too many forms > is shown a page that says so, and when to come again",
        ],
      },
    ],
  },
  {
    bug: "Limits: a platform with many agents shuts itself out by good calls",
    check: "a client that has proven who it is gets its address back what it took",
    changes: [
      {
        file: `${HTTP}/limits.ts`,
        find: "addresses.client.giveBack(networkOf(source), time);",
        replace: "networkOf(source);",
      },
    ],
    tests: [
      { file: LIMITS_TEST, names: ["a client that has proven who it is > does not use up its address"] },
      {
        file: RATE_TEST,
        names: ["the guard against floods > lets an address have back what a client that has proven itself took"],
      },
    ],
  },
  {
    bug: "Limits: a new address of one IPv6 network is a new allowance",
    check: "addresses of one /64 count as one",
    changes: [
      {
        file: `${HTTP}/limits.ts`,
        find: "addresses[counted].take(networkOf(source), now())",
        replace: "addresses[counted].take(source, now())",
      },
    ],
    tests: [
      {
        file: RATE_TEST,
        names: ["the guard against floods > counts the addresses of one /64 as one, and those of IPv4 each by itself"],
      },
      { file: LIMITS_TEST, names: [`${STRANGER} waits for each address by itself, as the proxy in front says it`] },
    ],
  },
  {
    bug: "Limits: `Retry-After` is not true, and whoever keeps to it is turned away again",
    check: "the wait is told in whole seconds, rounded up, from when one is let through",
    changes: [
      {
        file: `${HTTP}/rate-limit.ts`,
        find: "return Math.ceil(early / 1_000);",
        replace: "return Math.max(1, Math.floor(early / 1_000));",
      },
    ],
    tests: [{ file: RATE_TEST, names: [`${RATE} of 7 says truly after how many whole seconds one is let through`] }],
  },
  {
    bug: "Limits: whoever is turned away waits ever longer",
    check: "what is turned away is not charged",
    changes: [
      {
        file: `${HTTP}/rate-limit.ts`,
        find: "if (early > 0) return Math.ceil(early / 1_000);\n      whole.set(key, full);",
        replace: "whole.set(key, full);\n      if (early > 0) return Math.ceil(early / 1_000);",
      },
    ],
    tests: [
      {
        file: RATE_TEST,
        names: [`${RATE} charges nothing to who is turned away: a flood does not make the wait longer`],
      },
    ],
  },
  {
    bug: "Limits: addresses of a flood fill the memory",
    check: "two generations of keys are remembered, and no more",
    changes: [
      {
        file: "packages/server/src/store/generations.ts",
        find: "if (young.size >= size && !young.has(key)) {",
        replace: "if (young.size > size * 1_000 && !young.has(key)) {",
      },
    ],
    tests: [{ file: RATE_TEST, names: [`${RATE} remembers two generations of keys at the most, whatever comes`] }],
  },
  {
    bug: "Limits: denials fill the queue of the record, and permits wait or fail",
    check: "a fifth of the places is kept for permits: denials are counted when the rest is taken",
    changes: [{ file: `${AUDIT}/audit.ts`, find: "!group.hasRoom() || ", replace: "" }],
    tests: [
      {
        file: DENIALS_TEST,
        names: ["where room is short > a queue that is full of denials has places left for permits"],
      },
    ],
  },
  {
    bug: "Limits: denials fill the disk",
    check: "in the last tenth of the store's size denials are counted, and the operator hears of it",
    changes: [
      {
        file: `${AUDIT}/audit.ts`,
        find: "short = (await store.size()) >= most;",
        replace: "short = (await store.size()) < 0;",
      },
    ],
    tests: [
      {
        file: DENIALS_TEST,
        names: ["where room is short > in the store, what is left is for permits, and the operator hears of it"],
      },
    ],
  },
  {
    bug: "Limits: one client fills the record with denials",
    check: "beyond so many a minute a client's denials are counted, per reason",
    changes: [
      {
        file: `${AUDIT}/denials.ts`,
        find: "if (before >= perMinute) return false;",
        replace: "if (before < 0) return false;",
      },
    ],
    tests: [
      {
        file: DENIALS_TEST,
        names: [
          "denials of a client > beyond so many a minute are counted, per client and reason, and none is lost",
          "denials of a client > of thousands of clients are told apart, in events of a bounded size",
        ],
      },
    ],
  },
  {
    bug: "Limits: counted denials are lost while the store is away",
    check: "counts that the store did not take are counted again",
    changes: [
      {
        file: `${AUDIT}/audit.ts`,
        find: "counter.giveBack(counted.slice(i));",
        replace: "counter.giveBack([]);",
      },
    ],
    tests: [
      {
        file: DENIALS_TEST,
        names: ["denials of a client > whose count is not taken by the store are counted again, once"],
      },
    ],
  },
  {
    bug: "Guesses: many at once, at many processes, pass the limit together",
    check:
      "an attempt is counted before it is made, by one statement that takes the row and refuses while it is blocked",
    changes: [
      {
        file: "packages/server/src/store/attempts.ts",
        find: '.where("attempts.blocked_until", "<=", now),',
        replace: '.where("attempts.blocked_until", "<=", now + forget),',
      },
    ],
    tests: [
      {
        file: STORE_TEST,
        names: ["store conformance: SQLite > attempts to sign in > pass as often as the limit says, of 100 at once"],
      },
    ],
  },
  {
    bug: "Guesses: an account is guessed at from many addresses of one network",
    check: "an address counts with its network in the back-off, too",
    changes: [
      {
        file: "packages/server/src/sign-in/attempts.ts",
        find: "const address = hashed(networkOf(source));",
        replace: "const address = hashed(networkOf(source) && source);",
      },
    ],
    tests: [
      {
        file: GUESSES_TEST,
        names: ["guessing at passwords > from many addresses of one IPv6 network counts as from one"],
      },
    ],
  },
  {
    bug: "Guesses: an email in other letters is another account to the back-off",
    check: "an email counts once, however it is written",
    changes: [
      {
        file: "packages/server/src/sign-in/attempts.ts",
        find: "const account = hashed(who.toLowerCase());",
        replace: "const account = hashed(who);",
      },
    ],
    tests: [{ file: GUESSES_TEST, names: ["guessing at passwords > counts an email once, however it is written"] }],
  },
];
