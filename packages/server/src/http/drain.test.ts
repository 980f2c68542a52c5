import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { testCa } from "../../../../test/certificates.testing.ts";
import type { Handler } from "./answer.ts";
import { type Listener, listen } from "./listener.ts";
import { readTlsFiles } from "./tls-files.ts";

const local = { host: "127.0.0.1", port: 0 };
const here: Handler = (_req, res) => res.end("here");
/** In seconds: longer than a slow machine takes for a few requests, shorter than connections are kept. */
const DRAIN = 4;

async function connected({ port }: Listener): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Sends a request on a connection, and reads the answer, which is short. */
async function ask(socket: Socket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nhost: here\r\n\r\n");
  const [answer] = await once(socket, "data");
  return String(answer);
}

/** Waits until nobody new is taken. */
async function refusing(listener: Listener): Promise<void> {
  for (;;) {
    const socket = await connected(listener).catch((error: NodeJS.ErrnoException) => error);
    if (socket instanceof Error) return expect(socket.code).toBe("ECONNREFUSED");
    socket.on("error", () => {}).destroy();
    await setTimeout(200);
  }
}

describe.concurrent("a listener that drains", () => {
  it("still answers on old connections and on new ones, and each answer ends its connection", async () => {
    const listener = await listen({ ...local, handler: here });
    const kept = await connected(listener);
    expect(await ask(kept)).toMatch(/connection: keep-alive/i);
    const closed = listener.close(DRAIN);
    const ended = once(kept, "end");
    expect(await ask(kept)).toMatch(/connection: close/i);
    await ended;
    expect(await ask(await connected(listener))).toMatch(/connection: close/i);
    await closed;
  });

  it("ends the connection of a request that was in flight before, after its answer", async () => {
    let finish = () => {};
    const listener = await listen({
      ...local,
      handler: (_req, res) => {
        finish = () => res.end("finished");
        listening();
      },
    });
    let listening = () => {};
    const began = new Promise<void>((resolve) => {
      listening = resolve;
    });
    const answer = ask(await connected(listener));
    await began;
    const closed = listener.close(0.01);
    await refusing(listener);
    finish();
    expect(await answer).toMatch(/connection: close.*finished/is);
    await closed;
  });

  it("answers on a connection that its client may still count on, when nobody new is taken any more", async () => {
    const listener = await listen({ ...local, handler: here });
    const kept = await connected(listener);
    const unused = await connected(listener);
    await ask(kept);
    const closed = listener.close(0.01);
    await refusing(listener);
    expect(await ask(kept)).toMatch(/connection: close.*here/is);
    expect(await ask(unused)).toMatch(/connection: close.*here/is);
    await closed;
  });

  it("closes what nobody uses any more when its time is over, whether it was ever used or not", async () => {
    const listener = await listen({ ...local, handler: here, graceMs: 600_000 });
    const [kept, unused] = [await connected(listener), await connected(listener)];
    await ask(kept);
    const ends = [once(kept, "close"), once(unused, "close")];
    await listener.close(0.01);
    await Promise.all(ends);
  });

  it("without a time to drain closes idle connections at once", async () => {
    const listener = await listen({ ...local, handler: here, graceMs: 600_000 });
    const [kept, unused] = [await connected(listener), await connected(listener)];
    await ask(kept);
    await ask(await connected(listener));
    const ends = [once(kept, "close"), once(unused, "close")];
    await listener.close();
    await Promise.all(ends);
  });

  it("takes those who wait at the door before it is closed", async () => {
    const listener = await listen({ ...local, handler: here });
    const sockets = Array.from({ length: 100 }, () => connect(listener.port, "127.0.0.1"));
    const answers = sockets.map(async (socket) => {
      await once(socket, "connect");
      return ask(socket);
    });
    await Promise.all(sockets.slice(0, 1).map((socket) => once(socket, "connect")));
    const closed = listener.close(0.001);
    expect(await Promise.all(answers)).toHaveLength(100);
    await closed;
  });
});

describe("a listener that ends TLS, and drains", () => {
  const ca = testCa("A CA for draining");
  afterAll(() => ca[Symbol.dispose]());

  it("answers on a connection that is kept, and closes one that was never used", async () => {
    const tls = readTlsFiles(ca.issue("server", "server").files);
    const listener = await listen({ ...local, tls, handler: here, graceMs: 600_000 });
    const open = async (): Promise<Socket> => {
      const socket = connectTls({ port: listener.port, host: "127.0.0.1", ca: ca.cert });
      await once(socket, "secureConnect");
      return socket;
    };
    const [kept, unused] = [await open(), await open()];
    await ask(kept);
    const end = once(unused, "close");
    const closed = listener.close(0.01);
    await refusing(listener);
    expect(await ask(kept)).toMatch(/connection: close.*here/is);
    await end;
    await closed;
  });
});
