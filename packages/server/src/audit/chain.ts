import { hash } from "node:crypto";
import { randomId } from "@credence/protocol";

/** What the chain of a writer has reached. */
export interface ChainState {
  readonly seq: number;
  /** Of the last row; before the first row, of the writer's entry in the register. */
  readonly hash: string;
}

/**
 * The hash of a row. It covers who wrote it, its place, the row before it and what it says. JSON's quotes and its end keep the parts
 * apart; the first part keeps it from being any other hash of ours.
 *
 * @returns base64url SHA-256, 43 characters.
 */
export function rowHash(writer: string, seq: number, previousHash: string, payload: string): string {
  return sha256(`${JSON.stringify(["credence audit row v1", writer, seq, previousHash])}${payload}`);
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

/** Commits to a personal value under a salt of its own, of 128 random bits. */
export function commit(field: string, value: string): Commitment {
  const salt = randomId();
  return { salt, commitment: commitmentOf(field, salt, value) };
}

/** The commitment to a value under a known salt. */
export function commitmentOf(field: string, salt: string, value: string): string {
  return sha256(JSON.stringify(["credence audit personal v1", field, salt, value]));
}

function sha256(text: string): string {
  return hash("sha256", text, "base64url");
}
