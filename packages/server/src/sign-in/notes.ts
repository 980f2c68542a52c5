import type { Sealing } from "./artifacts.ts";

/** What notes need from the house. */
export interface NotePorts {
  readonly sealing: Sealing;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** What a note is for: one that was written for something else is worth nothing. */
export type NotePurpose = "form" | "passkey-registration" | "passkey-sign-in" | "totp-secret";

/**
 * Writes a note to ourselves that goes through somebody's browser and back, and that nobody else can read or write: no
 * state is kept for a page that was only looked at.
 *
 * @param holder - Whose it is: the id of a session or of a sign-in. From anybody else it is not taken.
 * @param lifetime - Seconds.
 * @returns base64url text, another one each time.
 */
export async function writeNote(
  { sealing, now }: NotePorts,
  purpose: NotePurpose,
  holder: string,
  lifetime: number,
  content = "",
): Promise<string> {
  return sealing.seal(JSON.stringify([now() + lifetime, content]), place(purpose, holder));
}

/**
 * Reads a note that came back.
 *
 * @returns its content and when it ends (seconds since the epoch); `undefined` for one that is not ours, not for this, not
 *   this holder's, or too old.
 */
export async function readNote(
  { sealing, now }: NotePorts,
  purpose: NotePurpose,
  holder: string,
  note: string,
): Promise<{ readonly content: string; readonly expiresAt: number } | undefined> {
  const text = await opened(sealing, note, purpose, holder);
  const parts: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!Array.isArray(parts)) return undefined;
  const [expiresAt, content] = parts;
  if (typeof expiresAt !== "number" || typeof content !== "string" || expiresAt <= now()) return undefined;
  return { content, expiresAt };
}

async function opened(
  sealing: Sealing,
  note: string,
  purpose: NotePurpose,
  holder: string,
): Promise<string | undefined> {
  // One text for each note: a mark of use is made of it.
  if (Buffer.from(note, "base64url").toString("base64url") !== note) return undefined;
  try {
    return await sealing.open(note, place(purpose, holder));
  } catch {
    // Not sealed by us, or for another place: what came is whatever a browser sends.
    return undefined;
  }
}

function place(purpose: NotePurpose, holder: string) {
  return { table: "notes", record: holder, field: purpose };
}
