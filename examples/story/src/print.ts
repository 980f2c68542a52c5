/** How the story is told: for people, or as a line of JSON per step. */
import { styleText } from "node:util";

/** Names of the steps, in the order of the story. */
export type StepName =
  | "sign-in"
  | "challenge"
  | "id-jag"
  | "redeem"
  | "call"
  | "renew"
  | "denied"
  | "signed-out"
  | "switched-off"
  | "audit";

/** What a step was to show, and what it showed. */
export interface Outcome {
  readonly expected: string;
  readonly actual: string;
  /** Under which id the IdP has it on record. */
  readonly decisionId?: string;
  /** Further lines, for people. */
  readonly lines?: readonly string[];
}

/** Tells the story. */
export interface Teller {
  say(text: string): void;
  tell(number: number, name: StepName, title: string, outcome: Outcome): void;
}

type Style = Parameters<typeof styleText>[0];

const paint = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

/** For people: a heading, what was seen, and whether it went as told. */
export const forPeople: Teller = {
  say: (text) => console.log(text),
  tell(number, name, title, { expected, actual, decisionId, lines = [] }) {
    const ok = expected === actual;
    console.log(`\n${paint("bold", `${String(number).padStart(2)}  ${title}`)}  ${paint("dim", name)}`);
    for (const line of lines) console.log(`    ${line}`);
    if (decisionId) console.log(`    ${paint("dim", `decision ${decisionId}`)}`);
    console.log(ok ? `    ${paint("green", "✓")} ${actual}` : `    ${paint("red", "✗")} expected: ${expected}`);
    if (!ok) console.log(`      but it was: ${actual}`);
  },
};

/** For machines: one line of JSON per step alone on stdout; what people read goes to stderr. */
export const forMachines: Teller = {
  say: (text) => console.error(text),
  tell(_number, step, _title, { expected, actual, decisionId }) {
    const line = { step, ok: expected === actual, expected, actual };
    console.log(JSON.stringify(decisionId === undefined ? line : { ...line, decision_id: decisionId }));
  },
};

/** A token as it may be shown: its beginning and its length. */
export function cut(token: string): string {
  return `${token.slice(0, 12)}… (${token.length} characters)`;
}

/** Claims, one line each; times as what they mean from now. */
export function claimLines(claims: object, now: number = Date.now() / 1_000): string[] {
  const shown = Object.entries(claims).filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${paint("cyan", name.padEnd(width))}  ${claimText(name, value, now)}`);
}

const TIMES: ReadonlySet<string> = new Set(["iat", "exp", "nbf", "auth_time"]);

function claimText(name: string, value: unknown, now: number): string {
  if (!TIMES.has(name) || typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  const seconds = Math.round(value - now);
  return `${value}  ${paint("dim", seconds >= 0 ? `in ${seconds} s` : `${-seconds} s ago`)}`;
}

/** The claims of a JWT, unverified: to be looked at. */
export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8"));
}
