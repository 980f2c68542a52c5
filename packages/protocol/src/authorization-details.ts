import { isObject } from "./encoding.ts";
import { ok, type Result, refuse } from "./result.ts";

/** One member of `authorization_details`. @see RFC 9396 §2 */
export interface AuthorizationDetail {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** Bounds of `authorization_details`: characters of the parameter, members of the array, depth of one. */
export const AUTHORIZATION_DETAILS_LIMITS = { length: 16_384, members: 50, depth: 8 } as const;

/** Members whose lists narrow each other: what is granted is in both. @see RFC 9396 §2.2 */
const LISTS: ReadonlySet<string> = new Set(["locations", "actions", "datatypes", "privileges"]);

/**
 * Parses the `authorization_details` parameter: a JSON array of objects, each with a `type`.
 *
 * @param text - At most 16,384 characters, 50 members, 8 levels.
 * @returns the details, at least one; refused: `authorization-details-malformed`.
 * @see RFC 9396 §2, §5
 */
export function parseAuthorizationDetails(text: string): Result<readonly AuthorizationDetail[]> {
  if (text.length > AUTHORIZATION_DETAILS_LIMITS.length) return refuse("authorization-details-malformed", "too long");
  // Brackets are counted before they are parsed: a parser that goes deep goes with the stack.
  if (depthOf(text) > AUTHORIZATION_DETAILS_LIMITS.depth) return refuse("authorization-details-malformed", "too deep");
  try {
    return readAuthorizationDetails(JSON.parse(text));
  } catch {
    return refuse("authorization-details-malformed", "not JSON");
  }
}

/**
 * Reads `authorization_details` that are JSON already: a claim, or a member of an answer.
 *
 * @returns the details, at least one; refused: `authorization-details-malformed`.
 * @see RFC 9396 §2
 */
export function readAuthorizationDetails(value: unknown): Result<readonly AuthorizationDetail[]> {
  if (!Array.isArray(value) || value.length === 0) return refuse("authorization-details-malformed", "not an array");
  if (value.length > AUTHORIZATION_DETAILS_LIMITS.members) return refuse("authorization-details-malformed", "too many");
  const details: AuthorizationDetail[] = [];
  for (const item of value) {
    if (!isDetail(item)) return refuse("authorization-details-malformed", "a member");
    details.push(item);
  }
  return ok(details);
}

function isDetail(value: unknown): value is AuthorizationDetail {
  if (!isObject(value) || typeof value.type !== "string" || value.type === "" || value.type.length > 256) return false;
  // Assigned, this name would be no member.
  if (Object.hasOwn(value, "__proto__")) return false;
  if (value.identifier !== undefined && typeof value.identifier !== "string") return false;
  return [...LISTS].every((name) => value[name] === undefined || isStringList(value[name]));
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string" && item !== "");
}

/**
 * What of an asked detail lies within a limit of the same type: lists are cut to what both name, every other member that
 * the limit states must be equal, and what the limit does not state is free.
 *
 * @returns the narrowed detail, as narrow as the narrower of both in every member; `undefined` when nothing is left.
 * @see RFC 9396 §2.2, §7.1
 */
export function narrowDetail(asked: AuthorizationDetail, limit: AuthorizationDetail): AuthorizationDetail | undefined {
  if (asked.type !== limit.type) return undefined;
  const narrowed: Record<string, unknown> & { type: string } = { ...asked };
  for (const [name, bound] of Object.entries(limit)) {
    const wanted = Object.hasOwn(asked, name) ? asked[name] : undefined;
    if (wanted === undefined) narrowed[name] = bound;
    else if (LISTS.has(name) && isStringList(bound) && isStringList(wanted)) {
      const common = wanted.filter((item) => bound.includes(item));
      if (common.length === 0) return undefined;
      narrowed[name] = common;
    } else if (!sameJson(wanted, bound)) return undefined;
  }
  return narrowed;
}

/** Whether one detail grants no more than another. */
export function detailWithin(detail: AuthorizationDetail, limit: AuthorizationDetail): boolean {
  const narrowed = narrowDetail(detail, limit);
  return narrowed !== undefined && sameJson(narrowed, detail);
}

/**
 * Narrows what is asked by what may be granted: each asked detail by the first limit that leaves most of it.
 *
 * @param limits - What may be granted; what none of them covers is left out.
 * @returns the narrowed details, perhaps none.
 * @see RFC 9396 §7.1
 */
export function narrowDetails(
  asked: readonly AuthorizationDetail[],
  limits: readonly AuthorizationDetail[],
): readonly AuthorizationDetail[] {
  return asked.flatMap((detail) => {
    const narrowed = limits.flatMap((limit) => narrowDetail(detail, limit) ?? []);
    const whole = narrowed.find((one) => sameJson(one, detail));
    const [best] = whole ? [whole] : narrowed.sort((a, b) => sizeOf(b) - sizeOf(a));
    return best === undefined ? [] : [best];
  });
}

/** Whether each of the details lies within one of the limits. */
export function detailsWithin(
  details: readonly AuthorizationDetail[],
  limits: readonly AuthorizationDetail[],
): boolean {
  return details.every((detail) => limits.some((limit) => detailWithin(detail, limit)));
}

/**
 * Whether details repeat or narrow what was granted: each lies within one of the grants, and states no member that the grant
 * does not. A member more could be a right more: whether leaving it out means all of it or none, only its type knows.
 *
 * @see RFC 9396 §6.1
 */
export function detailsNarrow(
  details: readonly AuthorizationDetail[],
  granted: readonly AuthorizationDetail[],
): boolean {
  return details.every((detail) =>
    granted.some(
      (grant) => detailWithin(detail, grant) && Object.keys(detail).every((name) => Object.hasOwn(grant, name)),
    ),
  );
}

/** How many items the lists of a detail name. */
function sizeOf(detail: AuthorizationDetail): number {
  return [...LISTS].reduce((size, name) => size + (isStringList(detail[name]) ? detail[name].length : 0), 0);
}

/** Whether two JSON values are equal, members in any order. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]))
  );
}

/** Levels of brackets in a JSON text, strings left out. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  // A string that does not end runs to the end of the text: to try it again from each quote in it would take for ever.
  for (const [bracket] of json.matchAll(/"(?:[^"\\]|\\.?)*"?|[[{}\]]/gs)) {
    if (bracket === "[" || bracket === "{") deepest = Math.max(deepest, ++depth);
    else if (bracket === "]" || bracket === "}") depth--;
  }
  return deepest;
}
