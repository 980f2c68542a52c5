import type { Form } from "./form.ts";
import { ok, type Result, refuse } from "./result.ts";

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const MAX_TOKENS = 100;
const MAX_LENGTH = 4_096;

/**
 * Parses a scope: tokens divided by spaces, doubles removed, order kept.
 *
 * @param scope - At most 4,096 characters and 100 tokens.
 * @returns the tokens; refused: `scope-malformed`.
 * @see RFC 6749 §3.3
 */
export function parseScope(scope: string): Result<readonly string[]> {
  if (scope.length > MAX_LENGTH) return refuse("scope-malformed", "too long");
  const tokens = scope.split(" ").filter((token) => token !== "");
  if (tokens.length === 0 || tokens.length > MAX_TOKENS) return refuse("scope-malformed", `${tokens.length} tokens`);
  if (!tokens.every((token) => SCOPE_TOKEN.test(token))) return refuse("scope-malformed", "character");
  return ok([...new Set(tokens)]);
}

/**
 * Checks a resource indicator: an absolute URI without a fragment, at most 2,048 characters.
 *
 * @returns the resource as it was sent; refused: `resource-malformed`.
 * @see RFC 8707 §2
 */
export function parseResource(resource: string): Result<string> {
  if (resource.length > 2_048 || resource.includes("#") || !URL.canParse(resource)) return refuse("resource-malformed");
  return ok(resource);
}

/**
 * The scope of a request, if it names one.
 *
 * @returns the tokens, or `undefined`; refused: `scope-malformed`.
 * @see RFC 6749 §3.3
 */
export function scopeOf(form: Form): Result<readonly string[] | undefined> {
  const scope = form.get("scope");
  return scope === undefined ? ok(undefined) : parseScope(scope);
}

/**
 * The resources of a request, doubles removed, order kept.
 *
 * @returns the resources; refused: `resource-malformed`.
 * @see RFC 8707 §2
 */
export function resourcesOf(form: Form): Result<readonly string[]> {
  const resources: string[] = [];
  for (const sent of new Set(form.all("resource"))) {
    const resource = parseResource(sent);
    if (!resource.ok) return resource;
    resources.push(resource.value);
  }
  return ok(resources);
}
