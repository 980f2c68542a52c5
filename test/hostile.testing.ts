/** Requests that no honest client sends, over real HTTP, and JWTs that no honest library makes. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { request } from "node:http";
import { expect } from "vitest";

/** An answer as it came. */
export interface HostileAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

/** Headers to send: a list stands for one line each, an empty one for none. */
export type HostileHeaders = Readonly<Record<string, string | readonly string[]>>;

/** Sends a POST as it is: headers may stand several times, and the body may be any bytes. */
export function send(url: string, headers: HostileHeaders, body: string | Uint8Array): Promise<HostileAnswer> {
  return new Promise((resolve, reject) => {
    const req = request(url, { method: "POST" }, (res) => {
      const pieces: Buffer[] = [];
      res.on("data", (piece: Buffer) => pieces.push(piece));
      res.on("error", reject);
      res.on("end", () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(pieces).toString() }),
      );
    });
    req.on("error", reject);
    req.setHeader("content-length", Buffer.byteLength(body));
    for (const [name, value] of Object.entries(headers))
      if (value.length > 0 || value === "") req.setHeader(name, value);
    req.end(body);
  });
}

/** RFC 6749 §5.2: what an error and its description may be made of. */
const ERROR_TEXT = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

/** Expects an OAuth error: well-formed, never ours (500), nothing issued, never kept. Gives its `error`. */
export function expectOAuthError({ status, headers, text }: HostileAnswer): string {
  expect([400, 401, 405, 503], text).toContain(status);
  expect(headers["content-type"]).toContain("application/json");
  expect(headers["cache-control"]).toContain("no-store");
  const body: Record<string, unknown> = JSON.parse(text);
  expect(body.error).toMatch(ERROR_TEXT);
  expect(body.error_description).toMatch(ERROR_TEXT);
  expect(body.decision_id).toMatch(/^[A-Za-z0-9_-]{22}$/);
  for (const token of ["access_token", "refresh_token", "id_token"]) expect(body).not.toHaveProperty(token);
  return String(body.error);
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** How a JWT of an attacker is signed. */
export type Signing = (input: string) => Buffer;

export const es256 =
  (key: KeyObject): Signing =>
  (input) =>
    sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
export const rs256 =
  (key: KeyObject): Signing =>
  (input) =>
    sign("sha256", Buffer.from(input), key);
export const hs256 =
  (secret: string): Signing =>
  (input) =>
    createHmac("sha256", secret).update(input).digest();
export const unsigned: Signing = () => Buffer.alloc(0);

/** Makes a JWT of whatever header and claims. */
export function jwt(header: object, claims: unknown, signing: Signing): string {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signing(input).toString("base64url")}`;
}

/** A key of elliptic curve P-256, as an attacker has it. */
export function ecKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey, jwk: publicKey.export({ format: "jwk" }), privateJwk: privateKey.export({ format: "jwk" }) };
}

/** An RSA key that is too short. */
export function shortRsaKey() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  return { privateKey, jwk: publicKey.export({ format: "jwk" }) };
}
