/** From a person's sign-in to a tool's result: `client`, `issuer` and `resource` together, as they are installed. */
import { AgentError, generateDpopKey } from "@credence/client";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import { dpopProof, redeem } from "@credence/resource/testing";
import { type Case, has, same, thrown, yes } from "./case.ts";
import { APP, createWorld, IDP, RESOURCE, type World, type WorldOptions } from "./world.ts";

const call = { method: "POST", body: "add 7 €" } as const;

async function works(world: World, more: Parameters<World["signIn"]>[0] = {}): Promise<void> {
  const session = await world.signIn(more);
  const answer = await session.fetch(RESOURCE, call);
  same([answer.status, await answer.json()], [200, { for: "alice", said: "add 7 €" }]);
}

const ways: readonly (readonly [string, WorldOptions])[] = [
  ["ES256 and secrets", {}],
  ["RS256", { algorithm: "RS256" }],
  ["PS256", { algorithm: "PS256" }],
  ["EdDSA", { algorithm: "EdDSA" }],
  ["private_key_jwt at both", { assertions: true }],
  ["opaque access tokens", { opaque: true }],
];

export const chain: readonly Case[] = [
  ...ways.map(([name, options]) => ({
    name: `chain: a sign-in becomes a tool's result, with ${name}`,
    run: async () => works(await createWorld(options)),
  })),
  {
    name: "chain: bound to the agent's key from end to end, with the nonces of both servers",
    async run() {
      const world = await createWorld({ nonces: true });
      const key = await generateDpopKey();
      const session = await world.signIn({ dpop: { key, required: true } });
      const answer = await session.fetch(RESOURCE, call);
      same([answer.status, await answer.json()], [200, { for: "alice", said: "add 7 €" }]);
      const { accessToken, tokenType } = await tokenOf(session);
      same(tokenType, "DPoP");
      const stolen = await world.fetch(RESOURCE, { headers: { authorization: `Bearer ${accessToken}` } });
      same(stolen.status, 401, "status of a bound token without proof");
      const other = await dpopProof(await generateDpopKey(), {
        method: "GET",
        url: RESOURCE,
        accessToken,
        now: world.clock.now,
      });
      const thief = await world.fetch(RESOURCE, { headers: { authorization: `DPoP ${accessToken}`, dpop: other } });
      same(thief.status, 401, "status of a bound token with another key's proof");
    },
  },
  {
    name: "chain: one ID-JAG, redeemed twenty times at once, counts once",
    async run() {
      const world = await createWorld();
      const { idJag } = await (await world.signIn()).idJag({ audience: APP, resource: RESOURCE });
      const client = await world
        .agent()
        .session({ idToken: await world.idToken() })
        .clientAt(APP);
      if (client === undefined) throw new Error("the agent has no credential at the app");
      const { now } = world.clock;
      const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(world.server, client, idJag, { now })));
      same(answers.filter(({ status }) => status === 200).length, 1);
      same(new Set(answers.map(({ error }) => error ?? "none")).size, 2);
    },
  },
  {
    name: "chain: an access token is renewed before it expires, without another sign-in",
    async run() {
      const world = await createWorld();
      const session = await world.signIn();
      same((await session.fetch(RESOURCE, call)).status, 200);
      const exchanges = () => world.calls.filter((one) => one === `POST ${IDP}/token`).length;
      const before = exchanges();
      same((await session.fetch(RESOURCE, call)).status, 200);
      same(exchanges(), before, "exchanges of a second call");
      world.clock.now += 290;
      same((await session.fetch(RESOURCE, call)).status, 200);
      same(exchanges(), before + 1, "exchanges after the token grew old");
      world.clock.now += 600;
      has(await thrown(() => session.fetch(RESOURCE, call)), { code: "sign_in_required" });
    },
  },
  {
    name: "chain: a denial is final: the app is never asked, and the error says whom to ask and under which decision",
    async run() {
      const world = await createWorld();
      world.policy = "no-connection";
      const session = await world.signIn();
      const error = await thrown(() => session.fetch(RESOURCE, call));
      yes(error instanceof AgentError, "an AgentError");
      has(error, { code: "access_denied", leg: "exchange", party: IDP, retry: "never" });
      yes(/^[A-Za-z0-9_-]{22}$/.test(String(Object(error).decisionId)), "a decision id");
      yes(!world.calls.includes(`POST ${APP}/token`), "nothing is redeemed");
      same(world.refusals, ["no-connection"]);
    },
  },
  {
    name: "chain: a sign-in that is too old is told as one that wants a fresher one",
    async run() {
      const world = await createWorld();
      world.policy = "sign-in-too-old";
      const error = await thrown(async () => (await world.signIn()).fetch(RESOURCE, call));
      has(error, { code: "insufficient_user_authentication", retry: "step-up", maxAge: 30 });
    },
  },
  {
    name: "chain: what is revoked is dead at once, and what comes a second later lives",
    async run() {
      const world = await createWorld();
      const session = await world.signIn();
      const { accessToken } = await tokenOf(session);
      const alive = async (token: string) => (await world.server.check(token, { scopes: ["read"] })).ok;
      same(await alive(accessToken), true);
      await world.server.revoke({ iss: IDP, sub: "alice" });
      same(await alive(accessToken), false);
      world.clock.now += 1;
      same((await session.fetch(RESOURCE, call)).status, 200);
    },
  },
  {
    name: "chain: an ID token that was cut, spliced, expired, or is somebody else's gives nothing",
    async run() {
      const world = await createWorld();
      const [mine, other] = [await world.idToken(), await world.idToken({ sub: "mallory" })];
      const [[head = "", , tail = ""], [, body = ""]] = [mine.split("."), other.split(".")];
      const table: readonly (readonly [string, string])[] = [
        [mine.slice(0, -10), "subject-token-signature"],
        [mine.slice(0, mine.lastIndexOf(".")), "subject-token-malformed"],
        [`${head}.${body}.${tail}`, "subject-token-signature"],
        [await world.idToken({ exp: world.clock.now }), "subject-token-expired"],
        [await world.idToken({ aud: "other" }), "subject-token-audience"],
        [await world.idToken({ iss: "https://evil.example" }), "subject-token-issuer"],
        ["x", "subject-token-malformed"],
      ];
      for (const [subjectToken, reason] of table) {
        const form = buildTokenExchangeRequest({ audience: APP, resource: RESOURCE, subjectToken });
        const answer = await world.exchange(form);
        const body: Record<string, unknown> = await answer.json();
        same([answer.status, body.error, "access_token" in body], [400, "invalid_grant", false], reason);
        same(world.refusals.at(-1), reason);
      }
    },
  },
];

async function tokenOf(session: Awaited<ReturnType<World["signIn"]>>) {
  return session.token({ resource: RESOURCE });
}
