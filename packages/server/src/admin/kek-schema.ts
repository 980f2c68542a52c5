import { z } from "zod";
import { isLoopbackHost } from "../organization/rules.ts";

const name = z.string({ error: "is not text" }).min(1, { error: "is empty" }).max(4_096, { error: "is too long" });

/** How a deployment refers to a secret. */
export const secretSchema = z.union([z.strictObject({ env: name }), z.strictObject({ file: name })], {
  error: "is no secret: { env: NAME } or { file: PATH }",
});

/** Where secrets are sent: over TLS, or to this machine. */
export const secureUrlSchema = z.string({ error: "is not text" }).refine(isSecureUrl, {
  error: "is not a URL to send secrets to: https (http only on loopback), no query, no fragment, no user",
});

function isSecureUrl(text: string): boolean {
  const parsed = URL.parse(text);
  if (parsed === null || /[?#@\s]/.test(text)) return false;
  return parsed.protocol === "https:" || (parsed.protocol === "http:" && isLoopbackHost(parsed.hostname));
}

const kms = z.strictObject({ url: secureUrlSchema, key: name.regex(/^[\w.-]+$/), token: secretSchema });

/** Where a key-encryption key is, as the configuration file and the admin API say it. */
export const kekSchema = z.union(
  [z.strictObject({ file: name }), z.strictObject({ env: name }), z.strictObject({ kms })],
  {
    error:
      "is none of { file: PATH }, { env: NAME }, { kms: { url: URL, key: NAME, token: { env: NAME } } }; a URL is https (http only on loopback)",
  },
);
