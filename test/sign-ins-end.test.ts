/** When what somebody is signed in by ends: with their password, with a reset of their factors, when an admin says so. */
import { PassThrough } from "node:stream";
import type { Session } from "@credence/client";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listEvents } from "../packages/server/src/audit/read.ts";
import { runProgram } from "../packages/server/src/cli/program.ts";
import { hashPassword } from "../packages/server/src/sign-in/password.ts";
import { exchange, expectRefused, secretOf } from "./exchange.testing.ts";
import { ALICE, acme, BOB, type House, startHouse } from "./house.testing.ts";

let house: House;
let alice: Session;
let bob: Session;
beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house[Symbol.asyncDispose]());
beforeEach(async () => {
  const people = acme().people.map((one) => ({ ...one, groups: ["finance"] }));
  await house.change({ ...acme(), people });
  for (const { id } of people) await house.server.store.endSignIns(id);
  alice = await house.signIn(house.agent("assistant"), ALICE);
  bob = await house.signIn(house.agent("assistant"), BOB);
});

const idToken = (session: Session) => exchange(house, { subjectToken: session.signIn().idToken });
const refreshToken = (session: Session) =>
  exchange(house, {
    subjectToken: session.signIn().refreshToken ?? "",
    subjectTokenType: TOKEN_TYPES.refreshToken,
  });

function refresh(session: Session): Promise<Response> {
  const { clientSecret } = secretOf("assistant") as { clientSecret: string };
  const body = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: session.signIn().refreshToken ?? "",
  });
  const headers = { authorization: `Basic ${btoa(`assistant:${clientSecret}`)}` };
  return fetch(`${house.issuer}/token`, { method: "POST", headers, body });
}

async function expectSignedIn(session: Session): Promise<void> {
  expect([(await idToken(session)).status, (await refreshToken(session)).status]).toEqual([200, 200]);
}

async function expectOver(session: Session): Promise<void> {
  await expectRefused(house, await idToken(session), "invalid_grant", "sign-in-over");
  await expectRefused(house, await refreshToken(session), "invalid_grant", "sign-in-over");
  expect((await refresh(session)).status).toBe(400);
}

async function credence(...args: readonly string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const world = {
    stdin: new PassThrough(),
    ...{ stdout, stderr, env: {} },
    now: () => Date.now() / 1_000,
    exit: () => undefined,
    interrupted: () => AbortSignal.abort(),
  };
  const serve = () => Promise.reject(new TypeError("nobody serves here"));
  const code = await runProgram([...args, "--data", house.dataDir], { serve }, world);
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

const lastEvent = async (code: "sessions.ended" | "factors.reset") =>
  (await listEvents(house.server.store, { code, from: "newest", limit: 1 })).events[0];

describe("what agents hold of a person's sign-in", () => {
  test("is worth nothing once the password is another one, and that of others still is", async () => {
    await expectSignedIn(alice);
    const { document } = await house.server.store.organization();
    const passwordHash = await hashPassword("a password that nobody else knows");
    const people = document.people.map((one) => (one.id === "alice" ? { ...one, passwordHash } : one));
    await house.change({ ...document, people });
    await expectOver(alice);
    await expectSignedIn(bob);
    const again = { ...ALICE, password: "a password that nobody else knows" };
    await expectSignedIn(await house.signIn(house.agent("assistant"), again));
  });

  test("lives on when something else of the person changes", async () => {
    const { document } = await house.server.store.organization();
    await house.change({ ...document, people: document.people.map((one) => ({ ...one, name: `${one.name} B.` })) });
    await expectSignedIn(alice);
  });

  test("is worth nothing once their factors were reset", async () => {
    const { code, out } = await credence("person", "reset-factors", "alice", "--json");
    expect([code, JSON.parse(out)]).toEqual([0, { ok: true, removed: 0, sessions: 1, grants: 1 }]);
    await expectOver(alice);
    await expectSignedIn(bob);
    expect(await lastEvent("factors.reset")).toMatchObject({ person: { id: "alice" } });
  });
});

describe("credence sessions", () => {
  test("list shows what somebody is signed in by, and nothing that could be used", async () => {
    const { code, out } = await credence("sessions", "list", "alice", "--json");
    const now = Date.now() / 1_000;
    expect(code).toBe(0);
    const { sessions, grants, ...rest } = JSON.parse(out);
    expect(rest).toEqual({ ok: true });
    expect(sessions[0]).toEqual({ since: expect.any(Number), until: expect.any(Number), clients: ["assistant"] });
    expect(sessions[0].until).toBeGreaterThan(now);
    expect(grants[0]).toEqual({ client: "assistant", since: expect.any(Number), renewed: expect.any(Number) });
    expect((await credence("sessions", "list", "alice")).out).toMatch(/^session {2}\S+Z to \S+Z {2}assistant\n/);
  });

  test("end ends all of it, counts it, and that is on record; the person can sign in again", async () => {
    const { code, out } = await credence("sessions", "end", "alice");
    expect([code, out]).toEqual([0, "alice: 1 session and 1 grant of agents ended.\n"]);
    await expectOver(alice);
    await expectSignedIn(bob);
    expect(await lastEvent("sessions.ended")).toMatchObject({ person: { id: "alice" } });
    expect((await credence("sessions", "list", "alice")).out).toBe("alice is not signed in.\n");
    expect(JSON.parse((await credence("sessions", "end", "alice", "--json")).out)).toEqual({
      ok: true,
      sessions: 0,
      grants: 0,
    });
    await expectSignedIn(await house.signIn(house.agent("assistant"), ALICE));
  });

  test.each(["list", "end"])("%s says who is not there, and shows an example in its help", async (command) => {
    const { code, err } = await credence("sessions", command, "nobody");
    expect(code).toBe(1);
    expect(err).toContain("no such id in people");
    expect((await credence("sessions", command, "--help")).out).toContain(`credence sessions ${command} alice`);
  });
});
