import type { z } from "zod";
import { describedAt, schemasAt } from "./json-schema.ts";
import { cut, didYouMean, type Finding, type Path } from "./problems.ts";

type Issue = z.core.$ZodIssue;

/**
 * What a schema found, in words: each place once, and each unknown key by itself.
 *
 * @param base - Where in the file the data stands that the schema read.
 * @param data - That data.
 */
export function findingsOf(issues: readonly Issue[], base: Path, data: unknown): Finding[] {
  const places = new Set<string>();
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return unknownKeys(issue.keys, [...base, ...issue.path]);
    const place = JSON.stringify(issue.path.map(String));
    if (places.has(place)) return [];
    places.add(place);
    return [finding(issue, [...base, ...issue.path], valueAt(data, issue.path))];
  });
}

/** Unknown keys of one mapping that are told: each is held against all that are known. */
const UNKNOWN_KEYS = 200;

function unknownKeys(keys: readonly string[], path: Path): Finding[] {
  const known = new Set(schemasAt(path).flatMap(({ properties }) => Object.keys(properties ?? {})));
  return keys.slice(0, UNKNOWN_KEYS).map((key) => ({
    path: [...path, key],
    atKey: true,
    message: `The key "${cut(key)}" is not known here.${didYouMean(key, known)}`,
    mend: `Known here: ${[...known].join(", ")}.`,
  }));
}

function finding(issue: Issue, path: Path, value: unknown): Finding {
  const mend = describedAt(path) ?? "See the file's JSON schema: credence schema.";
  const name = nameOf(path);
  if (value === undefined || value === null) return { path, message: `${name} is missing.`, mend };
  switch (issue.code) {
    case "invalid_type":
      return {
        path,
        message: `${name} is ${kindOf(value)}, and should be ${expected(issue.expected)}.`,
        mend: quoting(value, issue.expected, path) ?? mend,
      };
    case "invalid_key":
      return {
        path,
        atKey: true,
        message: `The key "${cut(String(path.at(-1)))}" ${issue.issues[0]?.message ?? ""}.`,
        mend,
      };
    default:
      return { path, message: `${name} ${issue.message}.`, mend };
  }
}

/** The last name of a path, with the index in its list: `redirect_uris[1]`. */
function nameOf(path: Path): string {
  const last = path.findLastIndex((step) => typeof step !== "number");
  const indices = path.slice(last + 1).map((index) => `[${String(index)}]`);
  return last < 0 ? "The file" : `${cut(String(path[last]))}${indices.join("")}`;
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    // Indexing an object by a key that it was just seen to have.
    return (value as Record<PropertyKey, unknown>)[step];
  }, data);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return (
    { string: "text", object: "a mapping", boolean: "true or false" }[typeof value as string] ?? `a ${typeof value}`
  );
}

function expected(type: string): string {
  return (
    { string: "text", object: "a mapping", record: "a mapping", array: "a list", boolean: "true or false" }[type] ??
    type
  );
}

/** Quotes help what is right but for them: `max_age: 8` stays no duration. */
function quoting(value: unknown, type: string, path: Path): string | undefined {
  const plain = typeof value === "number" || typeof value === "boolean";
  const fits = schemasAt(path).every(({ pattern }) => pattern === undefined || new RegExp(pattern).test(String(value)));
  return type === "string" && plain && fits ? "Put quotes around it, so that it is text." : undefined;
}
