import { createHash } from "node:crypto";

/**
 * Under which name the store keeps whose an artifact is: a copy of the store shall not tell at a glance.
 *
 * @param person - The person's id.
 * @returns base64url SHA-256.
 */
export function subjectKey(person: string): string {
  return createHash("sha256").update(person).digest("base64url");
}
