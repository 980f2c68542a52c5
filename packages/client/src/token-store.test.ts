/** Where sign-ins are kept: each store alone, and sessions and processes that share one. */
import { spawn } from "node:child_process";
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileTokenStore } from "./file-token-store.node.ts";
import type { Session } from "./session.ts";
import { failure, startWorld, type World, walk } from "./testing/world.testing.ts";
import { memoryTokenStore, type TokenStore } from "./token-store.ts";

let folder: string;
let world: World;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "credence-store-"));
  world = await startWorld();
});
afterEach(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

const file = (): string => join(folder, "deep", "sign-ins.json");

/** The least that a store of somebody's own must do: here over an object, one caller at a time. */
function ownStore(): TokenStore {
  const values: Record<string, string> = {};
  let turn: Promise<unknown> = Promise.resolve();
  return {
    get: async (key) => values[key],
    set: async (key, value) => void Object.assign(values, { [key]: value }),
    delete: async (key) => void delete values[key],
    lock(_key, work) {
      const mine = turn.then(work, work);
      turn = mine.catch(() => {});
      return mine;
    },
  };
}

const stores: readonly [string, () => TokenStore][] = [
  ["a store in memory", memoryTokenStore],
  ["a file", () => fileTokenStore(file())],
  ["a store of somebody's own", ownStore],
];

/** Signs in with a store. */
async function signIn(store: TokenStore, key?: string): Promise<Session> {
  const keeping = { redirectUri: "http://127.0.0.1/callback", store, ...(key === undefined ? {} : { key }) };
  const started = await world.agent().startSignIn(keeping);
  return started.finish(await walk(started.url));
}

describe.each(stores)("%s", (_, make) => {
  it("keeps, replaces and forgets by key", async () => {
    const store = make();
    expect(await store.get("alice")).toBeUndefined();
    await store.set("alice", "one");
    await store.set("bob", "two");
    await store.set("alice", "three");
    await store.delete("bob");
    expect([await store.get("alice"), await store.get("bob")]).toEqual(["three", undefined]);
  });

  it("lets one at a time work under a key, and goes on after a failure", async () => {
    const store = make();
    let inside = 0;
    const work = async (): Promise<number> => {
      const before = ++inside;
      await store.set("alice", String(before));
      inside--;
      return before;
    };
    const failing = store.lock("alice", () => Promise.reject(new Error("nothing works")));
    const all = await Promise.all(Array.from({ length: 20 }, () => store.lock("alice", work)));
    await expect(failing).rejects.toThrow("nothing works");
    expect(all).toEqual(Array(20).fill(1));
  });

  it("keeps a sign-in from its start to the sign-out", async () => {
    const store = make();
    const session = await signIn(store);
    const restored = await world.agent().restore({ store });
    expect(restored?.signIn()).toEqual(session.signIn());
    await session.signOut();
    expect(await world.agent().restore({ store })).toBeUndefined();
  });

  it("gives what it renewed to the next start", async () => {
    const store = make();
    const session = await signIn(store);
    world.clock.seconds += 590;
    expect((await session.fetch(world.url)).status).toBe(200);
    const restored = await world.agent().restore({ store });
    expect(restored?.signIn()).toEqual(session.signIn());
    expect((await restored?.fetch(world.url))?.status).toBe(200);
    expect(world.idp.counts.refresh).toBe(1);
  });

  it.each([true, false])("renews once for sessions that share it (refresh tokens that rotate: %s)", async (rotates) => {
    world.idp.rotates = rotates;
    world.idp.delay = 0.02;
    const store = make();
    const first = await signIn(store);
    const others = await Promise.all(Array.from({ length: 4 }, () => world.agent().restore({ store })));
    world.clock.seconds += 590;
    const answers = await Promise.all([first, ...others].map((session) => session?.fetch(world.url)));
    expect(answers.map((answer) => answer?.status)).toEqual(Array(5).fill(200));
    expect(world.idp.counts.refresh).toBe(1);
    // Nobody has lost the sign-in: each renews the next time, by what the others left.
    for (const session of [first, ...others]) {
      world.clock.seconds += 590;
      expect((await session?.fetch(world.url))?.status).toBe(200);
    }
  });

  it("keeps people apart by key", async () => {
    const store = make();
    await signIn(store, "alice");
    world.idp.subject = "bob";
    await signIn(store, "bob");
    const subjects: unknown[] = [];
    for (const key of ["alice", "bob"]) {
      await (await world.agent().restore({ store, key }))?.fetch(world.url);
      const event = world.events.findLast(({ type }) => type === "id-jag");
      subjects.push(event?.type === "id-jag" && event.claims.sub);
    }
    expect(subjects).toEqual(["alice", "bob"]);
  });
});

describe("a session whose sign-in is kept", () => {
  it("never becomes somebody else's who signed in under its key", async () => {
    const store = memoryTokenStore();
    const alices = await signIn(store);
    world.clock.seconds += 590;
    world.idp.subject = "bob";
    await signIn(store);
    expect(await failure(alices.fetch(world.url))).toMatchObject({ code: "sign_in_required" });
    expect(world.events.some((event) => event.type === "id-jag")).toBe(false);
  });

  it("says so when the renewed sign-in can not be kept, and goes on with it", async () => {
    const store = memoryTokenStore();
    const session = await signIn(store);
    const { set } = store;
    store.set = async () => Promise.reject(new Error("the disk is full"));
    world.clock.seconds += 590;
    expect(await failure(session.fetch(world.url))).toMatchObject({ code: "configuration", reason: "save-failed" });
    store.set = set;
    world.clock.seconds += 590;
    // What is in the store is older, and used up: it is not taken back.
    expect((await session.fetch(world.url)).status).toBe(200);
    expect(world.idp.counts.refresh).toBe(2);
  });

  it("revokes at its end what another process has renewed since", async () => {
    const store = memoryTokenStore();
    const [first, second] = [await signIn(store), await world.agent().restore({ store })];
    world.clock.seconds += 590;
    await second?.fetch(world.url);
    const renewed = second?.signIn().refreshToken;
    await first.signOut();
    expect(world.idp.counts.revoked).toEqual([renewed]);
    expect(await store.get("sign-in")).toBeUndefined();
  });

  it.each([
    ["no JSON", "{"],
    ["no sign-in", `{"idToken":7}`],
    ["a list", "[]"],
  ])("is not restored of %s: the person signs in", async (_, text) => {
    const store = memoryTokenStore();
    await store.set("sign-in", text);
    expect(await world.agent().restore({ store })).toBeUndefined();
  });

  it("is not restored for another agent or IdP", async () => {
    const store = memoryTokenStore();
    await signIn(store);
    const idp = { issuer: world.app.issuer, client: { method: "none", clientId: "assistant" } } as const;
    const error = await failure(world.agent({ idp }).restore({ store }));
    expect(error).toMatchObject({ code: "configuration", reason: "id-token-foreign" });
  });
});

describe("an agent that exchanges refresh tokens", () => {
  const exchanged = (): (string | null)[] =>
    world.idp.server.seen.flatMap(({ body }) => {
      const form = new URLSearchParams(body);
      return form.has("subject_token_type") ? [form.get("subject_token_type")?.split(":").at(-1) ?? null] : [];
    });

  it("needs no renewal, however long ago the ID token was issued", async () => {
    const session = await world.signIn(world.agent({ subject: "refresh_token" }));
    world.clock.seconds += 100_000;
    expect((await session.fetch(world.url)).status).toBe(200);
    expect([exchanged(), world.idp.counts.refresh]).toEqual([["refresh_token"], 0]);
  });

  it("goes on with the one that another process has got meanwhile", async () => {
    const store = memoryTokenStore();
    const bySubject = world.agent({ subject: "refresh_token" });
    const started = await bySubject.startSignIn({ redirectUri: "http://127.0.0.1/callback", store });
    const session = await started.finish(await walk(started.url));
    const other = await world.agent().restore({ store });
    world.clock.seconds += 590;
    await other?.fetch(world.url);
    expect((await session.fetch(world.url)).status).toBe(200);
    expect(exchanged()).toEqual(["id_token", "refresh_token", "refresh_token"]);
    expect(world.idp.counts.refresh).toBe(1);
  });

  it("signs in again when it is revoked", async () => {
    const session = await world.signIn(world.agent({ subject: "refresh_token" }));
    world.idp.refreshTokens.clear();
    expect(await failure(session.fetch(world.url))).toMatchObject({ code: "sign_in_required" });
  });

  it("takes the ID token where there is no refresh token", async () => {
    expect((await (await world.session({ subject: "refresh_token" })).fetch(world.url)).status).toBe(200);
    expect(exchanged()).toEqual(["id_token"]);
  });
});

describe("the file", () => {
  it("and its directory are for its owner alone, and nothing else is left beside it", async () => {
    const store = fileTokenStore(file());
    await store.lock("alice", () => store.set("alice", "secret"));
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "deep"))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, "deep"))).toEqual(["sign-ins.json"]);
  });

  it.each([0o640, 0o604, 0o666])("that others may read (mode %o) is not used", async (mode) => {
    const store = fileTokenStore(file());
    await store.set("alice", "secret");
    await chmod(file(), mode);
    expect(await failure(store.get("alice"))).toMatchObject({ code: "configuration", reason: "token-store-open" });
    expect(await failure(store.set("alice", "x"))).toMatchObject({ reason: "token-store-open" });
    expect(await readFile(file(), "utf8")).toBe(`{"alice":"secret"}`);
  });

  it.runIf(process.getuid?.() === 0)("that somebody else has put there is not used (run as root alone)", async () => {
    const store = fileTokenStore(file());
    await store.set("alice", "planted");
    await chown(file(), 65_534, 65_534);
    expect(await failure(store.get("alice"))).toMatchObject({ code: "configuration", reason: "token-store-open" });
  });

  it.each(["", "{", "[]", "7", `{"alice":7}`])("that is %j is no store, and stays as it is", async (text) => {
    const path = join(folder, "other.json");
    await writeFile(path, text, { mode: 0o600 });
    const store = fileTokenStore(path);
    expect(await failure(store.get("alice"))).toMatchObject({ code: "configuration", reason: "token-store-malformed" });
    expect(await failure(store.set("alice", "x"))).toMatchObject({ reason: "token-store-malformed" });
    expect(await readFile(path, "utf8")).toBe(text);
  });

  it("takes a key like __proto__ for what it is", async () => {
    const store = fileTokenStore(file());
    expect(await store.get("__proto__")).toBeUndefined();
    await store.set("__proto__", "a name like any other");
    expect(await store.get("__proto__")).toBe("a name like any other");
  });

  it("is whole at every moment, whoever writes it", async () => {
    const many = Array.from({ length: 20 }, (_, i) => fileTokenStore(file()).set(`key ${i}`, "x".repeat(10_000)));
    const read = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await fileTokenStore(file()).get("key 0");
    };
    await Promise.all([...many, read()]);
    expect(Object.keys(JSON.parse(await readFile(file(), "utf8")))).toHaveLength(20);
  });

  it("that a dead process has locked is free again after a while", async () => {
    const store = fileTokenStore(file());
    await store.set("alice", "one");
    const lock = `${file()}.write.lock`;
    await writeFile(lock, "somebody who is gone");
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    await store.set("alice", "two");
    expect(await store.get("alice")).toBe("two");
    expect(await readdir(join(folder, "deep"))).toEqual(["sign-ins.json"]);
  });

  it("that a living process has locked for too long says so", async () => {
    const store = fileTokenStore(file(), { wait: 0.1 });
    await store.set("alice", "one");
    await writeFile(`${file()}.write.lock`, "somebody else");
    const error = await failure(store.set("alice", "two"));
    expect(error).toMatchObject({ code: "configuration", reason: "token-store-locked" });
    expect(await store.get("alice")).toBe("one");
  });
});

it("processes that share a file renew a sign-in once, and none loses it", async () => {
  const store = fileTokenStore(file());
  // As the system's clock goes: an ID token that is over in a moment's time has to be renewed by each of them.
  world.idp.idTokenLifetime = 1;
  await signIn(store);
  world.clock.seconds = Math.floor(Date.now() / 1_000);
  world.idp.idTokenLifetime = 600;
  world.idp.delay = 0.05;
  const program = fileURLToPath(new URL("./testing/renew.testing.ts", import.meta.url));
  const parameters = [world.idp.issuer, world.app.issuer, world.app.resource, file()];
  const run = (): Promise<{ code: number | null; said: string }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, ["-C", "@credence/source", program, ...parameters]);
      const said: Buffer[] = [];
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said.push(chunk));
      child.once("close", (code) => resolve({ code, said: Buffer.concat(said).toString() }));
    });
  const ended = await Promise.all([run(), run(), run()]);
  expect(ended).toEqual(Array(3).fill({ code: 0, said: "200\n" }));
  expect(world.idp.counts.refresh).toBe(1);
}, 30_000);
