/** `credence keys …` against a running server. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { runProgram } from "../packages/server/src/cli/program.ts";
import { startTransit, type TransitEngine } from "../packages/server/src/keys/transit.testing.ts";
import { startServer } from "../packages/server/src/process/server.ts";
import { exchange } from "./exchange.testing.ts";
import { type House, startHouse } from "./house.testing.ts";
import { kidOf, listedKeys, publishedKeys } from "./key-rotation.testing.ts";

let folder: string;
let house: House;

async function begin(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "credence-keys-command-"));
  house = await startHouse({ server: { keys: { jwksAge: 1 } } });
}

async function end(): Promise<void> {
  await house[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}

let transit: TransitEngine;
beforeAll(async () => {
  transit = await startTransit();
});
afterAll(() => transit.close());

async function credence(args: readonly string[], env: Record<string, string> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await runProgram(
    ["keys", ...args, "--data", house.dataDir],
    { serve: () => Promise.reject(new TypeError("nobody serves here")) },
    {
      stdin: new PassThrough(),
      stdout,
      stderr,
      env,
      now: () => Date.now() / 1_000,
      exit: () => undefined,
      interrupted: () => AbortSignal.abort(),
    },
  );
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

const json = async (args: readonly string[]) => JSON.parse((await credence([...args, "--json"])).out);
const signing = async (alg = "ES256") =>
  (await listedKeys(house)).find((key) => key.use === "idp" && key.alg === alg && key.state === "active")?.kid ?? "";

describe("credence keys", () => {
  beforeAll(async () => {
    await begin();
    // The next keys are made once the start is over.
    await vi.waitUntil(async () => (await publishedKeys(house)).length === 4, { timeout: 30_000, interval: 100 });
  });
  afterAll(end);

  test("list shows where each key is in its life, and nothing of its private half", async () => {
    const { code, out } = await credence(["list"]);
    expect(code).toBe(0);
    const rows = out
      .trim()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(rows[0]).toEqual(["kid", "use", "alg", "state", "since", "until"]);
    expect(
      rows
        .slice(1)
        .map((row) => row.slice(1, 4).join(" "))
        .sort(),
    ).toEqual([
      "audit ES256 active",
      "idp ES256 active",
      "idp ES256 published",
      "idp RS256 active",
      "idp RS256 published",
    ]);
    const { keys } = await json(["list"]);
    const members = ["kid", "use", "alg", "state", "created_at", "activated_at", "retiring_at", "ends_at"];
    for (const key of keys) expect(members).toEqual(expect.arrayContaining(Object.keys(key)));
  });

  test("rotate is refused while caches may lack the next key, with what to do; --now goes ahead", async () => {
    const before = await signing();
    await credence(["rotate", "--now"]);
    const early = await credence(["rotate"]);
    expect(early).toMatchObject({ code: 1, out: "" });
    expect(early.err).toMatch(/published too lately\. Who keeps the JWKS may not have it before .*Z\. .*--now/);
    expect(await signing()).not.toBe(before);
    const done = await json(["rotate", "--now", "--alg", "RS256"]);
    expect(done).toMatchObject({ ok: true });
    const codes = done.events.map((event: { code: string; key: { alg: string } }) => `${event.code} ${event.key.alg}`);
    expect(codes.sort()).toEqual(["key.activated RS256", "key.created RS256", "key.retiring RS256"]);
  });

  test("rotate --use audit gives the record another key, and what was signed before still verifies", async () => {
    await house.server.audit.signHead();
    const { out } = await credence(["rotate", "--use", "audit"]);
    expect(out).toMatch(/^key\.retired audit ES256 \S+\nkey\.created audit ES256 \S+\n$/);
    await house.server.audit.record({ code: "server.started" });
    await house.server.audit.signHead();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const world = { stdin: new PassThrough(), stdout, stderr, env: {}, now: () => 0, exit: () => undefined };
    const code = await runProgram(
      ["audit", "verify", "--data", house.dataDir],
      { serve: async () => undefined },
      { ...world, interrupted: () => AbortSignal.abort() },
    );
    expect([code, String(stderr.read() ?? ""), String(stdout.read() ?? "")]).toEqual([
      0,
      "",
      expect.stringMatching(/^The record is as it was written: .* 2 signed heads compared\./),
    ]);
  });

  test("retire ends the overlap of a former key; the one that signs is not retired", async () => {
    const former = await signing();
    await credence(["rotate", "--now"]);
    expect((await publishedKeys(house)).map(({ kid }) => kid)).toContain(former);
    expect((await credence(["retire", former])).out).toBe(`key.retired idp ES256 ${former}\n`);
    expect((await publishedKeys(house)).map(({ kid }) => kid)).not.toContain(former);
    const refused = await credence(["retire", await signing()]);
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/This key signs\. Rotate first/)]);
  });

  test("revoke takes a key out; the next one signs, and that is on record", async () => {
    const kid = await signing();
    const { code, out } = await credence(["revoke", kid]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^key\.revoked idp ES256 (\S+)\nkey\.activated idp ES256 /)]);
    expect(await signing()).not.toBe(kid);
    const { events } = await listEvents(house.server.store, { code: "key" });
    expect(events.map(({ code: what }) => what)).toEqual(expect.arrayContaining(["key.revoked", "key.activated"]));
    expect((await credence(["list"])).out).not.toContain(kid);
    expect((await credence(["list", "--all"])).out).toContain(kid);
  });

  test.each<[string, string[], number, RegExp]>([
    ["an unknown key", ["revoke", "nobody"], 1, /There is no such key\. credence keys list/],
    ["an unknown algorithm", ["rotate", "--alg", "PS256"], 1, /There is no such key/],
    ["no algorithm at all", ["rotate", "--alg", "HS256"], 1, /no order that can be carried out/],
    ["an unknown use", ["rotate", "--use", "cookies"], 2, /Say idp or audit/],
    ["no target of a rewrap", ["rewrap"], 2, /Say one of --to-file, --to-env and --to-config/],
    ["two targets of a rewrap", ["rewrap", "--to-file", "a", "--to-env", "B"], 2, /Say one of/],
    ["a missing variable", ["rewrap", "--to-env", "CREDENCE_NO_SUCH"], 1, /The variable CREDENCE_NO_SUCH is not set/],
  ])("with %s does nothing, and says why", async (_, args, exit, why) => {
    const before = await house.server.store.keyRing();
    const { code, err } = await credence(args);
    expect([code, err]).toEqual([exit, expect.stringMatching(why)]);
    expect(await house.server.store.keyRing()).toEqual(before);
  });
});

describe("credence keys rewrap", () => {
  beforeEach(begin);
  afterEach(end);

  const restart = (keys: NonNullable<Parameters<typeof startServer>[0]["keys"]>, keyFile: string) =>
    startServer({
      issuer: house.issuer,
      host: "127.0.0.1",
      port: 0,
      dataDir: house.dataDir,
      keyFile,
      keys,
      issuerIsLoopback: true,
      idJagLifetime: 300,
      resolveSecret: () => transit.token,
      log: pino({ level: "silent" }),
    });

  test("to another file: the next start needs that one, and everything is as it was", async () => {
    const { idToken } = (await house.signIn(house.agent("assistant"))).signIn();
    expect((await exchange(house, { subjectToken: idToken })).status).toBe(200);
    const next = join(folder, "key-2");
    const { out } = await credence(["rewrap", "--to-file", next]);
    expect(out).toBe("keys.rewrapped\nThe next start needs that key: change the configuration now.\n");
    expect(statSync(next).mode & 0o777).toBe(0o600);
    await house.server.close();
    const old = `${house.dataDir}.key`;
    await expect(restart({}, old)).rejects.toMatchObject({ reason: "key-encryption-key-wrong" });
    const server = await restart({}, next);
    const stored = (await server.store.keyRing()).keys.find(({ kid }) => kid === kidOf(idToken));
    expect(stored?.state).toBe("active");
    await server.close();
  });

  test("to a KMS that a configuration names, and back", async () => {
    const config = join(folder, "credence.yaml");
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, transit.token, { mode: 0o600 });
    const kms = `{ kms: { url: "${transit.url}", key: credence, token: { file: ${tokenFile} } } }`;
    writeFileSync(config, `keys:\n  kek: ${kms}\n`);
    await house.server.close();
    const kek = { kms: { url: transit.url, key: "credence", token: { file: tokenFile } } };
    const [first, second] = [await restart({}, `${house.dataDir}.key`), join(folder, "key-3")];
    expect((await credence(["rewrap", "--to-config", config])).code).toBe(0);
    await first.close();
    const onKms = await restart({ kek }, `${house.dataDir}.key`);
    expect(transit.asked.get("decrypt")).toBeGreaterThan(0);
    writeFileSync(second, randomBytes(32).toString("base64url"), { mode: 0o600 });
    expect((await credence(["rewrap", "--to-file", second])).code).toBe(0);
    await onKms.close();
    const back = await restart({}, second);
    await back.close();
  });
});
