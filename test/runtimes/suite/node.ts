/** The subpaths that say they are for Node, on Node and on what offers Node's modules too. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { isBuiltin } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent } from "@credence/client";
import { fileTokenStore } from "@credence/client/node";
import { generateSigningKey, importSigner, importVerifier, JWS_ALGORITHMS } from "@credence/protocol/jws";
import { nodeFetch, nodeSigner, nodeVerifier } from "@credence/protocol/node";
import { createResourceServer } from "@credence/resource";
import { accessOf, authorizationServer, protect } from "@credence/resource/node";
import { createTestIdp, redeem } from "@credence/resource/testing";
import { type Case, has, same, thrown, yes } from "./case.ts";

async function listening<T>(listener: RequestListener, use: (origin: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // A TCP server that listens has one.
  try {
    return await use(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "credence-runtime-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param sqlite - Whether this runtime has `node:sqlite`. */
export function node(sqlite: boolean): readonly Case[] {
  return [
    ...JWS_ALGORITHMS.map((alg) => ({
      name: `protocol/node: ${alg} of node:crypto and of WebCrypto are the same`,
      async run() {
        const { privateJwk, publicJwk } = await generateSigningKey(alg);
        const data = new TextEncoder().encode("signed");
        const ours = await nodeSigner(privateJwk).sign(data);
        const theirs = await (await importSigner(privateJwk)).sign(data);
        const verifiers = [nodeVerifier(publicJwk, alg), await importVerifier(publicJwk, alg)];
        for (const verifier of verifiers) {
          for (const signature of [ours, theirs]) {
            same(await verifier.verify(data, signature), true);
            same(await verifier.verify(new TextEncoder().encode("other"), signature), false);
            // Cut at its end: the first byte of an RSA signature may be a zero, and some read what is left as the same number.
            same(await verifier.verify(data, signature.slice(0, -1)), false);
          }
        }
      },
    })),
    {
      name: "protocol/node: fetch refuses this machine when it connects, by name too, and reaches it where it may",
      run: () =>
        listening(
          (req, res) => {
            res.setHeader("x-method", req.method ?? "");
            req.pipe(res);
          },
          async (origin) => {
            const named = origin.replace("127.0.0.1", "localhost");
            for (const url of [origin, named]) {
              const error = Object(await thrown(() => nodeFetch()(url)));
              has(error.code === undefined ? error.cause : error, { code: "fetch_refused" });
            }
            const answer = await nodeFetch({ allowLoopback: true })(origin, { method: "POST", body: "ä" });
            same([answer.status, answer.headers.get("x-method"), await answer.text()], [200, "POST", "ä"]);
          },
        ),
    },
    {
      name: "protocol/node: fetch gives up in time where nobody answers",
      run: () =>
        listening(
          () => undefined,
          async (origin) => {
            const fetch = nodeFetch({ allowLoopback: true });
            has(await thrown(() => fetch(origin, { signal: AbortSignal.timeout(200) })), { name: "TimeoutError" });
          },
        ),
    },
    {
      name: "resource/node: the middleware of node:http redeems, protects, and refuses, over real connections",
      async run() {
        const idp = await createTestIdp();
        const client = { clientId: "agent", method: "client_secret_basic", clientSecret: "s3cret" } as const;
        const { privateJwk } = await generateSigningKey("ES256");
        let listener: RequestListener = () => undefined;
        await listening(
          (req, res) => listener(req, res),
          async (origin) => {
            const server = createResourceServer({
              issuer: origin,
              resources: { [`${origin}/mcp`]: { scopes: { read: "Read" } } },
              customers: [idp.customer()],
              clients: [client],
              resolveSubject: ({ sub }) => ({ id: sub }),
              signingKey: privateJwk,
              record: () => undefined,
              development: true,
            });
            const own = authorizationServer(server);
            const guard = protect(server, { scopes: ["read"] });
            listener = (req, res) =>
              void own(req, res, () => guard(req, res, () => res.end(JSON.stringify({ for: accessOf(req).sub }))));
            const idJag = await idp.idJag({ server, clientId: client.clientId, scope: "read" });
            const { accessToken } = await redeem({ issuer: origin, fetch: (request) => fetch(request) }, client, idJag);
            const call = (token: string) => fetch(`${origin}/mcp`, { headers: { authorization: `Bearer ${token}` } });
            same(await (await call(accessToken ?? "")).json(), { for: "alice" });
            same((await call("x")).status, 401);
            const bad = await redeem({ issuer: origin, fetch: (request) => fetch(request) }, client, idJag);
            same(bad.error, "invalid_grant");
          },
        );
      },
    },
    {
      name: "client/node: sign-ins are kept in a file of one's own, and found again",
      run: () =>
        inFolder(async (folder) => {
          const path = join(folder, "tokens", "sign-ins.json");
          const [one, other] = [fileTokenStore(path), fileTokenStore(path)];
          await Promise.all([one.set("a", "1"), other.set("b", "2"), one.set("c", "3")]);
          same(await Promise.all(["a", "b", "c", "d"].map((key) => other.get(key))), ["1", "2", "3", null]);
          same((await stat(path)).mode & 0o777, 0o600);
          let inside = 0;
          const alone = async () => {
            same(++inside, 1, "how many hold the lock");
            await new Promise((resolve) => setTimeout(resolve, 5));
            inside--;
          };
          await Promise.all([one, other, one, other].map((store) => store.lock("a", alone)));
          const agent = createAgent({
            idp: { issuer: "https://idp.example", client: { method: "none", clientId: "a" } },
            apps: [],
          });
          same(await agent.restore({ store: one, key: "d" }), undefined);
        }),
    },
    {
      name: sqlite
        ? "resource/sqlite: of many uses of one mark the first counts, in two stores on one file"
        : "resource/sqlite: without node:sqlite the import fails, and nothing else does",
      run: () =>
        inFolder(async (folder) => {
          same(isBuiltin("node:sqlite"), sqlite, "whether this runtime has node:sqlite");
          if (!sqlite) return void (await thrown(() => import("@credence/resource/sqlite")));
          const { sqliteStore } = await import("@credence/resource/sqlite");
          const path = join(folder, "marks.db");
          const [one, other] = [sqliteStore(path), sqliteStore(path)];
          const expiresAt = Math.floor(Date.now() / 1_000) + 300;
          const uses = Array.from({ length: 20 }, (_, i) => (i % 2 ? one : other).consume("mark", expiresAt));
          same((await Promise.all(uses)).filter((use) => use === "first").length, 1);
          await one.put("key", "värde", expiresAt);
          same(await other.get("key"), "värde");
          yes((await one.raiseEpoch("epoch")) > 0, "an epoch");
          one.close();
          other.close();
        }),
    },
  ];
}
