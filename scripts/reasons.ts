/**
 * Writes docs/reasons.md from the catalogue of reasons: `node -C @credence/source scripts/reasons.ts`. A test holds the two together.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ERRORS, REASONS, type Retry } from "@credence/protocol/reasons";

/** Where the page stands, from the repository's folder. */
export const REASONS_PAGE = "docs/reasons.md";

const RETRY: Readonly<Record<Retry, string>> = {
  never: "Trying again changes nothing.",
  "renew-sign-in":
    "At the exchange the client renews the sign-in, then tries once more; at redemption it gets one fresh ID-JAG.",
  "new-id-jag": "The client gets one fresh ID-JAG, then gives up.",
  "step-up": "The person signs in again as `max_age` or `acr_values` ask for, then the client tries once more.",
  "with-nonce": "The client tries once more, with the nonce of the answer.",
  wait: "The client waits as `Retry-After` says.",
};

const HEAD = `<!-- Made by scripts/reasons.ts from packages/protocol/src/reasons.ts: change it there. -->

# Why something was refused

The wire says an error, one generic sentence and a decision id. The record of whoever refused, the IdP (\`credence audit list\`) or the
app (\`record\` of \`@credence/resource\`), holds the exact reason under that id. Here are all of them, by their error.
`;

/** The page: each reason with its error, what it means and how to mend it. */
export function reasonsPage(): string {
  const permits = section("No error", "What explains a permit.", null);
  const errors = Object.entries(ERRORS).map(([error, { status, description, retry }]) =>
    section(`\`${error}\``, `${status}. "${description}" ${RETRY[retry]}`, error),
  );
  return `${[HEAD, ...errors, permits].filter((part) => part !== "").join("\n")}`;
}

/** One error with its reasons; nothing for an error that no reason has yet. */
function section(title: string, text: string, error: string | null): string {
  const rows = Object.entries(REASONS)
    .filter(([, reason]) => reason.error === error)
    .map(([id, { means, mend, section: where }]) => `| \`${id}\` | ${cell(means)} | ${cell(mend)} | ${cell(where)} |`);
  if (rows.length === 0) return "";
  const table = [
    "| reason | what it means | how to mend it | where the rule stands |",
    "| --- | --- | --- | --- |",
    ...rows,
  ];
  return `## ${title}\n\n${text}\n\n${table.join("\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, "..", REASONS_PAGE), reasonsPage());
