/** HTTP/1.1 by hand, over a real socket: whatever bytes there are go out as they are. Texts hold one byte in each character. */
import { connect, type NetConnectOpts } from "node:net";

/** A request, ready to be written. */
export interface Wire {
  readonly bytes: string;
  /** Whether the server may end the connection without an answer: the request does not come to its end, or is none. */
  readonly broken: boolean;
  readonly method: string;
}

/** An answer as it came. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Milliseconds until a server that says nothing has failed. */
const PATIENCE = 60_000;

/** Sends one request on a connection of its own. @returns `undefined` where the connection ended without an answer. */
export function exchangeBytes(to: NetConnectOpts, { bytes, broken, method }: Wire): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    let text = "";
    const end = (answer: Answer | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PATIENCE, () => {
      socket.destroy();
      reject(new Error(`no answer within ${PATIENCE} ms to ${show(bytes)}`));
    });
    // Who refuses a body may close before all of it is written: what was answered counts.
    socket.on("error", () => undefined);
    socket.on("connect", () => {
      if (broken) socket.end(bytes, "latin1");
      else socket.write(bytes, "latin1");
    });
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
      const answer = readAnswer(text, method, false);
      if (answer !== undefined) end(answer);
    });
    socket.on("close", () => end(readAnswer(text, method, true)));
  });
}

/** The first final answer in a text, once all of it is there. */
function readAnswer(text: string, method: string, closed: boolean): Answer | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [first = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 ([1-5]\d\d)(?: |$)/.exec(first)?.[1]);
  const rest = text.slice(headEnd + 4);
  if (status < 200) return readAnswer(rest, method, closed);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const get = (name: string) => headers.find(([known]) => known === name)?.[1];
  const empty = method === "HEAD" || status === 204 || status === 304;
  const body = empty ? "" : bodyOf(rest, get("content-length"), get("transfer-encoding"), closed);
  return body === undefined ? undefined : { status, headers, body };
}

function bodyOf(rest: string, length: string | undefined, coding: string | undefined, closed: boolean) {
  if (coding === "chunked") return unchunked(rest);
  if (length !== undefined) return rest.length >= Number(length) ? rest.slice(0, Number(length)) : undefined;
  return closed ? rest : undefined;
}

function unchunked(text: string): string | undefined {
  let body = "";
  for (let at = 0; ; ) {
    const line = text.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) return text.includes("\r\n\r\n", line) ? body : undefined;
    if (text.length < line + 2 + size + 2) return undefined;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}

/** Bytes for people: everything that is not printable escaped, and not all of it. */
export function show(bytes: string): string {
  const text = JSON.stringify(bytes);
  return text.length > 3_000 ? `${text.slice(0, 2_000)} … ${text.slice(-600)} (${bytes.length} bytes)` : text;
}
