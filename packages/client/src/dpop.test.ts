/** Nonces of resources, when many calls go at the same time and when they change. @see RFC 9449 §8, §9 */
import { generateDpopKey } from "@credence/protocol/dpop";
import { decodeJws } from "@credence/protocol/jws";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createProver } from "./dpop.ts";
import { failure, startWorld, type World } from "./testing/world.testing.ts";

const key = await generateDpopKey();
let world: World;
/** The nonce that the resource wants of a call, by turns of the calls, counted from 1. */
let wants: (turn: number) => string;
let turns: number;
beforeEach(async () => {
  world = await startWorld();
  const proofs = { dpop_signing_alg_values_supported: ["ES256"] };
  world.idp.metadata = proofs;
  world.app.asMetadata = proofs;
  world.idp.claims = { cnf: { jkt: key.jkt } };
  world.app.answer = { token_type: "DPoP" };
  turns = 0;
  const { handler } = world.app.api;
  world.app.api.handler = (request) => {
    const authorization = request.headers.get("authorization");
    if (!authorization?.startsWith("DPoP ")) return handler(request);
    const nonce = wants(++turns);
    if (nonceOf(request.headers) !== nonce) {
      const headers = { "www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": nonce };
      return new Response(null, { status: 401, headers });
    }
    const headers = new Headers(request.headers);
    headers.set("authorization", authorization.replace("DPoP", "Bearer"));
    return handler(new Request(request, { headers }));
  };
});
afterEach(() => world.close());

const nonceOf = (headers: Headers): unknown => decodeJws(headers.get("dpop") ?? "")?.payload.nonce;

it("calls that are all told the same nonce at the same time are each made once more, with the same token", async () => {
  wants = () => "today's";
  const session = await world.session({ dpop: { key } });
  const answers = await Promise.all(Array.from({ length: 20 }, () => session.fetch(world.url)));
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([1, 1]);
  const before = world.app.api.seen.length;
  expect((await session.fetch(world.url)).status).toBe(200);
  expect(world.app.api.seen.length - before).toBe(1);
});

it("a nonce that has changed is taken over, whatever was kept", async () => {
  wants = (turn) => (turn < 4 ? "first" : "second");
  const session = await world.session({ dpop: { key } });
  for (let i = 0; i < 4; i++) expect((await session.fetch(world.url)).status).toBe(200);
  expect(world.idp.counts.exchange).toBe(1);
});

it("a resource that is never content with a nonce ends the call", async () => {
  wants = (turn) => `nonce ${turn}`;
  const error = await failure((await world.session({ dpop: { key } })).fetch(world.url));
  expect(error).toMatchObject({ code: "invalid_token", leg: "call" });
  // A fresh token, with two proofs.
  expect(turns).toBe(2);
});

const withoutProofs: readonly [string, () => void, () => string][] = [
  ["the IdP", () => (world.idp.metadata = {}), () => world.idp.issuer],
  ["the app", () => (world.app.asMetadata = {}), () => world.app.issuer],
];

it.each(withoutProofs)(
  "an agent that must be bound gets nothing where %s takes no proofs, and hears who",
  async (_, take, who) => {
    take();
    const error = await failure((await world.session({ dpop: { key, required: true } })).fetch(world.url));
    expect(error).toMatchObject({ code: "not_supported", reason: "dpop-not-supported", party: who() });
    expect([world.idp.counts.exchange, world.app.counts.redeem]).toEqual([0, 0]);
  },
);

it.each(withoutProofs)("an agent that may be unbound is, where %s takes no proofs", async (_, take) => {
  take();
  world.idp.claims = {};
  world.app.answer = {};
  const session = await world.session({ dpop: { key } });
  expect((await session.token({ resource: world.app.resource, audience: world.app.issuer })).tokenType).toBe("Bearer");
});

it("nonces of token endpoints and resources, and of different servers, are kept apart", async () => {
  const prover = createProver({ key }, () => world.clock.seconds);
  const sent = async (at: "token" | "resource", url: string) =>
    nonceOf(new Headers(await prover.headers(at, "GET", url)));
  prover.note("token", "https://a.example/token", new Headers({ "dpop-nonce": "of a's token endpoint" }));
  expect(await sent("token", "https://a.example/token")).toBe("of a's token endpoint");
  expect(await sent("resource", "https://a.example/api")).toBeUndefined();
  expect(await sent("token", "https://b.example/token")).toBeUndefined();
});

it("a nonce that is too long to be one is not kept", async () => {
  const prover = createProver({ key }, () => world.clock.seconds);
  const url = "https://a.example/token";
  expect(prover.note("token", url, new Headers({ "dpop-nonce": "n".repeat(513) }))).toBe(false);
  expect(nonceOf(new Headers(await prover.headers("token", "POST", url)))).toBeUndefined();
});

it("an agent without a key of its own makes one, and keeps to it", async () => {
  const prover = createProver({}, () => world.clock.seconds);
  const jwk = async () =>
    JSON.stringify((await prover.headers("token", "POST", "https://a.example/token")).dpop.split(".")[0]);
  expect(await jwk()).toBe(await jwk());
});
