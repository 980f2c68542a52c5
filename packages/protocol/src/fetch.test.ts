import { createServer, get, globalAgent, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setDefaultCACertificates } from "node:tls";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type TestCertificate, testCa } from "../../../test/certificates.testing.ts";
import { addressKind, checkUrl, guardedFetch, isLoopbackHost } from "./fetch.ts";
import { nodeFetch } from "./node.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: { reason?: string }) => error.reason ?? String(error),
  );
}

const local = guardedFetch({ allowLoopback: true, timeout: 1, maxBytes: 1_000 });

describe("a URL that somebody else named", () => {
  test.each([
    ["https://a.example/x", "ok"],
    ["http://a.example/x", "url-scheme"],
    ["ftp://a.example/x", "url-scheme"],
    ["file:///etc/passwd", "url-scheme"],
    ["data:text/plain,x", "url-scheme"],
    ["/x", "url-malformed"],
    ["https://user:pass@a.example/", "url-credentials"],
    ["https://127.0.0.1/", "address-loopback"],
    ["https://localhost/", "address-loopback"],
    ["https://x.localhost/", "address-loopback"],
    ["https://localhost./", "address-loopback"],
    ["https://x.localhost./", "address-loopback"],
    ["https://127.0.0.1./", "address-loopback"],
    ["https://notlocalhost/", "ok"],
    ["https://[::1]/", "address-loopback"],
    ["https://10.1.2.3/", "address-private"],
    ["https://169.254.169.254/latest/meta-data", "address-private"],
    ["https://0x7f.1/", "address-loopback"],
    ["https://2130706433/", "address-loopback"],
    ["https://[::ffff:10.0.0.1]/", "address-private"],
    ["https://[fd00::1]/", "address-private"],
    ["https://192.0.2.9/", "address-private"],
  ])("%s: %s", async (url, reason) => {
    expect(await reasonOf((async () => checkUrl(url))())).toBe(reason);
  });

  test("on this machine counts only in development, and there a private network does not either", async () => {
    expect(checkUrl("http://127.0.0.1:1/x", true).port).toBe("1");
    expect(checkUrl("http://localhost/x", true).hostname).toBe("localhost");
    expect(await reasonOf((async () => checkUrl("http://a.example/", true))())).toBe("url-scheme");
    expect(await reasonOf((async () => checkUrl("http://10.0.0.1/", true))())).toBe("address-private");
  });
});

test.each([
  ["8.8.8.8", "public"],
  ["1.2.3.4", "public"],
  ["127.9.9.9", "loopback"],
  ["::1", "loopback"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::", "private"],
  ["0.0.0.0", "private"],
  ["172.16.0.1", "private"],
  ["172.32.0.1", "public"],
  ["100.64.0.1", "private"],
  ["198.19.255.255", "private"],
  ["224.0.0.1", "private"],
  ["255.255.255.255", "private"],
  ["::ffff:7f00:1", "loopback"],
  ["::ffff:8.8.8.8", "public"],
  ["::127.0.0.1", "private"],
  ["64:ff9b::10.0.0.1", "private"],
  ["64:ff9b::8.8.8.8", "public"],
  ["64:ff9b::127.0.0.1", "private"],
  ["64:ff9b:1:a00:1::8.8.8.8", "private"],
  ["3fff:fff::1", "private"],
  ["2002:7f00:1::", "private"],
  ["2001:db8::1", "private"],
  ["2606:4700::1111", "public"],
  ["fe80::1%eth0", "private"],
  ["fc00::", "private"],
  ["ff02::1", "private"],
  ["2606:4700::1::2", "private"],
  ["nonsense", "private"],
])("the address %s is %s", (address, kind) => {
  expect(addressKind(address)).toBe(kind);
});

describe("a guarded fetch", () => {
  test("brings text and JSON", async () => {
    const url = await serve((_, response) => response.end('{"a":1}'));
    const answer = await local(url);
    expect([answer.status, answer.text, answer.json()]).toEqual([200, '{"a":1}', { a: 1 }]);
  });

  test("refuses a redirect, wherever it leads", async () => {
    let reached = false;
    const url = await serve((request, response) => {
      reached ||= request.url === "/there";
      response.writeHead(302, { location: "/there" }).end();
    });
    expect(await reasonOf(local(url))).toBe("redirect");
    expect(reached).toBe(false);
  });

  test("stops reading an answer that is too large", async () => {
    const url = await serve((_, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
        response.once("drain", write);
      };
      write();
    });
    expect(await reasonOf(local(url))).toBe("too-large");
  });

  test("does not wait for an answer that never comes, nor for one that never ends", async () => {
    const never = await serve(() => {});
    expect(await reasonOf(local(never))).toBe("timeout");
    const dripping = await serve((_, response) => {
      response.write("{");
    });
    expect(await reasonOf(local(dripping))).toBe("timeout");
  });

  test("says that nobody answers, and that an answer is no JSON", async () => {
    expect(await reasonOf(local("http://127.0.0.1:9/"))).toBe("unreachable");
    const refusing = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
    const failing = guardedFetch({ fetch: () => Promise.reject(new TypeError("fetch failed", { cause: refusing })) });
    await expect(failing("https://a.example/x")).rejects.toThrow(
      /^https:\/\/a\.example could not be reached \(ECONNREFUSED\)$/,
    );
    const silent = guardedFetch({ fetch: () => Promise.reject(new TypeError("fetch failed")) });
    await expect(silent("https://a.example/x")).rejects.toThrow(/^https:\/\/a\.example could not be reached$/);
    const url = await serve((_, response) => response.end("<html>"));
    expect(await reasonOf(local(url).then((answer) => answer.json()))).toBe("not-json");
  });
});

describe("nodeFetch", () => {
  test("refuses a name that leads to this machine, when it connects", async () => {
    const url = (await serve((_, response) => response.end("reached"))).replace("127.0.0.1", "localhost");
    // The guard of URLs is taken away here on purpose: only the check at connect time is left.
    const error = await nodeFetch()(url).catch((cause: unknown) => cause);
    expect((error as { reason: string }).reason).toBe("address-private");
    const answer = await nodeFetch({ allowLoopback: true })(url);
    expect(await answer.text()).toBe("reached");
  });

  test("refuses an address too, which needs no look-up", async () => {
    const url = await serve((_, response) => response.end("reached"));
    expect(await reasonOf(nodeFetch()(url))).toBe("address-private");
    expect(await reasonOf(nodeFetch({ allowLoopback: true })("http://10.255.255.1:9/"))).toBe("address-private");
  });

  test("names the switch for development where this machine was meant, and only there", async () => {
    const told = (url: string) => nodeFetch()(url).catch((cause: unknown) => String(cause));
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      expect(await told(`http://${host}:9/`)).toContain("nodeFetch({ allowLoopback: true })");
    }
    expect(await told("http://10.255.255.1:9/")).not.toContain("allowLoopback");
  });

  test("does not use a connection that somebody else opened without a check", async () => {
    const url = (await serve((_, response) => response.end("reached"))).replace("127.0.0.1", "localhost");
    await new Promise((resolve) => get(url, (response) => response.resume().once("end", resolve)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(Object.keys(globalAgent.freeSockets)).not.toEqual([]);
    expect(await reasonOf(nodeFetch()(url))).toBe("address-private");
  });

  test("sends method, headers and body, and stops by its signal", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/wait") return;
      request.pipe(response.writeHead(201, { "x-seen": `${request.method} ${request.headers["x-a"]}` }));
    });
    const fetch = guardedFetch({ fetch: nodeFetch({ allowLoopback: true }), allowLoopback: true, timeout: 1 });
    const answer = await fetch(url, {
      method: "POST",
      headers: { "x-a": "1" },
      body: new URLSearchParams({ a: "b c" }),
    });
    expect([answer.status, answer.headers.get("x-seen"), answer.text]).toEqual([201, "POST 1", "a=b+c"]);
    expect(await reasonOf(fetch(`${url}/wait`))).toBe("timeout");
  });

  test.each([
    ["a status above all others", "999 Odd", "status-invalid"],
    ["a status below all others", "099 Odd", "status-invalid"],
    ["an upgrade that nobody asked for", "101 Other\r\nupgrade: other\r\nconnection: upgrade", "unreachable"],
  ])("fails at %s, and neither throws into the process nor waits for ever", async (_, answer, reason) => {
    const url = await serve(({ socket }) => void socket.end(`HTTP/1.1 ${answer}\r\ncontent-length: 0\r\n\r\n`));
    expect(await reasonOf(nodeFetch({ allowLoopback: true })(url))).toBe(reason);
    const fetch = guardedFetch({ fetch: nodeFetch({ allowLoopback: true }), allowLoopback: true });
    expect(await reasonOf(fetch(url))).toBe(reason);
  });

  test("under the guard still refuses redirects and large answers", async () => {
    const fetch = guardedFetch({ fetch: nodeFetch({ allowLoopback: true }), allowLoopback: true, maxBytes: 10 });
    expect(await reasonOf(fetch(await serve((_, r) => r.writeHead(301, { location: "/" }).end())))).toBe("redirect");
    expect(await reasonOf(fetch(await serve((_, r) => r.end("x".repeat(11)))))).toBe("too-large");
  });
});

describe("a server's certificate", () => {
  const known = testCa("A CA that is trusted");
  const unknown = testCa("A CA that is not");
  afterAll(() => {
    known[Symbol.dispose]();
    unknown[Symbol.dispose]();
  });

  async function serveTls({ cert, key }: TestCertificate): Promise<string> {
    const server = createTlsServer({ cert, key }, (_, response) => response.end("reached"));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `https://localhost:${(server.address() as AddressInfo).port}`;
  }

  // The platform's own fetch, and the one for Node that checks addresses.
  for (const [name, fetch] of [
    ["fetch", globalThis.fetch],
    ["nodeFetch", nodeFetch({ allowLoopback: true })],
  ] as const) {
    test(`is validated by ${name}, under the guard: by a trusted CA, in time, for the name that was asked`, async () => {
      setDefaultCACertificates([known.cert]);
      const guarded = guardedFetch({ fetch, allowLoopback: true });
      const outcome = (url: string) =>
        guarded(url).then(
          ({ text }) => text,
          (error: { code?: string }) => error.code,
        );
      const good = await serveTls(known.issue("good", "server"));
      expect(await outcome(good)).toBe("reached");
      expect(await outcome(good.replace("localhost", "127.0.0.2"))).toBe("network");
      expect(await outcome(await serveTls(unknown.issue("foreign", "server")))).toBe("network");
      expect(await outcome(await serveTls(known.issue("late", "server", -1)))).toBe("network");
      expect(await outcome(await serveTls(known.issue("client", "client")))).toBe("network");
    });
  }
});

test.each([
  ["localhost", true],
  ["localhost.", true],
  ["LOCALHOST", true],
  ["ledger.localhost", true],
  ["ledger.localhost.", true],
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["[::1]", true],
  ["::1", true],
  ["[::ffff:7f00:1]", true],
  ["notlocalhost", false],
  ["localhost.example", false],
  ["127.0.0.1.example", false],
  ["0.0.0.0", false],
  ["[::]", false],
  ["10.0.0.1", false],
  ["", false],
])("whether %s is this machine: %s", (host, answer) => {
  expect(isLoopbackHost(host)).toBe(answer);
});
