import { checkSignature, decodeJws, type JwkSet, jwksKeys, type Signer, signJwt, typIs } from "@credence/protocol/jws";
import type { AuditHead, AuditWriter } from "../store/store.ts";
import { firstHash } from "./chain.ts";

// A type for each, so that one can not be shown as the other (RFC 8725 §3.11).
const WRITER_TYPE = "credence-audit-writer+jwt";
const HEAD_TYPE = "credence-audit-head+jwt";

/** How far a writer had come when the next one entered the register. */
export interface Tail {
  readonly writer: string;
  readonly seq: number;
  readonly hash: string;
}

/** What a register entry says, under its signature. */
export interface WriterClaims {
  readonly position: number;
  readonly writer: string;
  readonly startedAt: number;
  /** Hash of the entry before; absent in the first. */
  readonly previous?: string;
  /** Where the writer of the entry before stood; absent in the first. */
  readonly tail?: Tail;
}

/** What a head says, under its signature. */
export type HeadClaims = Omit<AuditHead, "signature">;

/** Signs an entry of the register. Each covers the one before it, so that none can be taken out of the middle. */
export async function signWriter(claims: WriterClaims, signer: Signer): Promise<AuditWriter> {
  const { position, writer, startedAt } = claims;
  return { position, writer, startedAt, signature: await signJwt(WRITER_TYPE, claims, signer) };
}

/** Signs how far a chain has come. */
export async function signHead(claims: HeadClaims, signer: Signer): Promise<AuditHead> {
  return { ...claims, signature: await signJwt(HEAD_TYPE, claims, signer) };
}

/** What an entry of the register is called by the one after it. */
export function entryHash(entry: Pick<AuditWriter, "signature">): string {
  return firstHash(entry.signature);
}

/** @returns the claims of an entry whose signature is good and says what stands beside it; else `undefined`. */
export async function readWriter(entry: AuditWriter, keys: JwkSet): Promise<WriterClaims | undefined> {
  const claims = await readJwt(entry.signature, WRITER_TYPE, keys);
  if (!claims || !saysTheSame(claims, entry, ["position", "writer", "startedAt"])) return undefined;
  const { previous, tail } = claims;
  if (previous !== undefined && typeof previous !== "string") return undefined;
  if (tail !== undefined && !isTail(tail)) return undefined;
  const { position, writer, startedAt } = entry;
  return { position, writer, startedAt, ...(previous ? { previous } : {}), ...(tail ? { tail } : {}) };
}

/** Whether a head's signature is good and says what stands beside it. */
export async function isGoodHead(head: AuditHead, keys: JwkSet): Promise<boolean> {
  const claims = await readJwt(head.signature, HEAD_TYPE, keys);
  return claims !== undefined && saysTheSame(claims, head, ["writer", "seq", "hash", "signedAt"]);
}

async function readJwt(jwt: string, typ: string, keys: JwkSet): Promise<Record<string, unknown> | undefined> {
  const jws = decodeJws(jwt);
  if (!jws || !typIs(jws.header, typ)) return undefined;
  return (await checkSignature(jws, ["ES256"], jwksKeys(keys))) === undefined ? { ...jws.payload } : undefined;
}

function saysTheSame<T extends object>(
  claims: Record<string, unknown>,
  beside: T,
  names: (keyof T & string)[],
): boolean {
  return names.every((name) => claims[name] === beside[name]);
}

function isTail(value: unknown): value is Tail {
  return (
    typeof value === "object" &&
    value !== null &&
    "writer" in value &&
    typeof value.writer === "string" &&
    "seq" in value &&
    typeof value.seq === "number" &&
    "hash" in value &&
    typeof value.hash === "string"
  );
}
