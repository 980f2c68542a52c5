import { isDeepStrictEqual } from "node:util";
import type { Agent, Organization, SecretRef } from "../directory/types.ts";
import { type Entry, optional, toFile } from "./convert.ts";

/** What becomes of one field; values as the file writes them, secrets never. */
export interface FieldChange {
  readonly field: string;
  readonly from?: string;
  readonly to?: string;
}

/** What becomes of one entry. */
export interface Change {
  readonly action: "add" | "change" | "remove";
  readonly kind: "organization" | "person" | "agent" | "app" | "connection";
  readonly id: string;
  /** The fields that differ; for a new or a removed entry those that it has. */
  readonly fields: readonly FieldChange[];
}

/**
 * What it takes to make one organization equal to another. The order of entries and of what is a set does not count.
 *
 * @returns changes in the order of the file's sections, each by id; empty when nothing differs.
 */
export function planChanges(current: Organization, wanted: Organization): readonly Change[] {
  return [
    ...headChanges(current, wanted),
    ...changes("person", current.people, wanted.people, toFile.person),
    ...changes("agent", current.agents, wanted.agents, agentEntry),
    ...changes("app", current.apps, wanted.apps, toFile.app),
    ...changes("connection", current.connections, wanted.connections, toFile.connection),
  ];
}

function headChanges(current: Organization, wanted: Organization): Change[] {
  const fields = fieldChanges(headOf(current), headOf(wanted));
  return fields.length === 0 ? [] : [{ action: "change", kind: "organization", id: "organization", fields }];
}

function headOf({ name, demo, tenant }: Organization): Entry {
  return { name, demo, ...optional("tenant", tenant) };
}

function changes<T extends { readonly id: string }>(
  kind: Change["kind"],
  current: readonly T[],
  wanted: readonly T[],
  entryOf: (noun: T) => Entry,
): Change[] {
  const before = new Map(current.map((noun) => [noun.id, noun]));
  const after = new Map(wanted.map((noun) => [noun.id, noun]));
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return ids.flatMap((id): Change[] => {
    const [was, is] = [before.get(id), after.get(id)];
    const fields = fieldChanges(was ? entryOf(was) : {}, is ? entryOf(is) : {});
    if (fields.length === 0) return [];
    return [{ action: was === undefined ? "add" : is === undefined ? "remove" : "change", kind, id, fields }];
  });
}

/** The file's entry with literal secrets in it, to compare; {@link show} keeps them out of sight. */
function agentEntry(agent: Agent): Entry {
  return { ...toFile.agent(agent), auth: agent.auth };
}

function fieldChanges(before: Entry, after: Entry): FieldChange[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((field) => field !== "id");
  return fields.flatMap((field) => {
    const [from, to] = [before[field], after[field]];
    if (isDeepStrictEqual(from, to)) return [];
    return [{ field, ...shown("from", field, from), ...shown("to", field, to) }];
  });
}

function shown<K extends "from" | "to">(key: K, field: string, value: unknown): { readonly [key in K]?: string } {
  return optional(key, value === undefined ? undefined : show(field, value));
}

/** A value for a plan: on one line, and nothing that opens a door. */
function show(field: string, value: unknown): string {
  if (field === "password_hash") return "(hidden)";
  if (field === "auth") return showAuth(value);
  if (Array.isArray(value))
    return `[${value.map((one) => (typeof one === "object" ? JSON.stringify(one) : one)).join(", ")}]`;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function showAuth(value: unknown): string {
  // Only agents have an `auth`, and it is theirs.
  const auth = value as Agent["auth"];
  if ("jwksUri" in auth) return `${auth.method}, keys at ${auth.jwksUri}`;
  if ("jwks" in auth)
    return `${auth.method}, keys ${auth.jwks.keys.map(({ kid }) => (typeof kid === "string" ? kid : "without kid")).join(", ")}`;
  if (!("secret" in auth)) return auth.method;
  const former = auth.formerSecret === undefined ? "" : `, the one before ${showSecret(auth.formerSecret)}`;
  return `${auth.method}, secret ${showSecret(auth.secret)}${former}`;
}

function showSecret(secret: SecretRef): string {
  if ("env" in secret) return `from environment ${secret.env}`;
  return "file" in secret ? `from file ${secret.file}` : "(hidden)";
}
