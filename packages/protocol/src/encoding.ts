const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();
const BASE64URL = /^[A-Za-z0-9_-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII, to tell it from what is beyond
const ASCII = /^[\u0000-\u007f]*$/;

// Base64 by way of atob() and btoa(), whose texts have a byte in each character: what is ASCII, as our JSON mostly is, is its
// own text of bytes, and every runtime does these two in native code.

/** Encodes bytes, or a text's UTF-8, as base64url without padding. */
export function encodeBase64url(bytes: Uint8Array | string): string {
  return btoa(bytesAsText(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Decodes base64url without padding; `undefined` for anything else. */
export function decodeBase64url(text: string): Uint8Array | undefined {
  const bytes = decodeToBytesAsText(text);
  return bytes === undefined ? undefined : textAsBytes(bytes);
}

/** Decodes base64url without padding to the text of which it is the UTF-8; `undefined` for anything else. */
export function decodeBase64urlText(text: string): string | undefined {
  const bytes = decodeToBytesAsText(text);
  return bytes === undefined ? undefined : utf8Of(bytes);
}

/** Decodes base64, padded or not, to the text of which it is the UTF-8; `undefined` for anything else. */
export function decodeBase64Text(text: string): string | undefined {
  try {
    return utf8Of(atob(text));
  } catch {
    return undefined;
  }
}

/** Characters at once: so many arguments a function may have on every runtime. */
const CHUNK = 8_192;

function bytesAsText(bytes: Uint8Array | string): string {
  if (typeof bytes === "string") return ASCII.test(bytes) ? bytes : bytesAsText(utf8Encoder.encode(bytes));
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK) as unknown as number[]);
  }
  return text;
}

function decodeToBytesAsText(text: string): string | undefined {
  if (!BASE64URL.test(text) || text.length % 4 === 1) return undefined;
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}

function utf8Of(bytes: string): string | undefined {
  return ASCII.test(bytes) ? bytes : decodeUtf8(textAsBytes(bytes));
}

function textAsBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Decodes UTF-8; `undefined` when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** An object of a JSON text; `undefined` for a text that is not JSON, or is anything but an object. */
export function parseJsonObject(text: string): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Whether a value is a JSON object: not an array, not `null`. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as a JSON object, or `undefined`. */
export function asObject(value: unknown): Record<string, unknown> | undefined {
  return isObject(value) ? value : undefined;
}

/** The value as an array of strings, or `undefined`. */
export function asStrings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}

const ID_BYTES = 16;
/** Random bytes for ids to come: to ask for many at once costs hardly more than to ask for few. */
const pool = new Uint8Array(256 * ID_BYTES);
let used = pool.length;

/** A fresh id: 128 random bits in base64url, 22 characters. */
export function randomId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  const bytes = pool.subarray(used, used + ID_BYTES);
  used += ID_BYTES;
  return encodeBase64url(bytes);
}

/** Encodes as `application/x-www-form-urlencoded` does. @see RFC 6749 Appendix B */
export function formEncode(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

/** Decodes one name or value of a form; `undefined` for bad percent-encoding or bytes that are not UTF-8. */
export function formDecode(text: string): string | undefined {
  const spaced = text.replaceAll("+", " ");
  // Most of a form is a token, in which nothing is encoded.
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined;
  }
}
