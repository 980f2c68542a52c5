import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REASONS } from "@credence/protocol/reasons";
import { expect, test } from "vitest";
import { REASONS_PAGE, reasonsPage } from "./reasons.ts";

test("the page of reasons is what the catalogue says: node -C @credence/source scripts/reasons.ts writes it", () => {
  expect(readFileSync(join(import.meta.dirname, "..", REASONS_PAGE), "utf8")).toBe(reasonsPage());
});

test("each reason stands on the page, once", () => {
  const named = [...reasonsPage().matchAll(/^\| `([^`]+)` \|/gm)].map(([, id]) => id);
  expect(named.sort()).toEqual(Object.keys(REASONS).sort());
});
