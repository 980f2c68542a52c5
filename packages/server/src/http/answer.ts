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
function sendJson(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  res.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
  res.end(JSON.stringify(body));
}

/** Sends the answer of a fetch handler. */
export async function sendResponse(res: ServerResponse, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const { "set-cookie": _one, ...headers } = Object.fromEntries(response.headers);
  const cookies = response.headers.getSetCookie();
  res.writeHead(response.status, { ...headers, ...(cookies.length > 0 ? { "set-cookie": cookies } : {}) });
  res.end(body);
}
