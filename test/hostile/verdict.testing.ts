/** What may be answered, whatever was asked. */
import type { Hostile } from "./generate.testing.ts";
import type { Answer } from "./socket.testing.ts";

/** What an endpoint answers with. */
export interface Expected {
  /**
   * `oauth`: JSON with an OAuth error for clients. `page`: HTML, or a redirect, for people.
   * `resource`: a challenge. `admin`: problem documents.
   */
  readonly kind: "oauth" | "page" | "resource" | "admin";
  /** Where redirects may go, beside this origin itself. */
  readonly redirects?: RegExp;
  /** Whether errors need not say that nobody may keep them: what answers a POST is kept by nobody anyway (RFC 9111 §3). */
  readonly mayBeKept?: boolean;
  /** Texts that no refusal may have in it. */
  readonly secrets?: readonly string[];
}

/** RFC 6749 §5.2: what an error and its description may be made of. */
const ERROR_TEXT = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;
/** Traces of the inside: stacks, paths, names of what it is built with. */
const INSIDE = /\n\s+at |node_modules|file:\/\/\/[a-z]+\/.*\.[jt]s|SqliteError|SQLITE_|pg_catalog|syntax error at/i;
/** What the texts of `values.testing.ts` would be where nobody escapes them. */
const UNESCAPED = /<script>alert|<svg onload=/i;

/** What is wrong with an answer; `undefined` when nothing is. */
export function faultOf(sent: Hostile, answer: Answer | undefined, expected: Expected): string | undefined {
  if (answer === undefined) return sent.broken ? undefined : "no answer to a whole request";
  const { status, headers, body } = answer;
  const get = (name: string) => headers.find(([known]) => known === name)?.[1];
  if (Number.isNaN(status)) return "an answer that is not HTTP/1.1";
  if (status >= 500) return `status ${status}`;
  const set = headers.find(([name, value]) => /[\0\r\n]/.test(name + value) || name === "");
  if (set !== undefined || get("set-cookie") === "a=b") return "a header that the request has made";
  if (INSIDE.test(body)) return `a trace of the inside: ${INSIDE.exec(body)?.[0]}`;
  const said = (expected.secrets ?? []).find((secret) => body.includes(secret));
  if (said !== undefined && status !== 200) return "a secret in a refusal";
  // Node's own parser refuses what is not HTTP, before any of ours is asked.
  if (isParsers(answer)) return sent.broken ? undefined : "refused by the HTTP parser, though it is HTTP";
  const location = get("location");
  if (location !== undefined && !isAllowed(location, expected)) return `a redirect to ${location.slice(0, 200)}`;
  if (status >= 300 && status < 400)
    return location === undefined && status !== 304 ? "a redirect to nowhere" : undefined;
  if (sent.method === "HEAD" || status === 204) return undefined;
  return faultOfBody(sent, answer, expected, get);
}

function isParsers({ status, headers, body }: Answer): boolean {
  return (
    [400, 408, 413, 417, 431].includes(status) &&
    body === "" &&
    headers.every(([name]) => /^(connection|content-length|transfer-encoding|date)$/.test(name))
  );
}

function isAllowed(location: string, { redirects }: Expected): boolean {
  return /^\/(?!\/)/.test(location) || (redirects?.test(location) ?? false);
}

function faultOfBody(
  sent: Hostile,
  { status, body }: Answer,
  { kind, mayBeKept = false }: Expected,
  get: (name: string) => string | undefined,
): string | undefined {
  const type = get("content-type") ?? "";
  const isJson = /^application\/([\w.-]+\+)?json/.test(type);
  if (/html/.test(type)) {
    if (UNESCAPED.test(body)) return "a page with markup of the request in it";
    if (!/^<!doctype html>[\s\S]*<\/html>\s*$/i.test(body)) return "a page that is not whole";
    if (get("content-security-policy") === undefined) return "a page without a content security policy";
    return sent.samePlace && kind !== "page" && sent.method !== "OPTIONS"
      ? `a page (status ${status}) where clients come`
      : undefined;
  }
  if (kind === "resource" && sent.samePlace && [401, 403, 400].includes(status)) {
    return /^(Bearer|DPoP)( |$)/.test(get("www-authenticate") ?? "")
      ? undefined
      : `status ${status} without a challenge`;
  }
  // A method that nobody serves there: as oidc-provider says it.
  if (status === 404 && body === "Not Found" && !sent.sameMethod) return undefined;
  if (!isJson)
    return body === "" || status === 200 || !sent.samePlace || status === 405
      ? undefined
      : `status ${status} as ${type}`;
  const parsed: unknown = parse(body);
  if (typeof parsed !== "object" || parsed === null) return "JSON that is none";
  const { error, error_description, access_token, type: problem } = parsed as Readonly<Record<string, unknown>>;
  if (status < 400) return undefined;
  if (kind === "admin") return typeof problem === "string" ? undefined : "no problem document";
  if (typeof error !== "string" || !ERROR_TEXT.test(error)) return "no OAuth error";
  if (error === "server_error") return "a fault of ours";
  if (error_description !== undefined && !ERROR_TEXT.test(String(error_description)))
    return "a description that is none";
  if (access_token !== undefined) return "a token beside an error";
  return mayBeKept || /no-store/.test(get("cache-control") ?? "") ? undefined : "an error that may be kept";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
