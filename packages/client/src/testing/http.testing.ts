/** A real HTTP server on loopback, spoken to in Web terms. */
import { createServer, type IncomingMessage } from "node:http";

/** What a server under test was asked. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface TestServer {
  readonly origin: string;
  /** Every request, in order. */
  readonly seen: Seen[];
  /** Answers; may be replaced while the server runs. */
  handler: (request: Request) => Response | Promise<Response>;
  close(): Promise<void>;
}

export async function startServer(handler: TestServer["handler"]): Promise<TestServer> {
  const seen: Seen[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const body = await readText(incoming);
    const headers = new Headers(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
    const url = `http://${incoming.headers.host}${incoming.url}`;
    const method = incoming.method ?? "GET";
    seen.push({ method, url, headers, body });
    const response = await test.handler(new Request(url, { method, headers, ...(body ? { body } : {}) }));
    outgoing.writeHead(response.status, [...response.headers].flat());
    if (response.body) for await (const chunk of response.body) outgoing.write(chunk);
    outgoing.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const test: TestServer = {
    origin: `http://127.0.0.1:${port}`,
    seen,
    handler,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return test;
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}
