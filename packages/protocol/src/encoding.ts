import { base64url } from "jose";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** Encodes bytes as base64url without padding. */
export function encodeBase64url(bytes: Uint8Array | string): string {
  return base64url.encode(bytes);
}

/** Decodes base64url without padding; `undefined` for anything else. */
export function decodeBase64url(text: string): Uint8Array | undefined {
  if (!BASE64URL.test(text) || text.length % 4 === 1) return undefined;
  return base64url.decode(text);
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

/** A fresh id: 128 random bits in base64url, 22 characters. */
export function randomId(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(16)));
}

/** Encodes as `application/x-www-form-urlencoded` does. @see RFC 6749 Appendix B */
export function formEncode(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

/** Decodes one name or value of a form; `undefined` for bad percent-encoding or bytes that are not UTF-8. */
export function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
