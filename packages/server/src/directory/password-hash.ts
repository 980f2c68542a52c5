import { Buffer } from "node:buffer";

/** What one hash costs: memory in KiB, passes over it, lanes. */
export interface PasswordCost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** What our own hashes cost. @see OWASP Password Storage Cheat Sheet (m=19456, t=2, p=1) */
export const PASSWORD_COST: PasswordCost = { memory: 19_456, passes: 2, parallelism: 1 };

/** A password's hash, taken apart. */
export interface PasswordHash extends PasswordCost {
  readonly salt: Buffer;
  readonly tag: Buffer;
}

/** argon2id in PHC string format; {@link parsePasswordHash} bounds what stands in it. */
export const PASSWORD_HASH: RegExp =
  /^\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]{0,2}),p=([1-9][0-9]{0,2})\$([A-Za-z0-9+/]{8,88})\$([A-Za-z0-9+/]{16,88})$/;

// A hash comes from the organization file, so its cost is bounded: a typing error must not take the machine's memory.
const BOUNDS = {
  memory: { min: 8, max: 262_144 },
  passes: { min: 1, max: 16 },
  parallelism: { min: 1, max: 16 },
  salt: { min: 8, max: 64 },
  tag: { min: 16, max: 64 },
} as const;

/**
 * Takes a password's hash apart: whoever lets one in and whoever computes with it ask the same.
 *
 * @param phc - argon2id in PHC string format: memory at most 256 MiB, 16 passes and lanes, salt 8 to 64 bytes, tag 16 to 64.
 * @returns its parts, or `undefined` when it can not be read or is out of bounds.
 * @see RFC 9106 §3.1
 */
export function parsePasswordHash(phc: string): PasswordHash | undefined {
  const match = PASSWORD_HASH.exec(phc);
  if (match === null) return undefined;
  const [, memory, passes, parallelism, salt, tag] = match;
  const hash: PasswordHash = {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt ?? "", "base64"),
    tag: Buffer.from(tag ?? "", "base64"),
  };
  return isWithinBounds(hash) ? hash : undefined;
}

function isWithinBounds(hash: PasswordHash): boolean {
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
