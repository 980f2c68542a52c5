import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server } from "node:net";
import { describe, expect, test } from "vitest";
import { appHouse, describeAdapter, type MakeApp } from "./adapters.testing.ts";
import { accessOf, authorizationServer, protect } from "./node.ts";
import type { ResourceServer } from "./server.ts";

/** The smallest application that `node:http` can be: no framework at all. */
const makeApp: MakeApp = (server, options) => {
  const own = authorizationServer(server, options);
  const read = protect(server, { scopes: ["ledger.read"], ...options });
  const write = protect(server, { scopes: ["ledger.read", "ledger.write"], ...options });
  const answer = (res: ServerResponse, status: number, body?: unknown) => {
    res.writeHead(status, { "content-type": "application/json" }).end(body === undefined ? "" : JSON.stringify(body));
  };
  const bodyOf = async (req: IncomingMessage): Promise<unknown> =>
    JSON.parse(Buffer.concat(await req.toArray()).toString("utf8"));
  const route = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { pathname } = new URL(req.url ?? "/", "http://ledger.example");
    const failed = (error: unknown) => error !== undefined && answer(res, 500);
    switch (`${req.method} ${pathname}`) {
      case "GET /api/entries":
        return read(req, res, (error) => failed(error) || answer(res, 200, { account: accessOf(req).sub }));
      case "POST /api/entries":
        return write(req, res, async (error) => failed(error) || answer(res, 201, { added: await bodyOf(req) }));
      case "POST /echo":
        return answer(res, 200, { echo: await bodyOf(req) });
      case "GET /forgotten":
        return answer(res, 200, { account: accessOf(req).sub });
      case "TRACE /api/entries":
        return read(req, res, () => answer(res, 200));
      default:
        return answer(res, 404);
    }
  };
  return (req, res) => void own(req, res, () => void route(req, res).catch(() => answer(res, 500)));
};

describeAdapter("node:http", makeApp);

describe("without anything behind it", () => {
  const alone: MakeApp = (server) => {
    const own = authorizationServer(server);
    return (req, res) => void own(req, res);
  };

  test("the authorization server is a whole server: 404 for everything else", async () => {
    await using home = await appHouse(alone);
    expect((await home.redeem()).status).toBe(200);
    expect((await home.send("/api/entries")).status).toBe(404);
  });

  test("a body that was read before is an error that rejects", async () => {
    const errors: unknown[] = [];
    const reading: MakeApp = (server) => {
      const own = authorizationServer(server);
      return async (req, res) => {
        await req.toArray();
        await own(req, res).catch((error: unknown) => errors.push(error));
        res.end();
      };
    };
    await using home = await appHouse(reading);
    await home.redeem();
    expect(errors).toMatchObject([{ code: "configuration" }]);
  });
});

describe("what HTTP allows and nobody sends", () => {
  /** Sends bytes and reads all that comes. */
  async function raw(url: string, text: string): Promise<string> {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.end(text);
    return Buffer.concat(await socket.toArray()).toString("utf8");
  }
  const rest = "Host: ledger.example\r\nConnection: close\r\n\r\n";

  test.each([
    ["a target with scheme and host", "GET http://elsewhere.example/jwks HTTP/1.1", "HTTP/1.1 200"],
    ["a target that begins with two slashes", "GET //jwks HTTP/1.1", "HTTP/1.1 404"],
    ["a target with a host after two slashes", "GET //127.0.0.1/jwks HTTP/1.1", "HTTP/1.1 404"],
    ["a target that is an asterisk", "OPTIONS * HTTP/1.1", "HTTP/1.1 404"],
    ["TRACE, which would send the token back", "TRACE /api/entries HTTP/1.1", "HTTP/1.1 405"],
  ])("%s", async (_, line, expected) => {
    await using home = await appHouse(makeApp);
    expect(await raw(home.url, `${line}\r\n${rest}`)).toContain(expected);
  });

  test("a body beyond the limit, and then the next request on the same connection", async () => {
    await using home = await appHouse(makeApp);
    const form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500000";
    const large = `POST /token HTTP/1.1\r\nHost: ledger.example\r\n${form}\r\n\r\n${"x".repeat(500_000)}`;
    const answers = await raw(home.url, `${large}GET /jwks HTTP/1.1\r\n${rest}`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 400", "HTTP/1.1 200"]);
  });
});

describe("what is not ours, or can not be served", () => {
  test("a form for another path is the app's, whole", async () => {
    await using home = await appHouse((server) => {
      const own = authorizationServer(server);
      return (req, res) => void own(req, res, async () => res.end(Buffer.concat(await req.toArray())));
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await home.send("/sign-in", { method: "POST", headers, body: "name=alice" });
    expect(answer).toMatchObject({ status: 200, text: "name=alice" });
    expect(home.events).toEqual([]);
  });

  test("TRACE is told that no method is allowed", async () => {
    await using home = await appHouse(makeApp);
    const socket = connect(Number(new URL(home.url).port), "127.0.0.1");
    socket.end("TRACE /api/entries HTTP/1.1\r\nHost: ledger.example\r\nConnection: close\r\n\r\n");
    const answer = Buffer.concat(await socket.toArray()).toString("utf8");
    expect(answer).toMatch(/^HTTP\/1\.1 405/);
    expect(answer).toMatch(/^allow: *\r$/im);
  });

  test("what fails goes to next, and nobody gets in", async () => {
    const fault = new Error("the server is broken");
    const fails = () => Promise.reject(fault);
    const errors: unknown[] = [];
    const broken = (make: (server: ResourceServer) => ReturnType<typeof protect>): MakeApp => {
      return ({ tokenEndpoint: _own, ...server }) => {
        const gate = make({ ...server, authorize: fails, tryFetch: fails });
        return (req, res) =>
          void gate(req, res, (error) => {
            errors.push(error);
            res.end(error === undefined ? "in" : "");
          });
      };
    };
    for (const make of [authorizationServer, protect]) {
      await using home = await appHouse(broken((server) => make(server)));
      expect((await home.send("/api/entries")).text).toBe("");
    }
    expect(errors).toEqual([fault, fault]);
  });
});

describe("createServer takes the middleware as it is", () => {
  /** A TCP server that listens has a port. */
  const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  test("of node:http", async () => {
    await using home = await appHouse(makeApp);
    const server = createServer(authorizationServer(home.server)).listen(0, "127.0.0.1");
    await once(server, "listening");
    expect((await fetch(`${urlOf(server)}/jwks`)).status).toBe(200);
    server.close();
  });

  test.each([
    ["trace", 404],
    ["connect", 404],
    ["get", 200],
    ["head", 200],
    ["ODD", 405],
  ])("of node:http2, and a method that is %s does not make it fail", async (method, expected) => {
    await using home = await appHouse(makeApp);
    const failures: unknown[] = [];
    const own = authorizationServer(home.server);
    const server = createHttp2Server((req, res) => {
      own(req, res).catch((error: unknown) => {
        failures.push(error);
        res.stream.close();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connectHttp2(urlOf(server));
    const stream = session.request({ ":method": method, ":path": "/jwks" }, { endStream: true });
    const headers = await once(stream, "response").then(
      ([first]) => first,
      () => ({}),
    );
    expect([failures, headers[":status"]]).toEqual([[], expected]);
    session.destroy();
    server.close();
  });

  test("of node:http2", async () => {
    await using home = await appHouse(makeApp);
    const server = createHttp2Server(authorizationServer(home.server)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connectHttp2(urlOf(server));
    const stream = session.request({ ":path": "/jwks" });
    const [[headers], chunks] = await Promise.all([once(stream, "response"), stream.toArray()]);
    expect(headers[":status"]).toBe(200);
    expect(JSON.parse(Buffer.concat(chunks).toString("utf8")).keys).toHaveLength(1);
    session.close();
    server.close();
  });
});
