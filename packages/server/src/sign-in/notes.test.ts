import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSealer, KEY_BYTES } from "../keys/seal.ts";
import { readNote, writeNote } from "./notes.ts";

const sealing = createSealer(randomBytes(KEY_BYTES));
let now = 1_000;
const ports = { sealing, now: () => now };

describe("a note to ourselves", () => {
  it("comes back as it was written, until it is too old", async () => {
    now = 1_000;
    const note = await writeNote(ports, "form", "session", 60, "content ✓");
    now = 1_059;
    expect(await readNote(ports, "form", "session", note)).toEqual({ content: "content ✓", expiresAt: 1_060 });
    now = 1_060;
    expect(await readNote(ports, "form", "session", note)).toBeUndefined();
  });

  it("is worth nothing for another holder, for something else, changed, or by another server", async () => {
    now = 1_000;
    const note = await writeNote(ports, "form", "session", 60);
    expect(await readNote(ports, "form", "another", note)).toBeUndefined();
    expect(await readNote(ports, "totp-secret", "session", note)).toBeUndefined();
    for (const other of ["", "x", `${note}A`, note.slice(0, -2), note.replace(/^./, "B")]) {
      expect(await readNote(ports, "form", "session", other)).toBeUndefined();
    }
    const elsewhere = { ...ports, sealing: createSealer(randomBytes(KEY_BYTES)) };
    expect(await readNote(elsewhere, "form", "session", note)).toBeUndefined();
  });

  it("shows nothing of its content, and is another one each time", async () => {
    const note = await writeNote(ports, "totp-secret", "session", 60, "SECRET");
    expect(Buffer.from(note, "base64url").toString("latin1")).not.toContain("SECRET");
    expect(await writeNote(ports, "totp-secret", "session", 60, "SECRET")).not.toBe(note);
  });
});
