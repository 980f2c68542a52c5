/** The transit API of Vault and OpenBao, as far as a key-encryption key and signing keys need it. */
import { createPublicKey, randomBytes } from "node:crypto";
import { CredenceError, isObject } from "@credence/protocol";
import type { JwsAlgorithm } from "@credence/protocol/jws";
import type { ExternalKeys } from "./external-keys.ts";
import { dataKeyBytes, type KeyEncryption, WRAP_CONTEXT } from "./key-encryption.ts";

/** Where a transit engine is. */
export interface TransitOptions {
  /** With the path that the engine is mounted at: `https://vault.acme.example/v1/transit`. */
  readonly url: string;
  /** Asked for at every request: tokens are renewed. */
  readonly token: () => string | Promise<string>;
  /** Milliseconds that one answer may take; 5,000 by default. */
  readonly timeoutMs?: number;
}

const LARGEST_ANSWER = 65_536;
const TIMEOUT_MS = 5_000;

/**
 * A key-encryption key that stays in a KMS: `POST encrypt/KEY` and `decrypt/KEY`.
 * @param key - Its name there; an AEAD kind, as `aes256-gcm96` is.
 */
export function transitKeyEncryption(key: string, options: TransitOptions): KeyEncryption {
  const name = `the key ${key} of the KMS ${options.url}`;
  const associated_data = Buffer.from(WRAP_CONTEXT).toString("base64");
  return {
    id: `kms:${options.url}/${key}`,
    name,
    async wrap(dataKey) {
      const plaintext = Buffer.from(dataKey).toString("base64");
      const answer = await ask(options, "POST", `encrypt/${encodeURIComponent(key)}`, { plaintext, associated_data });
      return text(answer, "ciphertext", options);
    },
    async unwrap(ciphertext) {
      const answer = await ask(options, "POST", `decrypt/${encodeURIComponent(key)}`, { ciphertext, associated_data });
      try {
        return dataKeyBytes(Buffer.from(text(answer, "plaintext", options), "base64").toString("base64url"));
      } catch (cause) {
        throw invalid(options, "its plaintext is no data key", cause);
      }
    },
  };
}

/** What transit calls our algorithms; ES256 and ES384 as JWS wants them, not as DER. */
const KINDS: Readonly<Record<JwsAlgorithm, { readonly type: string; readonly hash: string; readonly more?: object }>> =
  {
    ES256: { type: "ecdsa-p256", hash: "sha2-256", more: { marshaling_algorithm: "jws" } },
    ES384: { type: "ecdsa-p384", hash: "sha2-384", more: { marshaling_algorithm: "jws" } },
    RS256: { type: "rsa-2048", hash: "sha2-256", more: { signature_algorithm: "pkcs1v15" } },
    PS256: { type: "rsa-2048", hash: "sha2-256", more: { signature_algorithm: "pss", salt_length: "hash" } },
    EdDSA: { type: "ed25519", hash: "none" },
  };

/** Signing keys that are made in a transit engine and stay there. */
export function transitKeys(options: TransitOptions): ExternalKeys {
  return {
    name: options.url,
    async create(alg) {
      const name = `credence-${alg.toLowerCase()}-${randomBytes(9).toString("hex")}`;
      await ask(options, "POST", `keys/${name}`, { type: KINDS[alg].type, exportable: false });
      const answer = await ask(options, "GET", `keys/${name}`);
      return { name, publicJwk: publicJwkOf(answer, options) };
    },
    async sign(name, alg, data) {
      const { hash, more } = KINDS[alg];
      const input = Buffer.from(data).toString("base64");
      const path = `sign/${encodeURIComponent(name)}${hash === "none" ? "" : `/${hash}`}`;
      const answer = await ask(options, "POST", path, { input, ...more });
      // vault:v1:SIGNATURE; base64url for `jws`, base64 otherwise, and Buffer reads both.
      const [, , signature = ""] = text(answer, "signature", options).split(":");
      return new Uint8Array(Buffer.from(signature, "base64"));
    },
    async destroy(name) {
      const path = `keys/${encodeURIComponent(name)}`;
      await ask(options, "POST", `${path}/config`, { deletion_allowed: true });
      await ask(options, "DELETE", path);
    },
  };
}

function publicJwkOf(answer: Record<string, unknown>, options: TransitOptions) {
  const versions = isObject(answer.keys) ? answer.keys : {};
  const first = versions["1"];
  const pem = isObject(first) ? first.public_key : undefined;
  try {
    if (typeof pem !== "string") throw new TypeError("no public key");
    // An Ed25519 key comes as its 32 bytes in base64.
    const raw = pem.startsWith("-----") ? undefined : Buffer.from(pem, "base64").toString("base64url");
    const key = raw
      ? createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw }, format: "jwk" })
      : createPublicKey(pem);
    const jwk = key.export({ format: "jwk" });
    return { ...jwk, kty: String(jwk.kty) };
  } catch (cause) {
    throw invalid(options, "its public key is none", cause);
  }
}

async function ask(
  { url, token, timeoutMs = TIMEOUT_MS }: TransitOptions,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const headers = { "x-vault-token": await token(), "content-type": "application/json" };
  let response: Response;
  let answer: string;
  try {
    response = await fetch(`${url.replace(/\/$/, "")}/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    answer = await bounded(response);
  } catch (cause) {
    throw new CredenceError(`The KMS ${url} does not answer. Look after it, and after the way there.`, {
      code: "network",
      reason: "kms-unavailable",
      cause,
    });
  }
  if (response.status === 204) return {};
  if (response.status !== 200) {
    throw new CredenceError(
      `The KMS ${url} refused ${method} ${path} with ${response.status}. Look at its token and policy.`,
      { code: response.status >= 500 ? "network" : "configuration", reason: "kms-refused", status: response.status },
    );
  }
  return dataOf(answer, url);
}

function dataOf(answer: string, url: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(answer);
    if (isObject(parsed) && isObject(parsed.data)) return parsed.data;
  } catch {
    // Told below.
  }
  throw invalid({ url }, "it is no JSON with data");
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > LARGEST_ANSWER) throw new TypeError("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function text(answer: Record<string, unknown>, member: string, options: TransitOptions): string {
  const value = answer[member];
  if (typeof value === "string") return value;
  throw invalid(options, `it has no ${member}`);
}

function invalid({ url }: Pick<TransitOptions, "url">, what: string, cause?: unknown): CredenceError {
  return new CredenceError(`The answer of the KMS ${url} can not be used: ${what}.`, {
    code: "response_invalid",
    reason: "kms-answer-invalid",
    cause,
  });
}
