import type { Change } from "./plan.ts";
import type { Problem } from "./problems.ts";

const SIGNS = { add: "+", change: "~", remove: "-" } as const;

/** What a field means that the file leaves out. Unsaid, a person who is let in again would read as something that goes. */
const LEFT_OUT: Readonly<Record<Change["kind"], Readonly<Partial<Record<string, string>>>>> = {
  organization: {},
  person: { enabled: "true" },
  agent: { enabled: "true", denial_error: "access_denied" },
  app: { enabled: "true", subject: "id" },
  connection: {
    enabled: "true",
    resources: "(all of the app)",
    conditions: "(none)",
    lifetime: "(the server's)",
    expires: "(never)",
  },
};

/**
 * A plan for people: a line per entry, under it a line per field that changes.
 *
 * @param paint - Colours a line by its action; leaves it as it is by default.
 */
export function renderPlan(
  changes: readonly Change[],
  paint: (action: Change["action"], text: string) => string = (_, text) => text,
): string {
  if (changes.length === 0) return "Nothing to change: the organization is as the file says.\n";
  const lines = changes.flatMap((change) => [
    paint(change.action, `${SIGNS[change.action]} ${change.kind} ${change.id}`),
    ...(change.action === "remove" ? [] : change.fields.map((field) => `    ${renderField(change, field)}`)),
  ]);
  return `${lines.map(visible).join("\n")}\n\n${summary(changes)}\n`;
}

/** Counts, on one line. */
export function summary(changes: readonly Change[]): string {
  const count = (action: Change["action"]) => changes.filter((change) => change.action === action).length;
  return `${count("add")} to add, ${count("change")} to change, ${count("remove")} to remove.`;
}

/** Problems for people: `file:line:column: message`, and under it how to mend it. */
export function renderProblems(file: string, problems: readonly Problem[]): string {
  const lines = problems.map(
    ({ line, column, path, message, mend }) =>
      `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}\n    ${mend}`,
  );
  return `${lines.map(visible).join("\n")}\n`;
}

function renderField({ action, kind }: Change, { field, from, to }: Change["fields"][number]): string {
  const leftOut = LEFT_OUT[kind][field];
  const before = from ?? (action === "change" ? leftOut : undefined);
  return before === undefined ? `${field}: ${to}` : `${field}: ${before} -> ${to ?? leftOut ?? "(gone)"}`;
}

/** Names come from files: a control character in one must not reach a terminal. Our own line breaks and colours may. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  return text.replace(/(?!\n|\u001b\[[0-9;]{1,5}m)[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "�");
}
