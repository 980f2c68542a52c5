/** `@credence/client`: from a sign-in to tool calls, over the ends of access tokens, and up to a denial. */
import { AgentError, type AgentEvent, createAgent, type Session } from "@credence/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listEvents } from "../../packages/server/src/audit/read.ts";
import { ALICE, BOB, CALLBACK, SECRETS } from "../house.testing.ts";
import { LIST_ENTRIES, startWorld, visit, type World } from "./world.testing.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

type Step = AgentEvent["type"];

/** A person's session with the agent, and all that it has done since. */
async function signIn(at: World, who = ALICE): Promise<{ session: Session; steps: Step[] }> {
  const steps: Step[] = [];
  const method = "client_secret_basic";
  const agent = createAgent({
    idp: { issuer: at.idp, client: { method, clientId: "assistant", clientSecret: SECRETS.assistant ?? "" } },
    apps: [{ issuer: at.ledger, client: { method, ...at.atLedger } }],
    watch: ({ type }) => steps.push(type),
    development: true,
  });
  const started = await agent.startSignIn({ redirectUri: CALLBACK });
  return { session: await started.finish(await visit(started.url, who)), steps };
}

/** A tool call by hand, to see the HTTP answer; an MCP client does the same. */
function listEntries({ mcp }: World, fetch: Session["fetch"], accessToken?: string): Promise<Response> {
  const authorization = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
  const { headers, body } = LIST_ENTRIES;
  return fetch(mcp, { method: "POST", headers: { ...headers, ...authorization }, body });
}

/** Statuses of many calls at the same time. */
async function manyCalls(at: World, { fetch }: Session, count: number): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => listEntries(at, fetch)));
  return answers.map(({ status }) => status);
}

const tokensOf = (steps: readonly Step[]): Step[] => steps.filter((one) => one === "id-jag" || one === "access-token");

describe("a session", () => {
  test("calls a tool of a server of which it knows only the URL", async () => {
    const { session, steps } = await signIn(world);
    const answer = await listEntries(world, session.fetch);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("Train to Vienna");
    expect(steps).toEqual(["challenge", "discovered", "id-jag", "access-token"]);
  });

  test("asks once for what many calls need at the same time", async () => {
    const { session, steps } = await signIn(world);
    expect(await manyCalls(world, session, 20)).toEqual(Array(20).fill(200));
    expect(tokensOf(steps)).toEqual(["id-jag", "access-token"]);
  });

  test("comes back to the IdP when the access token has ended, once, with nobody at the keyboard", async () => {
    await using brief = await startWorld({ tokenLifetime: 3 });
    const { session, steps } = await signIn(brief);
    const { accessToken } = await session.token({ resource: brief.mcp });
    expect((await listEntries(brief, fetch, accessToken)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect((await listEntries(brief, fetch, accessToken)).status).toBe(401);
    expect(await manyCalls(brief, session, 5)).toEqual(Array(5).fill(200));
    expect(tokensOf(steps)).toEqual(["id-jag", "access-token", "id-jag", "access-token"]);
  });

  test("ends in a denial where the organization says no: final, and on record under its id", async () => {
    const { session, steps } = await signIn(world, BOB);
    const denial = await listEntries(world, session.fetch).catch((error: unknown) => error);
    if (!(denial instanceof AgentError)) throw new Error("it was not denied", { cause: denial });
    expect(denial).toMatchObject({ code: "access_denied", leg: "exchange", party: world.idp, retry: "never" });
    const { events } = await listEvents(world.house.server.store, { decision: denial.decisionId ?? "" });
    expect(events).toMatchObject([
      { person: { id: "bob" }, agent: "assistant", reasons: [{ id: "person-not-covered" }] },
    ]);
    expect(steps).toEqual(["challenge", "discovered"]);
  });
});

describe("single use", () => {
  test("of 100 simultaneous redemptions of one ID-JAG exactly one succeeds, and its token works", async () => {
    const { session } = await signIn(world);
    const { idJag } = await session.idJag({ audience: world.ledger, resource: world.mcp, scope: "ledger.read" });
    const { clientId, clientSecret } = world.atLedger;
    const redeem = async (): Promise<{ status: number; body: Record<string, unknown> }> => {
      const grant = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: idJag };
      const headers = { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` };
      const answer = await fetch(`${world.ledger}/token`, {
        method: "POST",
        headers,
        body: new URLSearchParams(grant),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const answers = await Promise.all(Array.from({ length: 100 }, redeem));
    const [won = [], lost = []] = [200, 400].map((wanted) => answers.filter(({ status }) => status === wanted));
    expect([won.length, lost.length]).toEqual([1, 99]);
    expect(new Set(lost.map(({ body }) => body.error))).toEqual(new Set(["invalid_grant"]));
    expect((await listEntries(world, fetch, String(won[0]?.body.access_token))).status).toBe(200);
    expect((await redeem()).body.error).toBe("invalid_grant");
  });
});
