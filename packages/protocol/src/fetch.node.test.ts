/** The fetch for Node at its edges: what a resolver answers, what is sent, what comes back, and how it fails. */
import dns, { type LookupAddress } from "node:dns";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { type AddressInfo, getDefaultAutoSelectFamily, setDefaultAutoSelectFamily } from "node:net";
import { setDefaultCACertificates } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testCa } from "../../../test/certificates.testing.ts";
import { CredenceError } from "./errors.ts";
import { nodeFetch } from "./node.ts";

const servers: Server[] = [];
let connections: number;
beforeEach(() => {
  connections = 0;
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Starts a server on this machine. @returns its port. */
async function listen(server: Server): Promise<number> {
  servers.push(server.on("connection", () => connections++));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener) => `http://127.0.0.1:${await listen(createServer(listener))}`;
const local = nodeFetch({ allowLoopback: true });

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("It did not fail");
    },
    (error: Error) => error,
  );
}

const PRIVATE = { code: "fetch_refused", reason: "address-private" };

describe("a name that is resolved", () => {
  const { lookup } = dns;
  const autoSelect = getDefaultAutoSelectFamily();
  afterEach(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
    setDefaultAutoSelectFamily(autoSelect);
  });

  /** Lets ledger.example lead to these addresses; or to none, with an error. @returns with which options it was looked up. */
  function resolving(...answer: readonly (string | Error)[]): { all?: boolean }[] {
    const seen: { all?: boolean }[] = [];
    const error = answer.find((one) => one instanceof Error) ?? null;
    const addresses = answer.flatMap((address): LookupAddress[] =>
      typeof address === "string" ? [{ address, family: address.includes(":") ? 6 : 4 }] : [],
    );
    const fake = (name: string, options: { all?: boolean }, callback: (...given: unknown[]) => void): void => {
      // A server that listens looks its own address up, too.
      if (name !== "ledger.example") lookup(name, options, callback);
      else {
        seen.push(options);
        process.nextTick(callback, error, addresses);
      }
    };
    dns.lookup = fake as typeof lookup;
    syncBuiltinESMExports();
    return seen;
  }

  test.each([true, false])("is connected to at the address that was checked (several at once: %s)", async (several) => {
    setDefaultAutoSelectFamily(several);
    const seen = resolving("127.0.0.1");
    const port = await listen(createServer((request, response) => response.end(request.headers.host)));
    expect(await (await local(`http://ledger.example:${port}/`)).text()).toBe(`ledger.example:${port}`);
    // One look-up, and of all addresses: a second one might be answered otherwise.
    expect(seen).toMatchObject([{ all: true }]);
  });

  test.each<[string, readonly string[]]>([
    ["a private address", ["10.0.0.1"]],
    ["an address for metadata", ["169.254.169.254"]],
    ["a private address behind one that is not", ["127.0.0.1", "10.0.0.1"]],
    ["a private address before one that is not", ["fd00::1", "127.0.0.1"]],
    ["no address", []],
  ])("and leads to %s is refused", async (_, addresses) => {
    for (const several of [true, false]) {
      setDefaultAutoSelectFamily(several);
      resolving(...addresses);
      const port = await listen(createServer((_request, response) => response.end("reached")));
      const failure = await failureOf(local(`http://ledger.example:${port}/`));
      expect(failure).toBeInstanceOf(CredenceError);
      expect(failure).toMatchObject(PRIVATE);
      expect(failure.message).toBe("The URL is not fetched. ledger.example leads to a private address.");
    }
    expect(connections).toBe(0);
  });

  test("and leads to this machine is refused without the switch for development, with and beside a public address", async () => {
    const port = await listen(createServer((_, response) => response.end("reached")));
    for (const addresses of [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"]]) {
      resolving(...addresses);
      expect(await failureOf(nodeFetch({})(`http://ledger.example:${port}/`))).toMatchObject(PRIVATE);
      expect(await failureOf(nodeFetch({ allowLoopback: false })(`http://ledger.example:${port}/`))).toMatchObject(
        PRIVATE,
      );
    }
    expect(connections).toBe(0);
  });

  test("over TLS is held to the same", async () => {
    resolving("10.0.0.1");
    expect(await failureOf(local("https://ledger.example/"))).toMatchObject(PRIVATE);
  });

  test("and is not known fails as the resolver says", async () => {
    const unknown = Object.assign(new Error("queryA"), { code: "ENOTFOUND" });
    resolving(unknown);
    expect(await failureOf(local("http://ledger.example/"))).toBe(unknown);
  });
});

describe("an address that is no name", () => {
  test("is refused before anything is sent, with the switch only where that would help", async () => {
    const switched = " For development on this machine: nodeFetch({ allowLoopback: true }).";
    for (const [host, mend] of [
      ["127.0.0.1", switched],
      ["[::1]", switched],
      ["10.1.2.3", ""],
      ["[fd00::1]", ""],
    ] as const) {
      const failure = await failureOf(nodeFetch()(`http://${host}:9/`));
      expect(failure).toMatchObject(PRIVATE);
      expect(failure.message).toBe(`The URL is not fetched. ${host} leads to a private address.${mend}`);
    }
  });
});

describe("a request", () => {
  /** Answers with what it was sent. */
  async function echo() {
    return serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const { method, url, headers } = request;
        response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString("latin1") }));
      });
    });
  }
  const sent = async (url: string, init?: RequestInit) =>
    (await (await local(url, init)).json()) as { method: string; url: string; headers: object; body: string };

  test("has its path and query, its method and its headers, and no body where none is given", async () => {
    const seen = await sent(`${await echo()}/a/b?c=d`, { headers: { accept: "x/y" } });
    expect(seen).toMatchObject({ method: "GET", url: "/a/b?c=d", headers: { accept: "x/y" }, body: "" });
    expect(seen.headers).not.toHaveProperty("content-length");
    expect(seen.headers).not.toHaveProperty("transfer-encoding");
  });

  test("has its body whole, byte by byte, under its length", async () => {
    const url = await echo();
    const seen = await sent(url, { method: "PUT", body: new Uint8Array([0, 0xff, 0x80, 0x0a]) });
    expect(seen).toMatchObject({ method: "PUT", headers: { "content-length": "4" }, body: "\0\xff\x80\n" });
    expect(seen.headers).not.toHaveProperty("transfer-encoding");
    const text = await sent(url, { method: "POST", body: "é", headers: { "content-type": "text/x" } });
    expect(text).toMatchObject({ headers: { "content-length": "2", "content-type": "text/x" }, body: "\xc3\xa9" });
    // Where a body is not usual, what comes without its length would be read as the next request.
    const unusual = await sent(url, { method: "DELETE", body: "GET / HTTP/1.1", headers: { "content-length": "0" } });
    expect(unusual).toMatchObject({ headers: { "content-length": "14" }, body: "GET / HTTP/1.1" });
    expect((await sent(url, { method: "POST", body: "" })).headers).toMatchObject({ "content-length": "0" });
  });

  test("may come as a Request", async () => {
    const request = new Request(`${await echo()}/x`, { method: "POST", body: "a=b", headers: { "x-a": "1" } });
    expect(await (await local(request)).json()).toMatchObject({ method: "POST", headers: { "x-a": "1" }, body: "a=b" });
  });

  test.each(["http", "https"])("uses the connection of the one before it: %s", async (scheme) => {
    using ca = testCa("A CA that is trusted");
    setDefaultCACertificates([ca.cert]);
    const listener = (request: IncomingMessage, response: ServerResponse) => response.end(request.url);
    const server = scheme === "http" ? createServer(listener) : createTlsServer(ca.issue("good", "server"), listener);
    const url = `${scheme}://localhost:${await listen(server)}`;
    const own = nodeFetch({ allowLoopback: true });
    for (const path of ["/1", "/2", "/3"]) {
      expect(await (await own(`${url}${path}`)).text()).toBe(path);
      // A connection is free again a moment after its answer was read.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(connections).toBe(1);
  });
});

describe("an answer", () => {
  test("has its status, all values of its headers, and its body", async () => {
    const url = await serve((_, response) => {
      response.writeHead(207, ["set-cookie", "a=1", "set-cookie", "b=2", "x-many", "1", "x-many", "2"]);
      response.end("body");
    });
    const answer = await local(url);
    expect([answer.status, answer.headers.get("x-many"), await answer.text()]).toEqual([207, "1, 2", "body"]);
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  test.each([200, 299, 302, 404, 599])("of status %d is one, with its body", async (status) => {
    const answer = await local(await serve((_, response) => response.writeHead(status).end("body")));
    expect([answer.status, await answer.text()]).toEqual([status, "body"]);
  });

  test.each([204, 205, 304])(
    "of status %d has no body, and leaves its connection to the next request",
    async (status) => {
      const url = await serve((_, response) => response.writeHead(status).end());
      for (let i = 0; i < 3; i += 1) {
        const answer = await local(url);
        expect([answer.status, answer.body]).toEqual([status, null]);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(connections).toBe(1);
    },
  );

  test.each([
    ["099", "one below all others"],
    ["600", "the first above all others"],
  ])("of status %s, %s, is none: where it came from is said, and its connection is closed", async (status) => {
    let closed: Promise<unknown> | undefined;
    // Its body never ends: nobody but us closes the connection.
    const url = await serve(({ socket }) => {
      closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write(`HTTP/1.1 ${status} Odd\r\ncontent-length: 10\r\n\r\n`);
    });
    const failure = await failureOf(local(`${url}/x?secret=1`));
    expect(failure).toBeInstanceOf(CredenceError);
    expect(failure).toMatchObject({ code: "network", reason: "status-invalid" });
    expect(failure.message).toBe(`${url} answered with a status that is none`);
    await closed;
  });

  test("that never came says where from, when the connection has ended", async () => {
    const upgrade = "HTTP/1.1 101 Other\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n";
    const url = await serve(({ socket }) => void socket.end(upgrade));
    const failure = await failureOf(local(`${url}/x?secret=1`));
    expect(failure).toBeInstanceOf(CredenceError);
    expect(failure).toMatchObject({ code: "network", reason: "unreachable" });
    expect(failure.message).toBe(`${url} ended the connection without an answer`);
  });
});

describe("a request that fails", () => {
  test("fails with the system's own error", async () => {
    const url = await serve(({ socket }) => void socket.destroy());
    expect(await failureOf(local(url))).toMatchObject({ code: "ECONNRESET" });
  });

  test("because its caller gave up fails with the caller's reason, before and while it waits", async () => {
    const why = new Error("not wanted any more");
    expect(await failureOf(local("http://127.0.0.1:9/", { signal: AbortSignal.abort(why) }))).toBe(why);
    const controller = new AbortController();
    const url = await serve(() => controller.abort(why));
    expect(await failureOf(local(url, { signal: controller.signal }))).toBe(why);
  });
});
