/** A client that sends at a constant rate, whatever becomes of its requests: wrk sends when it has been answered. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { BenchError } from "./error.ts";
import { type Post, rawRequest } from "./wrk.ts";

export interface SteadyOptions {
  readonly url: string;
  /** Each is sent once. */
  readonly posts: readonly Post[];
  /** Requests per second. */
  readonly rate: number;
  readonly connections: number;
}

/**
 * Sends requests at a constant rate.
 *
 * @returns milliseconds of each, sorted: from the moment at which it was due, so that one that has to wait for those before it
 * counts its waiting.
 * @throws BenchError when one is not answered with 200.
 */
export async function sendSteadily({ url, posts, rate, connections }: SteadyOptions): Promise<readonly number[]> {
  const { hostname, port } = new URL(url);
  const sockets = await Promise.all(Array.from({ length: connections }, () => opened(hostname, Number(port))));
  const requests = posts.map((post) => rawRequest(url, post));
  const latencies: number[] = [];
  const idle = [...sockets];
  const begun = performance.now();
  const dueAt = (index: number): number => begun + (index * 1_000) / rate;
  let next = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const send = (socket: Socket, index: number): void => {
        answerOf(socket).then((status) => {
          if (status !== 200) return reject(new BenchError(`an answer with ${status} under a steady load`));
          latencies.push(performance.now() - dueAt(index));
          idle.push(socket);
          if (latencies.length === requests.length) return resolve();
          pump();
        }, reject);
        socket.write(requests[index] ?? "");
      };
      const pump = (): void => {
        while (next < requests.length && idle.length > 0 && dueAt(next) <= performance.now()) {
          const socket = idle.pop();
          if (socket !== undefined) send(socket, next++);
        }
      };
      const timer = setInterval(() => {
        pump();
        if (next >= requests.length) clearInterval(timer);
      }, 1);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  return latencies.sort((a, b) => a - b);
}

async function opened(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, "connect");
  return socket;
}

/** Reads one whole answer. @returns its status. */
function answerOf(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const end = (): void => void socket.off("data", take).off("close", broken).off("error", broken);
    const broken = (): void => {
      end();
      reject(new BenchError("a connection broke under a steady load"));
    };
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
      if (head < 0 || length === undefined || text.length < head + 4 + Number(length)) return;
      end();
      resolve(Number(text.slice(9, 12)));
    };
    socket.on("data", take).on("close", broken).on("error", broken);
  });
}

/** The value below which that part of the sorted values lies. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
