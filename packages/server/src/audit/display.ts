import { styleText } from "node:util";
import type { AuditCode, AuditReason, RecordedEvent } from "./event.ts";

/** How a line is set. */
export interface LineStyle {
  readonly colour: boolean;
  /** Widths of the columns, in characters; a longer text pushes the rest. */
  readonly widths: readonly number[];
}

type Verdict = "permit" | "deny" | "step up" | "refuse" | "";

const VERDICTS: Partial<Record<AuditCode | "unreadable", Verdict>> = {
  "exchange.permitted": "permit",
  "exchange.denied": "deny",
  "exchange.step-up": "step up",
  "exchange.refused": "refuse",
  "client.refused": "refuse",
  "sign-in.failed": "refuse",
};

// Outcomes have a word as well as a colour: the colour alone tells some readers nothing.
const COLOURS: Readonly<Record<Verdict, Parameters<typeof styleText>[0] | undefined>> = {
  permit: "green",
  deny: "yellow",
  "step up": "cyan",
  refuse: "magenta",
  "": undefined,
};

/** Columns of an event for people: time (UTC), code, who, verdict, why, decision. Safe to print. */
function eventColumns(event: RecordedEvent): readonly string[] {
  return [
    displayTime(event.time),
    event.code,
    who(event),
    VERDICTS[event.code] ?? "",
    why(event),
    event.decisionId ?? "",
  ].map(printable);
}

/** Widths that fit all of these events, none of them wider than is readable. */
export function columnWidths(events: readonly RecordedEvent[], least: readonly number[] = []): number[] {
  const rows = events.map(eventColumns);
  const columns = rows[0]?.length ?? least.length;
  return Array.from({ length: columns }, (_, column) =>
    Math.min(60, Math.max(least[column] ?? 0, ...rows.map((row) => row[column]?.length ?? 0))),
  );
}

/** One line for an event. */
export function eventLine(event: RecordedEvent, style: LineStyle): string {
  const columns = eventColumns(event);
  const padded = columns.map((text, column) => text.padEnd(style.widths[column] ?? 0));
  if (!style.colour) return padded.join("  ").trimEnd();
  const colour = COLOURS[VERDICTS[event.code] ?? ""];
  return padded
    .map((text, column) => {
      if (column === 0 || column === 5) return styleText("dim", text, { validateStream: false });
      return column === 3 && colour ? styleText(colour, text, { validateStream: false }) : text;
    })
    .join("  ")
    .trimEnd();
}

/** One line of JSON, names as in JSON elsewhere (`decision_id`), safe to print. */
export function eventJson(event: object): string {
  return JSON.stringify(snakeCase(event)).replace(UNPRINTABLE, jsonEscape);
}

/** Whoever changed the record may have left a time that is none: what else is there is still to be seen. */
function displayTime(seconds: number): string {
  const time = new Date(seconds * 1_000);
  return Number.isNaN(time.getTime()) ? "(no time)" : time.toISOString().replace("T", " ").replace("Z", "");
}

function who(event: RecordedEvent): string {
  const { person, agent, client, app, audience } = event;
  return [person?.email ?? person?.id, agent ?? client, app ?? audience].filter((one) => one !== undefined).join(" → ");
}

function why(event: RecordedEvent): string {
  const parts = [
    ...(event.reasons ?? []).map(reasonText),
    ...(event.failures ?? []).map(
      ({ reason, count, agent, source }) =>
        `${count} × ${reason}${agent ? ` of ${agent}` : ""}${source ? ` from ${source}` : ""}`,
    ),
    ...(event.changes ?? []).map(({ action, kind, id }) => `${action} ${kind} ${id}`),
    ...(event.revision === undefined ? [] : [`revision ${event.revision}`]),
    ...(event.members ? [`changed: ${event.members.join(" ")}`] : []),
    ...(event.methods ? [`by ${event.methods.join(" and ")}`] : []),
    ...(event.factor ? [event.factor] : []),
    ...(event.actor ? [`actor ${event.actor}`] : []),
    ...(event.binding ? [`bound to ${BOUND_TO[event.binding]}`] : []),
    ...(event.key ? [`${event.key.use} ${event.key.alg} ${event.key.kid}`] : []),
    ...(event.altered ? [`ALTERED: ${event.altered.join(" ")}`] : []),
  ];
  const scopes = event.scopesGranted ?? event.scopesAsked ?? [];
  const details = event.detailsGranted ?? event.detailsAsked ?? [];
  return [
    scopes.length > 0 ? `[${scopes.join(" ")}]` : "",
    details.length > 0 ? `{${details.join(" ")}}` : "",
    parts.join(", "),
  ]
    .filter(Boolean)
    .join(" ");
}

const BOUND_TO: Readonly<Record<NonNullable<RecordedEvent["binding"]>, string>> = {
  dpop: "a key",
  certificate: "a certificate",
};

function reasonText({ id, connection, detail }: AuditReason): string {
  const exactly = [...(connection ? [`connection ${connection}`] : []), ...(detail ? [detail] : [])];
  return exactly.length > 0 ? `${id} (${exactly.join(": ")})` : id;
}

// Control and formatting characters: an event's text must not move the cursor, hide, or turn the reading direction.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text in which nothing acts on the terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

function jsonEscape(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snakeName(name), snakeCase(inner)]));
}

function snakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
