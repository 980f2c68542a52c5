import { expect, test } from "vitest";
import { ACCESS_REASONS } from "./reasons/access.ts";
import { CLIENT_REASONS } from "./reasons/client.ts";
import { DECISION_REASONS } from "./reasons/decision.ts";
import { OUR_REASONS } from "./reasons/ourselves.ts";
import { PROOF_REASONS } from "./reasons/proof.ts";
import { REDEMPTION_REASONS } from "./reasons/redemption.ts";
import { REQUEST_REASONS } from "./reasons/request.ts";
import { SIGN_IN_REASONS } from "./reasons/sign-in.ts";
import { SUBJECT_TOKEN_REASONS } from "./reasons/subject-token.ts";
import { REASONS } from "./reasons.ts";

const TABLES = [
  DECISION_REASONS,
  REQUEST_REASONS,
  PROOF_REASONS,
  CLIENT_REASONS,
  SUBJECT_TOKEN_REASONS,
  SIGN_IN_REASONS,
  REDEMPTION_REASONS,
  ACCESS_REASONS,
  OUR_REASONS,
];

test("a reason is defined once: no id stands in two tables, and each table is in the catalogue", () => {
  expect(TABLES.flatMap((table) => Object.keys(table))).toEqual(Object.keys(REASONS));
});

test.each(Object.entries(REASONS))("%s says what it means, how to mend it and where the rule stands", (_id, reason) => {
  for (const text of [reason.means, reason.mend]) expect(text).toMatch(/.[.]$/);
  expect(reason.section).not.toBe("");
});
