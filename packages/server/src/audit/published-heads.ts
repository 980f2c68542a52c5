import { z } from "zod";
import type { AuditHead } from "../store/store.ts";

const headSchema = z.object({
  writer: z.string().max(100),
  seq: z.int().positive(),
  hash: z.string().max(100),
  signed_at: z.number(),
  signature: z.string().max(16_384),
});

/** A line of a file of published heads that is none. */
export interface BadLine {
  readonly line: number;
  readonly message: string;
}

/** A head as it is published: one line of JSON. */
export function printHead({ writer, seq, hash, signedAt, signature }: AuditHead): string {
  return JSON.stringify({ writer, seq, hash, signed_at: signedAt, signature });
}

/** Reads heads that {@link printHead} wrote; empty lines are skipped. Signatures are not looked at here. */
export function parseHeads(text: string): { readonly heads: readonly AuditHead[]; readonly bad: readonly BadLine[] } {
  const heads: AuditHead[] = [];
  const bad: BadLine[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const parsed = headSchema.safeParse(parseJson(line));
    if (parsed.success) {
      const { signed_at: signedAt, ...head } = parsed.data;
      heads.push({ ...head, signedAt });
    } else {
      bad.push({ line: index + 1, message: "not a head as `credence audit heads` prints them" });
    }
  }
  return { heads, bad };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
