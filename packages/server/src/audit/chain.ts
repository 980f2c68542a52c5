import { createHash, randomBytes } from "node:crypto";
import { isObject } from "@credence/protocol";

/** What the chain of a writer has reached. */
export interface ChainState {
  readonly seq: number;
  /** Of the last row; before the first row, of the writer's entry in the register. */
  readonly hash: string;
}

/**
 * The hash of a row. It covers who wrote it, its place, the row before it and what it says. JSON's quotes keep the parts
 * apart; the first part keeps it from being any other hash of ours.
 *
 * @returns base64url SHA-256, 43 characters.
 */
export function rowHash(writer: string, seq: number, previousHash: string, payload: string): string {
  return sha256(JSON.stringify(["credence audit row v1", writer, seq, previousHash, payload]));
}

/** What a writer's first row follows: its entry in the register, so that a chain can not be hung under another entry. */
export function firstHash(registerSignature: string): string {
  return sha256(registerSignature);
}

/** A value, hidden: without the salt nobody can try values until one fits. */
export interface Commitment {
  readonly salt: string;
  readonly commitment: string;
}

/** Commits to a personal value under a salt of its own. */
export function commit(field: string, value: string): Commitment {
  const salt = randomBytes(16).toString("base64url");
  return { salt, commitment: commitmentOf(field, salt, value) };
}

/** The commitment to a value under a known salt. */
export function commitmentOf(field: string, salt: string, value: string): string {
  return sha256(JSON.stringify(["credence audit personal v1", field, salt, value]));
}

/**
 * JSON with one spelling: members sorted by UTF-16 code units, no spaces, `undefined` left out.
 * @see RFC 8785 §3.2
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (isObject(inner) ? sorted(inner) : inner));
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("base64url");
}
