import type { Organization } from "../directory/types.ts";
import { fromFile, type Secrets } from "./convert.ts";
import { findingsOf } from "./issues.ts";
import type { Finding, Path, Problem } from "./problems.ts";
import { type Placed, type Readable, referenceFindings } from "./references.ts";
import {
  agentSchema,
  appSchema,
  connectionSchema,
  headSchema,
  personSchema,
  SECTIONS,
  type Section,
} from "./schema.ts";
import { warningFindings } from "./warnings.ts";
import { readYaml, type YamlSource } from "./yaml.ts";

/** What reading an organization file depends on beside its text. */
export interface ReadOptions {
  /** Whether this server's issuer is on loopback: only there may a demo organization hold secrets. */
  readonly issuerIsLoopback: boolean;
  /** The organization as it is: `secret: { unchanged: true }` keeps what stands here. */
  readonly current?: Organization;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** An organization, or every problem of its file in the order of the file. */
export type ReadResult =
  | { readonly ok: true; readonly organization: Organization; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** So many problems are told at once; mending them shows the rest. */
export const PROBLEM_LIMIT = 100;
/** So many are looked for in the file, to tell the first of them. */
const LOCATED = 200;

/**
 * Reads an organization file.
 *
 * @param text - YAML 1.2, at most 4 MiB.
 * @returns the organization, valid as a whole, or its problems with line and column. Never throws for what the text holds.
 * @see docs/decisions/0004-organization-file.md
 */
export function readOrganization(text: string, options: ReadOptions): ReadResult {
  const yaml = readYaml(text);
  if (!yaml.ok) return { ok: false, problems: inOrder(yaml.problems) };
  const { source } = yaml;
  const parsed = parseSections(source.data);
  const findings = [...parsed.findings, ...referenceFindings(parsed.file), ...secretFindings(parsed, options)];
  // To find a place takes a look through the file: not for each of 100,000.
  const told = findings.slice(0, LOCATED);
  if (told.length > 0) return { ok: false, problems: inOrder(told.map(source.problem)) };
  return {
    ok: true,
    organization: organizationOf(parsed, options.current),
    warnings: inOrder(warnings(parsed, options, source)),
  };
}

interface Parsed {
  readonly head: {
    readonly name?: string | undefined;
    readonly tenant?: string | undefined;
    readonly demo: boolean;
  };
  readonly file: Readable;
  readonly findings: readonly Finding[];
}

/** Section by section and entry by entry, so that a problem in one does not hide what is wrong elsewhere. */
function parseSections(data: unknown): Parsed {
  const findings: Finding[] = [];
  if (!isMapping(data)) {
    const message = data === null || data === undefined ? "The file is empty." : "The file is not a mapping.";
    const mend = "It begins with keys like people:, agents:, apps:, connections:.";
    return { head: { demo: false }, file: readable({}, []), findings: [{ path: [], message, mend }] };
  }
  const head = headSchema.strict().safeParse(without(data, Object.keys(SECTIONS)));
  if (!head.success) note(findings, findingsOf(head.error.issues, [], data));
  return { head: head.success ? head.data : { demo: data.demo === true }, file: readable(data, findings), findings };
}

function readable(data: Readonly<Record<string, unknown>>, findings: Finding[]): Readable {
  return {
    people: entries(data, "people", (entry) => personSchema.safeParse(entry), findings),
    agents: entries(data, "agents", (entry) => agentSchema.safeParse(entry), findings),
    apps: entries(data, "apps", (entry) => appSchema.safeParse(entry), findings),
    connections: entries(data, "connections", (entry) => connectionSchema.safeParse(entry), findings),
    ids: {
      people: ids(data, "people"),
      agents: ids(data, "agents"),
      apps: ids(data, "apps"),
      connections: ids(data, "connections"),
    },
  };
}

type Parse<T> = (
  entry: unknown,
) => { success: true; data: T } | { success: false; error: { issues: Parameters<typeof findingsOf>[0] } };

function entries<T>(
  data: Readonly<Record<string, unknown>>,
  section: Section,
  parse: Parse<T>,
  findings: Finding[],
): Placed<T>[] {
  const list = data[section] ?? [];
  if (!Array.isArray(list)) {
    findings.push({ path: [section], message: `${section} is not a list.`, mend: "Each entry begins with a dash." });
    return [];
  }
  return list.flatMap((raw: unknown, i) => {
    const path: Path = [section, i];
    if (!isMapping(raw)) {
      findings.push({
        path,
        message: `${section}[${i}] is not a mapping.`,
        mend: "An entry is written as - id: … and its other keys.",
      });
      return [];
    }
    const parsed = parse(raw);
    if (parsed.success) return [{ path, entry: parsed.data }];
    note(findings, findingsOf(parsed.error.issues, path, raw));
    return [];
  });
}

/** One by one: a file with 100,000 things wrong is more than one call takes as arguments. */
function note(findings: Finding[], more: readonly Finding[]): void {
  for (const one of more) findings.push(one);
}

function ids(data: Readonly<Record<string, unknown>>, section: Section): { id: string; path: Path }[] {
  const list: unknown = data[section];
  if (!Array.isArray(list)) return [];
  return list.flatMap((raw: unknown, i) =>
    isMapping(raw) && typeof raw.id === "string" ? [{ id: raw.id, path: [section, i] }] : [],
  );
}

/** Secrets that may not stand in a file, and secrets to keep that are not there. */
function secretFindings({ head, file }: Parsed, { issuerIsLoopback, current }: ReadOptions): Finding[] {
  const findings: Finding[] = [];
  const secrets = secretsOf(current);
  if (head.demo && !issuerIsLoopback) {
    const mend = "Leave demo out, and give secrets by env or file; or serve it on http://127.0.0.1.";
    findings.push({ path: ["demo"], message: "A demo organization is served on a loopback issuer only.", mend });
  }
  const places = file.agents.flatMap(({ entry: { id, auth }, path }) => {
    if (!("secret" in auth)) return [];
    const { secret, former_secret: former } = auth;
    const had = secrets.get(id);
    return [
      { secret, had: had?.secret, place: [...path, "auth", "secret"] },
      ...(former === undefined
        ? []
        : [{ secret: former, had: had?.formerSecret, place: [...path, "auth", "former_secret"] }]),
    ];
  });
  for (const { secret, had, place } of places) {
    const kept = typeof secret === "object" && "unchanged" in secret ? had : undefined;
    if (typeof secret === "object" && "unchanged" in secret && kept === undefined) {
      const message = "There is no secret to keep: the server has no such agent, or one without a secret.";
      findings.push({ path: place, message, mend: "Say where the secret is: { env: NAME } or { file: PATH }." });
    }
    const literal = typeof secret === "string" || (kept !== undefined && "literal" in kept);
    if (literal && !(head.demo && issuerIsLoopback)) {
      const message = "A secret may stand in the file only with demo: true and a loopback issuer.";
      findings.push({ path: place, message, mend: "Say where the secret is: { env: NAME } or { file: PATH }." });
    }
  }
  return findings;
}

/** The secrets of the agents as they are, by agent. */
function secretsOf(organization: Organization | undefined): ReadonlyMap<string, Secrets> {
  const agents = organization?.agents ?? [];
  return new Map(agents.flatMap(({ id, auth }) => ("secret" in auth ? [[id, auth]] : [])));
}

function organizationOf({ head, file }: Parsed, current: Organization | undefined): Organization {
  const secrets = secretsOf(current);
  return {
    name: head.name ?? "",
    demo: head.demo,
    ...(head.tenant === undefined ? {} : { tenant: head.tenant }),
    people: file.people.map(({ entry }) => fromFile.person(entry)),
    agents: file.agents.map(({ entry }) => fromFile.agent(entry, secrets.get(entry.id))),
    apps: file.apps.map(({ entry }) => fromFile.app(entry)),
    connections: file.connections.map(({ entry }) => fromFile.connection(entry)),
  };
}

function warnings({ head, file }: Parsed, { now }: ReadOptions, source: YamlSource): Problem[] {
  return warningFindings(file, head.name, now).map(source.problem);
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, PROBLEM_LIMIT);
}

function without(data: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
