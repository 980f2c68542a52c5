/** What is kept of agents' documents, and for how long: a real server, a real store, and a clock of the test's own. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CredenceError } from "@credence/protocol";
import { guardedFetch } from "@credence/protocol/fetch";
import { generateSigningKey, type PublicJwk } from "@credence/protocol/jws";
import { nodeFetch } from "@credence/protocol/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import { type ClientDocuments, clientDocuments, DOCUMENT_LIMITS, documentRefusal } from "./client-documents.ts";
import type { Agent } from "./types.ts";

const { fresh, least, most, stale, coolDown, retry } = DOCUMENT_LIMITS;
const CONTROL = { now: 1_800_000_000 };

let handle: RequestListener;
let asked = 0;
const server = createServer((req, res) => {
  asked += 1;
  handle(req, res);
});
let folder: string;
let store: Store;
let url: string;
let jwk: PublicJwk;
let next: PublicJwk;
let changes: { agentId: string; members: readonly string[] }[];
let failures: string[];
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "credence-"));
  store = await openStore({ kind: "sqlite", path: join(folder, "store.db") });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  jwk = { ...(await generateSigningKey("ES256")).publicJwk, kid: "one" };
  next = { ...(await generateSigningKey("ES256")).publicJwk, kid: "two" };
});
afterAll(async () => {
  await store.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  count += 1;
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${count}.json`;
  asked = 0;
  changes = [];
  failures = [];
  publish();
});

function publish(more: object = {}, headers: Record<string, string> = {}): void {
  const document = {
    client_id: url,
    redirect_uris: ["https://scout.example/callback"],
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [jwk] },
    ...more,
  };
  handle = (_req, res) => res.writeHead(200, headers).end(JSON.stringify(document));
}
const fail = (status: number): void => {
  handle = (_req, res) => res.writeHead(status).end();
};

/** As a process that has just started, on the same store. */
const started = (changed: (change: (typeof changes)[number]) => Promise<void> = async (c) => void changes.push(c)) =>
  clientDocuments({
    fetch: guardedFetch({ fetch: nodeFetch({ allowLoopback: true }), allowLoopback: true, timeout: 1 }),
    store,
    allowLoopback: true,
    now: () => CONTROL.now,
    changed,
    failed: ({ error }) => failures.push(String(documentRefusal(error)?.detail)),
  });

const later = (seconds: number): void => {
  CONTROL.now += seconds;
};
const scout = (): Agent => ({
  id: url,
  name: "Scout",
  enabled: true,
  auth: { method: "client_id_metadata_document" },
  redirectUris: [],
  postLogoutRedirectUris: [],
  denialError: "access_denied",
});
const hasKey = async (documents: ClientDocuments, kid: string) =>
  (await (await documents.keysOf(scout()))?.({ alg: "ES256", kid })) !== undefined;
const why = async (documents: ClientDocuments) => documents.metadata(url).then(() => "good", documentRefusal);

describe("a document is kept", () => {
  test.each<[string, string | undefined, number]>([
    ["for five minutes where its server says nothing", undefined, fresh],
    ["as long as its server says", "public, max-age=600", 600],
    ["for a minute at least", "max-age=0", least],
    ["for a minute, where it is not to be kept at all", "private, no-store", least],
    ["for a minute, where it is to be asked for each time", "no-cache, max-age=600", least],
    ["for an hour at most", "max-age=31536000", most],
    ["as if nothing was said, where that can not be read", "max-age=soon", fresh],
  ])("%s", async (_, cacheControl, seconds) => {
    publish({}, cacheControl === undefined ? {} : { "cache-control": cacheControl });
    const documents = started();
    await documents.metadata(url);
    later(seconds - 1);
    await documents.metadata(url);
    expect(asked).toBe(1);
    later(1);
    await documents.metadata(url);
    expect(asked).toBe(2);
  });

  test("for all who ask at once: it is fetched once", async () => {
    const documents = started();
    await Promise.all(Array.from({ length: 50 }, () => documents.metadata(url)));
    expect(asked).toBe(1);
  });

  test("while its server is down, for an hour since it came", async () => {
    const documents = started();
    await documents.metadata(url);
    fail(503);
    later(stale - 1);
    expect(await why(documents)).toBe("good");
    later(1);
    expect(await why(documents)).toMatchObject({ reason: "client-metadata-unavailable" });
  });

  test.each([404, 410, 401, 302])("no longer, once it is answered with %d", async (status) => {
    const documents = started();
    await documents.metadata(url);
    fail(status);
    later(fresh);
    expect(await why(documents)).toMatchObject({ reason: "client-metadata-invalid" });
  });

  test("no longer, once it says what it must not", async () => {
    const documents = started();
    await documents.metadata(url);
    publish({ client_secret: "hush" });
    later(fresh);
    expect(await why(documents)).toEqual({
      reason: "client-metadata-invalid",
      detail: "client-metadata-client-secret",
    });
  });
});

test("a document that is found not to be good any more ends at once, however long it was to be kept", async () => {
  publish({}, { "cache-control": "max-age=3600" });
  const documents = started();
  expect(await hasKey(documents, "one")).toBe(true);
  fail(404);
  later(coolDown);
  expect(await why(documents)).toBe("good");
  await expect(hasKey(documents, "two")).rejects.toMatchObject({ reason: "client-metadata-invalid" });
  expect(await why(documents)).toMatchObject({ reason: "client-metadata-invalid" });
  expect(asked).toBe(2);
});

describe("a failure", () => {
  test("is not kept: a few seconds later the document is asked for again, and counts", async () => {
    const documents = started();
    fail(500);
    expect(await why(documents)).toMatchObject({ detail: "status-500" });
    expect(await why(documents)).toMatchObject({ detail: "status-500" });
    expect(asked).toBe(1);
    publish();
    later(retry);
    expect(await why(documents)).toBe("good");
    expect(asked).toBe(2);
  });

  test("is told the operator once for each fetch, with its cause", async () => {
    const documents = started();
    fail(404);
    await Promise.all([why(documents), why(documents)]);
    expect(failures).toEqual(["status-404"]);
  });

  test("of the record keeps the document from counting", async () => {
    await started().metadata(url);
    publish({ client_name: "Other" });
    const broken = started(() => Promise.reject(new Error("no space left")));
    await expect(broken.metadata(url)).rejects.toThrow("no space left");
    expect(documentRefusal(new Error("no space left"))).toBeUndefined();
  });

  test("of another kind is not the document's", () => {
    expect(documentRefusal(new CredenceError("x", { code: "network", reason: "timeout" }))).toBeUndefined();
  });
});

describe("an agent's keys", () => {
  test("a new one is seen when somebody signs with it, once in half a minute; the old one counts until then", async () => {
    const documents = started();
    expect(await hasKey(documents, "one")).toBe(true);
    publish({ jwks: { keys: [next] } });
    expect(await hasKey(documents, "two")).toBe(false);
    later(coolDown);
    expect(await hasKey(documents, "one")).toBe(true);
    expect(await hasKey(documents, "two")).toBe(true);
    expect(await hasKey(documents, "one")).toBe(false);
    expect(asked).toBe(2);
  });

  test("at an address that must not be fetched are the document's fault", async () => {
    publish({ jwks: undefined, jwks_uri: "https://localhost:1/jwks" });
    const own = clientDocuments({
      fetch: async (address, init) =>
        address === url ? guardedFetch({ allowLoopback: true })(address, init) : guardedFetch()(address, init),
      store,
      allowLoopback: true,
      now: () => CONTROL.now,
      changed: async () => undefined,
    });
    await expect(hasKey(own, "one")).rejects.toMatchObject({ reason: "client-metadata-invalid" });
  });

  test("at a URL that the organization names: the same source, and the same refusals", async () => {
    const { port } = server.address() as AddressInfo;
    handle = (_req, res) => res.end(JSON.stringify({ keys: [jwk] }));
    const agent = {
      ...scout(),
      auth: { method: "private_key_jwt", jwksUri: `http://127.0.0.1:${port}/jwks` },
    } as const;
    const keys = await started().keysOf(agent);
    expect(await keys?.({ alg: "ES256", kid: "one" })).toBeDefined();
    fail(500);
    const other = await started().keysOf(agent);
    await expect(other?.({ alg: "ES256", kid: "one" })).rejects.toMatchObject({
      reason: "client-metadata-unavailable",
    });
  });

  test("an agent with a secret has none", async () => {
    const auth = { method: "client_secret_basic", secret: { env: "X" } } as const;
    expect(await started().keysOf({ ...scout(), auth })).toBeUndefined();
  });
});

describe("what changes is told before it counts", () => {
  test("by the names of its members, once", async () => {
    const documents = started();
    await documents.metadata(url);
    publish({ jwks: { keys: [next] }, client_name: "Scout II", redirect_uris: ["https://scout.example/callback"] });
    later(fresh);
    await documents.metadata(url);
    later(fresh);
    await documents.metadata(url);
    expect(changes).toEqual([{ agentId: url, members: ["client_name", "jwks"] }]);
  });

  test("a member that goes is a change", async () => {
    publish({ client_name: "Scout" });
    await started().metadata(url);
    publish();
    await started().metadata(url);
    expect(changes).toEqual([{ agentId: url, members: ["client_name"] }]);
  });

  test("after a restart, too; and nothing is told of what is the same, or is seen first", async () => {
    await started().metadata(url);
    await started().metadata(url);
    expect(changes).toEqual([]);
    publish({ token_endpoint_auth_method: "none" });
    await started().metadata(url);
    expect(changes).toEqual([{ agentId: url, members: ["token_endpoint_auth_method"] }]);
  });

  test("what we do not read is no change", async () => {
    await started().metadata(url);
    publish({ logo_uri: "https://scout.example/logo.png" });
    await started().metadata(url);
    expect(changes).toEqual([]);
  });
});
