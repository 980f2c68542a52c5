import { Buffer } from "node:buffer";
import { IncomingMessage } from "node:http";
import { FORM_LIMITS, ok, type Result, refuse } from "@credence/protocol";

/**
 * Reads a request's body, once, up to a limit in bytes; what comes after that is thrown away unread.
 *
 * @returns the bytes, or refused `form-too-large`. Rejects when the client goes away.
 */
export async function readBody(req: IncomingMessage, limit: number = FORM_LIMITS.bytes): Promise<Result<Buffer>> {
  const declared = Number(req.headers["content-length"] ?? 0);
  const body = declared <= limit ? await collect(req, limit) : undefined;
  if (body !== undefined) return ok(body);
  // The answer is read by nobody who is still sending: let them finish, within the listener's time limit.
  req.resume();
  return refuse("form-too-large", `more than ${limit} bytes`);
}

/** @returns `undefined` as soon as there is more than the limit. */
function collect(req: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) resolve(undefined);
      else chunks.push(chunk);
    });
    req.on("end", () => resolve(Buffer.concat(chunks)));
    req.on("error", reject);
    req.on("close", () => {
      if (!req.readableEnded) reject(new Error("the client went away"));
    });
  });
}

/**
 * The same request with its body still to be read: for a handler that reads for itself, after we did.
 *
 * @param req - The request, whose body has been read.
 * @param body - What was read.
 * @param headers - Headers to set, by lower-case name.
 */
export function replay(req: IncomingMessage, body: Buffer, headers: Record<string, string> = {}): IncomingMessage {
  const again = new IncomingMessage(req.socket);
  const { "transfer-encoding": _chunked, ...kept } = req.headers;
  again.headers = { ...kept, ...headers, "content-length": String(body.length) };
  again.method = req.method ?? "POST";
  again.url = req.url ?? "/";
  again.httpVersion = req.httpVersion;
  again.httpVersionMajor = req.httpVersionMajor;
  again.httpVersionMinor = req.httpVersionMinor;
  // Else the end of this message would count as an aborted request, and close the socket.
  again.complete = true;
  again.push(body);
  again.push(null);
  return again;
}
