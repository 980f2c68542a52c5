import { decodeUtf8, formDecode } from "./encoding.ts";
import { ok, type Result, refuse } from "./result.ts";

/** Limits of a form, stated once. */
export const FORM_LIMITS = {
  /** Bytes of the whole body. */
  bytes: 65_536,
  /** Parameters. */
  parameters: 100,
} as const;

/** Parameters that may stand more than once: RFC 8693 §2.1, RFC 8707 §2. */
const REPEATABLE: ReadonlySet<string> = new Set(["audience", "resource"]);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The parameters of a request: each once, but for those that may repeat. */
export interface Form {
  /** The value, or `undefined` when the parameter is missing or empty. @see RFC 6749 §3.1 */
  get(name: string): string | undefined;
  /** All values, in order. */
  all(name: string): readonly string[];
}

/**
 * Parses a form body, once and strictly.
 *
 * @param body - At most {@link FORM_LIMITS}.bytes bytes of `application/x-www-form-urlencoded`.
 * @returns the form; refused: `form-too-large`, `form-malformed`, `parameter-doubled`.
 * @see RFC 6749 §3.2
 */
export function parseForm(body: Uint8Array): Result<Form> {
  if (body.byteLength > FORM_LIMITS.bytes) return refuse("form-too-large", `more than ${FORM_LIMITS.bytes} bytes`);
  const text = decodeUtf8(body);
  if (text === undefined) return refuse("form-malformed", "not UTF-8");
  const values = new Map<string, string[]>();
  let count = 0;
  for (const pair of text === "" ? [] : text.split("&")) {
    if (pair === "") continue;
    if (++count > FORM_LIMITS.parameters) return refuse("form-too-large", "too many parameters");
    const equals = pair.indexOf("=");
    const name = formDecode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : formDecode(pair.slice(equals + 1));
    if (name === undefined || value === undefined) return refuse("form-malformed", "percent-encoding");
    if (CONTROL.test(name) || CONTROL.test(value)) return refuse("form-malformed", "control character");
    const seen = values.get(name);
    if (seen === undefined) values.set(name, [value]);
    else if (REPEATABLE.has(name)) seen.push(value);
    else return refuse("parameter-doubled", KNOWN.has(name) ? name : undefined);
  }
  return ok({
    get: (name) => values.get(name)?.[0] || undefined,
    all: (name) => (values.get(name) ?? []).filter((value) => value !== ""),
  });
}

/**
 * Takes parameters that somebody else has read off a form, as strictly as {@link parseForm}.
 *
 * @param parameters - By name: the value, or the list of all its values.
 * @returns the form; refused as by {@link parseForm}.
 */
export function formOf(parameters: Readonly<Record<string, unknown>>): Result<Form> {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) {
      if (typeof one !== "string") return refuse("form-malformed", "a value that is no text");
      form.append(name, one);
    }
  }
  return parseForm(new TextEncoder().encode(form.toString()));
}

/** Names that a record may repeat; others came from outside and stay out of it. */
const KNOWN: ReadonlySet<string> = new Set([
  "grant_type",
  "requested_token_type",
  "subject_token",
  "subject_token_type",
  "actor_token",
  "actor_token_type",
  "scope",
  "authorization_details",
  "assertion",
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
  "code",
  "redirect_uri",
  "code_verifier",
  "refresh_token",
]);

/**
 * Whether the header names a form, whatever its parameters.
 * @param contentType - The `Content-Type` header.
 */
export function isFormContentType(contentType: string | null | undefined): boolean {
  return contentType?.split(";")[0]?.trim().toLowerCase() === "application/x-www-form-urlencoded";
}

/**
 * Reads the form of a request, once, to an endpoint that takes one by POST.
 *
 * @returns the form; refused: `method-wrong`, `form-content-type`, `form-too-large`, `form-malformed`, `parameter-doubled`.
 * @see RFC 6749 §3.2
 */
export async function readForm(request: Request): Promise<Result<Form>> {
  if (request.method !== "POST") return refuse("method-wrong");
  if (!isFormContentType(request.headers.get("content-type"))) return refuse("form-content-type");
  const body = await readBody(request);
  return body.ok ? parseForm(body.value) : body;
}

/**
 * Reads a body up to a limit, whatever its declared length; a longer one is not read to its end.
 *
 * @returns the bytes; refused: `form-too-large`, `form-malformed` when the body breaks off.
 */
export async function readBody(request: Request, limit: number = FORM_LIMITS.bytes): Promise<Result<Uint8Array>> {
  const body = await readStream(request.body, limit).catch(() => "broken" as const);
  if (body === "broken") return refuse("form-malformed", "the body broke off");
  return body ? ok(body) : refuse("form-too-large", `more than ${limit} bytes`);
}

/** Reads a stream up to a limit in bytes; `undefined` (and the stream is cancelled) when it is longer. */
export async function readStream(
  stream: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = stream?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    size += next.value.byteLength;
    if (size > limit) {
      await reader?.cancel();
      return undefined;
    }
    chunks.push(next.value);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
