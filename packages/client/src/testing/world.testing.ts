/** IdP, app and agent, on real HTTP, with a clock that the test moves. */
import { type Agent, createAgent } from "../agent.ts";
import { AgentError } from "../errors.ts";
import type { AgentEvent } from "../events.ts";
import type { AgentOptions } from "../options.ts";
import type { Session } from "../session.ts";
import { APP_CLIENT, startApp, type TestApp } from "./app.testing.ts";
import { IDP_CLIENT, startIdp, type TestClock, type TestIdp } from "./idp.testing.ts";

export interface World {
  readonly clock: TestClock;
  readonly idp: TestIdp;
  readonly app: TestApp;
  /** The resource's URL. */
  readonly url: string;
  readonly events: AgentEvent[];
  agent(changes?: Partial<AgentOptions>): Agent;
  /** A session without a refresh token. */
  session(changes?: Partial<AgentOptions>): Promise<Session>;
  /** A session by way of the sign-in, with a refresh token. */
  signIn(agent?: Agent): Promise<Session>;
  close(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const clock = { seconds: Math.floor(Date.now() / 1_000) };
  const clientIds = new Map<string, string>();
  const idp = await startIdp(clock, clientIds);
  const app = await startApp(clock, idp);
  clientIds.set(app.issuer, APP_CLIENT.clientId);
  const events: AgentEvent[] = [];
  const world: World = {
    clock,
    idp,
    app,
    url: `${app.resource}/entries`,
    events,
    agent: (changes) =>
      createAgent({
        idp: { issuer: idp.issuer, client: IDP_CLIENT },
        apps: [{ issuer: app.issuer, client: APP_CLIENT }],
        development: true,
        now: () => clock.seconds,
        watch: (event) => events.push(event),
        ...changes,
      }),
    session: async (changes) => world.agent(changes).session({ idToken: await idp.idToken() }),
    async signIn(agent = world.agent()) {
      const started = await agent.startSignIn({ redirectUri: "http://127.0.0.1/callback" });
      return started.finish(await walk(started.url));
    },
    async close() {
      await Promise.all([idp.server.close(), app.as.close(), app.api.close()]);
    },
  };
  return world;
}

/** The person's browser, at an IdP that asks nothing: gives the URL that it is sent back to. */
export async function walk(url: string): Promise<string> {
  const answer = await fetch(url, { redirect: "manual" });
  return answer.headers.get("location") ?? "";
}

/** The error that something fails with; it must be one of ours. */
export async function failure(promise: Promise<unknown>): Promise<AgentError> {
  const outcome = await promise.then(
    () => "nothing failed",
    (cause: unknown) => cause,
  );
  if (outcome instanceof AgentError) return outcome;
  throw new Error("It did not fail with an AgentError", { cause: outcome });
}
