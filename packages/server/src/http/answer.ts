import type { IncomingMessage, ServerResponse } from "node:http";
import { errorAnswer, type Refusal } from "@credence/protocol";

/** Answers a request of node's HTTP server. */
export type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

/** Sends an OAuth error: the table's code and sentence, and the id that it is on record under. @see RFC 6749 §5.2 */
export function sendRefusal(
  res: ServerResponse,
  refusal: Refusal,
  decisionId: string,
  headers: Record<string, string> = {},
): void {
  const { status, body, headers: told } = errorAnswer(refusal, decisionId);
  sendJson(res, status, body, { ...told, ...headers });
}

/** Sends a page. */
export function sendPage(
  res: ServerResponse,
  status: number,
  html: string,
  headers: Readonly<Record<string, string>>,
): void {
  res.writeHead(status, headers);
  res.end(html);
}

/** Sends JSON that nobody may keep. */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": length,
    "cache-control": "no-store",
    ...headers,
  });
  res.end(text);
}
