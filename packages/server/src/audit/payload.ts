import { isObject } from "@credence/protocol";
import { z } from "zod";
import { storedText } from "../store/text.ts";
import { commit, commitmentOf } from "./chain.ts";
import { AUDIT_CODES, type AuditEvent, type AuditPerson, type RecordedEvent } from "./event.ts";

/** Characters of a text. */
const LONGEST_TEXT = 300;
/** Items of a list. */
const LONGEST_LIST = 100;

/** An event ready for the chain: what goes into it, and what stays beside it. */
export interface EncodedEvent {
  /** Canonical JSON; personal fields as commitments. */
  readonly payload: string;
  /** The personal fields, as {@link parsePersonal} reads them. */
  readonly personal: string;
}

/** A personal field of an event. */
export interface PersonalField {
  readonly field: string;
  readonly salt: string;
  readonly value: string;
}

/**
 * Bounds an event and parts its personal fields from the rest.
 * @param time - Seconds since the epoch, for an event that brings none.
 */
export function encodeEvent(event: AuditEvent, time: number): EncodedEvent {
  const { open, personal } = partPersonal(event);
  const commitments: Record<string, string> = {};
  const beside: [field: string, salt: string, value: string][] = [];
  for (const [field, value] of personal) {
    const { salt, commitment } = commit(field, value);
    commitments[field] = commitment;
    beside.push([field, salt, value]);
  }
  const payload = boundedJson({
    v: 1,
    ...open,
    time: Math.round((event.time ?? time) * 1_000) / 1_000,
    ...(beside.length > 0 ? { personal: commitments } : {}),
  });
  return { payload, personal: beside.length > 0 ? JSON.stringify(beside) : "" };
}

/**
 * JSON with one spelling: members sorted by UTF-16 code units, no spaces, `undefined` left out. Every text and list in it is cut, and
 * texts are well-formed: what can be sent must not fill the disk, and what is stored must be readable by any JSON parser.
 * The names of members are ours, and need no escape.
 * @see RFC 8785 §3.2
 */
function boundedJson(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.slice(0, LONGEST_LIST).map(boundedJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  let members = "";
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) members += `${members === "" ? "" : ","}"${name}":${boundedJson(member)}`;
  }
  return `{${members}}`;
}

/** ASCII that stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return text.length <= LONGEST_TEXT && PLAIN.test(text) ? `"${text}"` : JSON.stringify(boundedText(text));
}

/** As the store keeps it: a commitment is to what will be read again. */
function boundedText(text: string): string {
  return storedText(text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text);
}

type Field = readonly [field: string, value: string];

/** The person is one field: whoever is erased is erased with all that says who they were. */
function partPersonal(event: AuditEvent): { open: object; personal: readonly Field[] } {
  const { person, source, changes, failures, ...rest } = event;
  const personal: Field[] = [];
  const part = (field: string, value: string | undefined): void => {
    if (value !== undefined) personal.push([field, boundedText(value)]);
  };
  if (person !== undefined) personal.push(["person", boundedJson(person)]);
  part("source", source);
  const openChanges = changes?.slice(0, LONGEST_LIST).map((change, n) => {
    if (change.kind !== "person") return change;
    part(`changes.${n}.id`, change.id);
    return { action: change.action, kind: change.kind };
  });
  const openFailures = failures?.slice(0, LONGEST_LIST).map(({ reason, count, agent, source: from, sample }, n) => {
    part(`failures.${n}.source`, from);
    part(`failures.${n}.sample`, sample);
    return { reason, count, ...(agent === undefined ? {} : { agent }) };
  });
  return { open: { ...rest, changes: openChanges, failures: openFailures }, personal };
}

// --- Reading ------------------------------------------------------------------------------------------------------------

const texts = z.array(z.string()).exactOptional();
const text = z.string().exactOptional();
const count = z.number().exactOptional();

const reasons = z.array(z.strictObject({ id: z.string(), detail: text, connection: text })).exactOptional();

/** What a payload of ours may hold. Rows come from a file that somebody may have changed. */
const payloadSchema = z.strictObject({
  v: z.literal(1),
  code: z.enum(AUDIT_CODES),
  time: z.number(),
  decisionId: text,
  agent: text,
  client: text,
  app: text,
  audience: text,
  resource: texts,
  scopesAsked: texts,
  scopesGranted: texts,
  detailsAsked: texts,
  detailsGranted: texts,
  actor: text,
  binding: z.enum(["dpop", "certificate"]).exactOptional(),
  connections: texts,
  reasons,
  nearMisses: reasons,
  methods: texts,
  factor: text,
  jti: text,
  lifetime: count,
  revision: count,
  changes: z
    .array(
      z.strictObject({
        action: z.enum(["add", "change", "remove"]),
        kind: z.enum(["person", "agent", "app", "connection", "organization"]),
        id: text,
      }),
    )
    .exactOptional(),
  members: texts,
  key: z.strictObject({ kid: z.string(), use: z.string(), alg: z.string() }).exactOptional(),
  failures: z.array(z.strictObject({ reason: z.string(), count: z.number(), agent: text })).exactOptional(),
  personal: z.record(z.string(), z.string()).exactOptional(),
});

/** A payload, parsed. */
export type Payload = z.infer<typeof payloadSchema>;

const personSchema = z.strictObject({ id: z.string(), email: text, name: text });

/** @returns the payload, or `undefined` when it is none of ours. */
export function parsePayload(json: string): Payload | undefined {
  return payloadSchema.safeParse(parseJson(json)).data;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const personalSchema = z.array(z.tuple([z.string(), z.string(), z.string()]));

/** @returns the personal fields that stand beside a payload, or `undefined` when they are none of ours. */
export function parsePersonal(text: string): readonly PersonalField[] | undefined {
  if (text === "") return [];
  return personalSchema.safeParse(parseJson(text)).data?.map(([field, salt, value]) => ({ field, salt, value }));
}

/** Personal fields that do not fit their commitment, or that the payload does not know; all, where they can not be read. */
export function alteredFields(payload: Payload, personal: readonly PersonalField[] | undefined): readonly string[] {
  if (personal === undefined) return Object.keys(payload.personal ?? {});
  return personal.filter((one) => !fits(payload, one)).map((one) => one.field);
}

function fits(payload: Payload, { field, salt, value }: PersonalField): boolean {
  return payload.personal?.[field] === commitmentOf(field, salt, value);
}

/** What stands where a personal field was erased. */
const ERASED = "(erased)";
/** What stands where a personal field is not the one that was recorded: its value is not shown. */
const ALTERED = "(altered)";

/** Puts an event together again, with the personal fields that are still there. */
export function decodeEvent(
  payload: Payload,
  personal: readonly PersonalField[] | undefined,
): Omit<RecordedEvent, "writer" | "seq"> {
  const { v: _, personal: commitments = {}, changes, failures, ...event } = payload;
  const altered = new Set(alteredFields(payload, personal));
  const values = new Map(personal?.map((one) => [one.field, one.value]));
  for (const field of altered) values.set(field, ALTERED);
  const erased = Object.keys(commitments).filter((field) => !values.has(field));
  const value = (field: string) => (field in commitments ? (values.get(field) ?? ERASED) : undefined);
  return {
    ...event,
    ...optional("person", readPerson(value("person"))),
    ...optional("source", value("source")),
    ...optional(
      "changes",
      changes?.map((change, n) => ({ ...change, id: change.id ?? value(`changes.${n}.id`) ?? ERASED })),
    ),
    ...optional(
      "failures",
      failures?.map((one, n) => ({
        ...one,
        ...optional("source", value(`failures.${n}.source`)),
        ...optional("sample", value(`failures.${n}.sample`)),
      })),
    ),
    ...(erased.length > 0 ? { erased } : {}),
    ...(altered.size > 0 ? { altered: [...altered] } : {}),
  };
}

/** The person as they were recorded; where nothing can be told of them, why. */
function readPerson(text: string | undefined): AuditPerson | undefined {
  if (text === undefined) return undefined;
  if (text === ERASED) return { id: ERASED };
  return personSchema.safeParse(parseJson(text)).data ?? { id: ALTERED };
}

/** A member that is there or not: never there and `undefined`. */
function optional<K extends string, T>(name: K, value: T | undefined): { [Name in K]?: T } {
  // TypeScript does not see that a computed name of type K makes a member of that name.
  return value === undefined ? {} : ({ [name]: value } as { [Name in K]: T });
}
