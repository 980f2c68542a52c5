/** What reads a JWKS as strictly as anybody may: kept for exactly as long as the server says, and not asked before. */
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { askAdmin } from "../packages/server/src/admin/client.ts";
import type { House } from "./house.testing.ts";

/** Verifies tokens of a house with the JWKS that it keeps. Rejects for a key that it does not have. */
export type StrictVerifier = (token: string) => Promise<JWTPayload>;

/** A verifier that never asks for an unknown key, as those do that have just asked. */
export function strictVerifier({ issuer }: House): StrictVerifier {
  let kept: { readonly keys: ReturnType<typeof createLocalJWKSet>; readonly until: number } | undefined;
  return async (token) => {
    if (kept === undefined || kept.until <= performance.now()) {
      const asked = performance.now();
      const response = await fetch(`${issuer}/jwks`);
      const seconds = Number(/^public, max-age=(\d+)$/.exec(response.headers.get("cache-control") ?? "")?.[1]);
      kept = { keys: createLocalJWKSet(await jwks(response)), until: asked + seconds * 1_000 };
    }
    return (await jwtVerify(token, kept.keys, { issuer, algorithms: ["ES256"] })).payload;
  };
}

/** The keys that a house publishes now. */
export async function publishedKeys({
  issuer,
}: Pick<House, "issuer">): Promise<readonly { readonly kid?: string; readonly alg?: string }[]> {
  return (await jwks(await fetch(`${issuer}/jwks`))).keys;
}

async function jwks(response: Response): Promise<JSONWebKeySet> {
  return (await response.json()) as JSONWebKeySet;
}

/** A key as the admin API lists it. */
export interface ListedKey {
  readonly kid: string;
  readonly use: string;
  readonly alg: string;
  readonly state: string;
  readonly external?: string;
}

export async function listedKeys({ dataDir }: Pick<House, "dataDir">): Promise<readonly ListedKey[]> {
  const { body } = await askAdmin(dataDir, { method: "GET", path: "/v1/keys" });
  return (body as { readonly keys: readonly ListedKey[] }).keys;
}

/** Orders something of a house's keys. */
export function orderKeys({ dataDir }: Pick<House, "dataDir">, path: string, body: object = {}) {
  return askAdmin(dataDir, { method: "POST", path: `/v1/keys/${path}`, body: JSON.stringify(body) });
}

/** Rotates as soon as that can be done without anybody's noticing. */
export async function rotateWhenAllowed(house: House): Promise<void> {
  for (;;) {
    const { status, body } = await orderKeys(house, "rotate", { use: "idp" });
    if (status === 200) return;
    if (status !== 409) throw new Error(`not rotated: ${status} ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The id of the key that signed a token. */
export function kidOf(token: string): string {
  const header: unknown = JSON.parse(Buffer.from(token.split(".", 1)[0] ?? "", "base64url").toString());
  return typeof header === "object" && header !== null && "kid" in header ? String(header.kid) : "";
}
