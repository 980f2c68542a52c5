import { request } from "node:http";
import { CredenceError } from "@credence/protocol";
import { socketPath } from "./socket.ts";

/** An answer of the admin API. */
export interface AdminAnswer {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

/** A question to the admin API. */
export interface AdminQuestion {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Largest answer in bytes: an organization's text, and what JSON makes of it. */
const ANSWER_LIMIT = 64 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/**
 * Asks the server that runs on a data directory.
 *
 * @throws CredenceError `network` when none answers there, with how to mend it.
 */
export async function askAdmin(dataDir: string, question: AdminQuestion): Promise<AdminAnswer> {
  const path = socketPath(dataDir);
  const { status, text } = await send(path, question).catch((cause: unknown) => {
    throw new CredenceError(explain(cause, dataDir), { code: "network", cause });
  });
  try {
    return { status, body: JSON.parse(text) };
  } catch (cause) {
    throw new CredenceError(`What answers on ${path} is no Credence server.`, { code: "response_invalid", cause });
  }
}

function send(
  path: string,
  { method, path: target, headers, body }: AdminQuestion,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const bytes = body === undefined ? undefined : Buffer.from(body);
    const length = bytes === undefined ? {} : { "content-length": bytes.length };
    const options = {
      socketPath: path,
      // A connection of its own, closed after the answer: a command asks once and ends.
      agent: false,
      method,
      path: target,
      headers: { host: "credence", ...headers, ...length },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
    const req = request(options, (res) => {
      const chunks: Buffer[] = [];
      let size = 0;
      res.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > ANSWER_LIMIT) res.destroy(new Error("answer too large"));
        else chunks.push(chunk);
      });
      res.once("error", reject);
      res.once("end", () => resolve({ status: res.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }));
    });
    req.once("error", reject);
    req.end(bytes);
  });
}

function explain(cause: unknown, dataDir: string): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return `No Credence server runs on ${dataDir}. Start it (credence serve --data ${dataDir}), or name its directory with --data.`;
  }
  if (code === "EACCES") return `You may not enter ${dataDir}. Use the account that the server runs under.`;
  return `The server on ${dataDir} did not answer. Look into its log.`;
}
