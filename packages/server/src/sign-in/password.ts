import { Buffer } from "node:buffer";
import { argon2 as argon2Callback, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { CredenceError } from "@credence/protocol";

/**
 * Passwords, kept as argon2id in PHC string format.
 *
 * @see RFC 9106 (Argon2), OWASP Password Storage Cheat Sheet (m=19456, t=2, p=1)
 */

const argon2 = promisify(argon2Callback);

/** Cost of one hash: memory in KiB, passes over it, lanes. */
interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

interface ParsedHash extends Cost {
  readonly salt: Buffer;
  readonly tag: Buffer;
}

const COST: Cost = { memory: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Longest password in bytes of UTF-8; what is longer is refused before any work is done for it. */
export const PASSWORD_MAX_BYTES = 1024;

// A hash comes from the organization file, so its cost is bounded: a typing error must not take the machine's memory.
const BOUNDS = {
  memory: { min: 8, max: 262_144 },
  passes: { min: 1, max: 16 },
  parallelism: { min: 1, max: 16 },
  salt: { min: 8, max: 64 },
  tag: { min: 16, max: 64 },
} as const;

const PHC =
  /^\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]{0,2}),p=([1-9][0-9]{0,2})\$([A-Za-z0-9+/]{8,88})\$([A-Za-z0-9+/]{16,88})$/;

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
  const tag = await derive(message, salt, COST, TAG_BYTES);
  const { memory, passes, parallelism } = COST;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

/**
 * Does the password fit the hash? Compared in constant time; a hash that can not be read fits nothing, at the same cost.
 *
 * @param phc - argon2id in PHC string format.
 * @param password - As typed.
 */
export async function verifyPassword(phc: string, password: string): Promise<boolean> {
  const hash = parseHash(phc);
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
  await derive(passwordBytes(password) ?? Buffer.from("-"), NOBODY_SALT, COST, TAG_BYTES);
  return false;
}

const NOBODY_SALT = randomBytes(SALT_BYTES);

/** Is this a PHC string that {@link verifyPassword} can read, within its bounds? */
export function isPasswordHash(phc: string): boolean {
  return parseHash(phc) !== undefined;
}

function parseHash(phc: string): ParsedHash | undefined {
  const match = PHC.exec(phc);
  if (match === null) return undefined;
  const [, memory, passes, parallelism, salt, tag] = match;
  const hash: ParsedHash = {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt ?? "", "base64"),
    tag: Buffer.from(tag ?? "", "base64"),
  };
  return withinBounds(hash) ? hash : undefined;
}

function withinBounds(hash: ParsedHash): boolean {
  const within = (value: number, { min, max }: { min: number; max: number }) => value >= min && value <= max;
  return (
    within(hash.memory, BOUNDS.memory) &&
    within(hash.passes, BOUNDS.passes) &&
    within(hash.parallelism, BOUNDS.parallelism) &&
    within(hash.salt.length, BOUNDS.salt) &&
    within(hash.tag.length, BOUNDS.tag) &&
    // RFC 9106 §3.1: at least 8 KiB for each lane.
    hash.memory >= 8 * hash.parallelism
  );
}

/** The same password typed on two keyboards may differ in composition: NFC makes it one. */
function passwordBytes(password: string): Buffer | undefined {
  if (password.length > PASSWORD_MAX_BYTES) return undefined;
  const bytes = Buffer.from(password.normalize("NFC"), "utf8");
  return bytes.length >= 1 && bytes.length <= PASSWORD_MAX_BYTES ? bytes : undefined;
}

function derive(message: Buffer, nonce: Buffer, cost: Cost, tagLength: number): Promise<Buffer> {
  const { memory, passes, parallelism } = cost;
  return argon2("argon2id", { message, nonce, memory, passes, parallelism, tagLength });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
