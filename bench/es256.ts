/**
 * ES256 as fast as Node does it: node:crypto, synchronous, with the key imported once. Node 24 has a slow path for
 * `dsaEncoding: "ieee-p1363"`, so signatures are made and read in DER, and converted here.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { PrivateJwk } from "@credence/protocol/jws";

/** A key for signing and verifying. */
export interface Es256Key {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function es256Key(jwk: PrivateJwk): Es256Key {
  const privateKey = createPrivateKey({ key: { ...jwk }, format: "jwk" });
  return { kid: jwk.kid, privateKey, publicKey: createPublicKey(privateKey) };
}

/** A JWT in compact form. */
export function signJwt(typ: string, claims: object, { kid, privateKey }: Es256Key): string {
  const header = encode(JSON.stringify({ alg: "ES256", kid, typ }));
  const input = `${header}.${encode(JSON.stringify(claims))}`;
  return `${input}.${rawOf(sign("sha256", Buffer.from(input), privateKey)).toString("base64url")}`;
}

/** The claims of a JWT whose signature is good; `undefined` otherwise. */
export function verifyJwt(token: string, { publicKey }: Es256Key): Record<string, unknown> | undefined {
  const dot = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(dot + 1), "base64url");
  const good = verify("sha256", Buffer.from(token.slice(0, dot)), publicKey, derOf(signature));
  const payload = Buffer.from(token.slice(token.indexOf(".") + 1, dot), "base64url").toString();
  // Whoever signed it is the bench, or the server under its hand.
  return good ? (JSON.parse(payload) as Record<string, unknown>) : undefined;
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}

/** From DER to r and s of 32 bytes each. */
function rawOf(der: Buffer): Buffer {
  const raw = Buffer.alloc(64);
  let at = 3;
  for (const end of [32, 64]) {
    const length = der[at] ?? 0;
    const leading = Math.max(0, length - 32);
    der.copy(raw, end - length + leading, at + 1 + leading, at + 1 + length);
    at += length + 2;
  }
  return raw;
}

/** From r and s to DER. */
function derOf(raw: Buffer): Buffer {
  const parts = [raw.subarray(0, 32), raw.subarray(32, 64)].map(integerOf);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([0x30, length]), ...parts]);
}

function integerOf(part: Buffer): Buffer {
  let start = 0;
  while (start < 31 && part[start] === 0) start++;
  const bytes = part.subarray(start);
  const positive = (bytes[0] ?? 0) < 0x80;
  return Buffer.concat([Buffer.from(positive ? [2, bytes.length] : [2, bytes.length + 1, 0]), bytes]);
}
