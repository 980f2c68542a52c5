import { Buffer } from "node:buffer";
import { argon2 as argon2Callback, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { CredenceError } from "@credence/protocol";
import { PASSWORD_COST, type PasswordCost, parsePasswordHash } from "../directory/password-hash.ts";

/**
 * Passwords, kept as argon2id in PHC string format.
 *
 * @see RFC 9106 (Argon2)
 */

const argon2 = promisify(argon2Callback);

const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Longest password in bytes of UTF-8; what is longer is refused before any work is done for it. */
export const PASSWORD_MAX_BYTES = 1024;

/**
 * Hashes a password with a fresh salt.
 *
 * @param password - At most {@link PASSWORD_MAX_BYTES} bytes after NFC normalisation, and not empty.
 * @returns argon2id in PHC string format.
 * @throws CredenceError `configuration` when the password is empty or too long.
 * @see RFC 9106 §4
 */
export async function hashPassword(password: string): Promise<string> {
  const message = passwordBytes(password);
  if (message === undefined) {
    throw new CredenceError(`A password has 1 to ${PASSWORD_MAX_BYTES} bytes.`, { code: "configuration" });
  }
  const salt = randomBytes(SALT_BYTES);
  const tag = await derive(message, salt, PASSWORD_COST, TAG_BYTES);
  const { memory, passes, parallelism } = PASSWORD_COST;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

/**
 * Does the password fit the hash? Compared in constant time; a hash that can not be read fits nothing, at the same cost.
 *
 * @param phc - argon2id in PHC string format.
 * @param password - As typed.
 */
export async function verifyPassword(phc: string, password: string): Promise<boolean> {
  const hash = parsePasswordHash(phc);
  if (hash === undefined) return verifyAgainstNobody(password);
  const message = passwordBytes(password);
  // The work is done for a bad password too, so that the answer's time says nothing.
  const tag = await derive(message ?? Buffer.from("-"), hash.salt, hash, hash.tag.length);
  return timingSafeEqual(tag, hash.tag) && message !== undefined;
}

/**
 * Costs what verifying somebody's password costs, and fails: for an email that nobody has.
 *
 * @param password - As typed.
 */
export async function verifyAgainstNobody(password: string): Promise<false> {
  await derive(passwordBytes(password) ?? Buffer.from("-"), NOBODY_SALT, PASSWORD_COST, TAG_BYTES);
  return false;
}

const NOBODY_SALT = randomBytes(SALT_BYTES);

/** The same password typed on two keyboards may differ in composition: NFC makes it one. */
function passwordBytes(password: string): Buffer | undefined {
  if (password.length > PASSWORD_MAX_BYTES) return undefined;
  const bytes = Buffer.from(password.normalize("NFC"), "utf8");
  return bytes.length >= 1 && bytes.length <= PASSWORD_MAX_BYTES ? bytes : undefined;
}

function derive(message: Buffer, nonce: Buffer, cost: PasswordCost, tagLength: number): Promise<Buffer> {
  const { memory, passes, parallelism } = cost;
  return argon2("argon2id", { message, nonce, memory, passes, parallelism, tagLength });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
