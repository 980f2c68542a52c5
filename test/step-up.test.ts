/** A sign-in that is too weak or too old: the exchange says what it must be like, the sign-in page asks for what is missing. */
import { AgentError } from "@credence/client";
import { decodeJws } from "@credence/protocol/jws";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listEvents } from "../packages/server/src/audit/read.ts";
import type { Connection } from "../packages/server/src/directory/types.ts";
import { codeOf, openAccount, setUpApp } from "../packages/server/src/sign-in/account.testing.ts";
import { createUserAgent, type Page, type UserAgent } from "../packages/server/src/sign-in/user-agent.testing.ts";
import { exchange, LEDGER, MCP } from "./exchange.testing.ts";
import { ALICE, acme, BOB, CALLBACK, type House, startHouse } from "./house.testing.ts";

const MFA = "urn:credence:acr:mfa";

let house: House;
/** Seconds by which the house's clock is off: a sign-in of long ago is made in the past. */
let shift = 0;
const now = () => Date.now() / 1_000 + shift;
beforeAll(async () => {
  house = await startHouse({ server: { now } });
});
afterAll(() => house[Symbol.asyncDispose]());
beforeEach(async () => {
  shift = 0;
  await house.server.store.removeFactors("alice");
});

const clock = {
  get issuer() {
    return house.issuer;
  },
  now: () => Math.floor(now()),
};
const demand = (conditions: Connection["conditions"]) =>
  house.change({
    ...acme(),
    connections: acme().connections.map((one) => ({ ...one, people: ["everyone"], conditions })),
  });

/** Signs in on the page as far as a password goes; on, when nothing is asked. */
async function byPassword(browser: UserAgent, url: string, who = ALICE): Promise<Page> {
  const page = await browser.go(url);
  if (page.left !== undefined) return page;
  return browser.submit(await browser.submit(page, { email: who.email }), { password: who.password });
}

/** A sign-in to the assistant, from its start; `stepUp` is the error that asked for more. */
function begin(stepUp?: AgentError) {
  const client = { method: "client_secret_basic", clientId: "ledger-assistant", clientSecret: "at-the-app" } as const;
  return house
    .agent("assistant", [{ issuer: LEDGER, client }])
    .startSignIn({ redirectUri: CALLBACK, ...(stepUp ? { stepUp } : {}) });
}
type Started = Awaited<ReturnType<typeof begin>>;
const end = ({ finish }: Started, page: Page) => {
  if (page.left === undefined) throw new Error(`not back at the agent: ${page.url} ${page.html.slice(0, 2_000)}`);
  return finish(page.left.href);
};
const claimsOf = (idToken: string) => decodeJws(idToken)?.payload ?? {};
const ask = (idToken: string) => exchange(house, { subjectToken: idToken });
/** The refusal, as an agent that uses `@credence/client` has it. */
const refusalOf = async (session: Awaited<ReturnType<Started["finish"]>>): Promise<AgentError> => {
  const refused = await session.idJag({ audience: LEDGER, resource: MCP }).catch((error: unknown) => error);
  if (!(refused instanceof AgentError)) throw new Error("it was granted");
  return refused;
};

describe("a sign-in that is too weak", () => {
  test("is refused with what would be enough; with the missing factor alone it is, and the first one keeps its time", async () => {
    await demand({ acr: MFA, maxAge: 3_600 });
    const browser = createUserAgent();
    shift = -100;
    const first = await begin();
    const weak = await end(first, await byPassword(browser, first.url));
    const signedInAt = claimsOf(weak.signIn().idToken).auth_time;
    shift = 0;
    const refused = await ask(weak.signIn().idToken);
    expect(refused.body).toMatchObject({ error: "insufficient_user_authentication", acr_values: MFA, max_age: 3_600 });

    // She sets an app up meanwhile, in this browser.
    const { secret } = await setUpApp(browser, clock);
    const started = await begin(await refusalOf(weak));
    expect(new URL(started.url).searchParams.get("acr_values")).toBe(MFA);
    const code = await browser.go(started.url);
    expect(code.url).toMatch(/\/code$/);
    expect(code.html).not.toContain('type="password"');
    const strong = await end(started, await browser.submit(code, { code: codeOf(secret, clock) }));
    expect(claimsOf(strong.signIn().idToken)).toMatchObject({
      acr: MFA,
      amr: ["pwd", "otp", "mfa"],
      auth_time: signedInAt,
    });
    const granted = await ask(strong.signIn().idToken);
    expect(granted.claims).toMatchObject({ acr: MFA, amr: ["pwd", "otp", "mfa"], auth_time: signedInAt });
    // The refresh token that came with it says the same, for as long as it lives.
    const subjectTokenType = TOKEN_TYPES.refreshToken;
    const later = await exchange(house, { subjectToken: strong.signIn().refreshToken ?? "", subjectTokenType });
    expect(later.claims).toMatchObject({ acr: MFA, amr: ["pwd", "otp", "mfa"], auth_time: signedInAt });
    const { events } = await listEvents(house.server.store, { code: "sign-in.succeeded" });
    expect(events.at(-1)).toMatchObject({ agent: "assistant", methods: ["password", "totp"] });
  });

  test("and too old for that, starts all over", async () => {
    await demand({ acr: MFA, maxAge: 60 });
    const browser = createUserAgent();
    const { secret } = await enrolled(browser);
    shift = -100;
    const first = await begin();
    const other = createUserAgent();
    const weak = await other.go(first.url);
    const code = await other.submit(await other.submit(weak, { email: ALICE.email }), { password: ALICE.password });
    const old = await end(first, await other.submit(code, { code: codeOf(secret, clock) }));
    shift = 0;
    const refused = await refusalOf(old);
    expect(refused).toMatchObject({ code: "insufficient_user_authentication", maxAge: 60 });
    const again = await begin(refused);
    const page = await other.go(again.url);
    expect(page.html).toContain('type="email"');
    const last = await byPasswordFrom(other, page);
    expect(last.url).toMatch(/\/code$/);
    const fresh = await end(again, await other.submit(last, { code: codeOf(secret, clock, 1) }));
    expect((await ask(fresh.signIn().idToken)).claims?.acr).toBe(MFA);
  });

  test("of somebody who has nothing stronger leads to how to get it, and the agent is told that it was not met", async () => {
    await demand({ acr: MFA });
    const browser = createUserAgent();
    const first = await begin();
    const weak = await end(first, await byPassword(browser, first.url, BOB));
    const started = await begin(await refusalOf(weak));
    const page = await browser.go(started.url);
    expect(page.url).toMatch(/\/unmet$/);
    expect(page.html).toContain("authenticator app or a passkey");
    expect(page.html).toContain('href="/account"');
    const { left } = await browser.submit(page);
    expect(left?.searchParams.get("error")).toBe("unmet_authentication_requirements");
    // The sign-in that there was goes on.
    expect((await ask(weak.signIn().idToken)).body).toMatchObject({ error: "insufficient_user_authentication" });
  });

  test("and cancelled is not met either", async () => {
    const browser = createUserAgent();
    await enrolled(browser);
    const started = await withParameters({ acr_values: "phr" });
    const other = createUserAgent();
    const page = await other.submit(await other.go(started), {}, "cancel");
    expect(page.left?.searchParams.get("error")).toBe("unmet_authentication_requirements");
  });
});

describe("a sign-in that is too old", () => {
  test("is made anew: everything is asked for, and the ID token says when", async () => {
    await demand({ maxAge: 60 });
    const browser = createUserAgent();
    shift = -100;
    const first = await begin();
    const old = await end(first, await byPassword(browser, first.url));
    shift = 0;
    const refused = await ask(old.signIn().idToken);
    expect(refused.body).toMatchObject({ error: "insufficient_user_authentication", max_age: 60 });
    expect(refused.body).not.toHaveProperty("acr_values");
    const started = await begin(await refusalOf(old));
    const page = await browser.go(started.url);
    expect(page.html).toContain('type="email"');
    const fresh = await end(started, await byPasswordFrom(browser, page));
    const authTime = Number(claimsOf(fresh.signIn().idToken).auth_time);
    expect(now() - authTime).toBeLessThan(30);
    expect((await ask(fresh.signIn().idToken)).claims?.auth_time).toBe(authTime);
  });

  test("and cancelled is not met", async () => {
    const browser = createUserAgent();
    shift = -100;
    const first = await begin();
    await end(first, await byPassword(browser, first.url));
    shift = 0;
    const page = await browser.submit(await browser.go(await withParameters({ max_age: "60" })), {}, "cancel");
    expect(page.left?.searchParams.get("error")).toBe("unmet_authentication_requirements");
  });
});

describe("acr_values", () => {
  test("are all in the metadata, weakest first", async () => {
    const metadata = await (await fetch(`${house.issuer}/.well-known/openid-configuration`)).json();
    expect(metadata).toMatchObject({ acr_values_supported: ["urn:credence:acr:password", MFA, "phr", "phrh"] });
  });

  test.each([
    ["that nobody here can have are not met, at once", "gold silver", {}, "unmet_authentication_requirements"],
    ["that are not had need a page", MFA, { prompt: "none" }, "login_required"],
  ])("%s", async (_, acr_values, more, error) => {
    const browser = createUserAgent();
    await openAccount(browser, clock, ALICE);
    const page = await browser.go(await withParameters({ acr_values, ...more }));
    expect(page.left?.searchParams.get("error")).toBe(error);
  });

  test.each(["urn:credence:acr:password", `gold ${MFA} urn:credence:acr:password`])(
    "that the sign-in satisfies already ask for nothing: %s",
    async (acr_values) => {
      const browser = createUserAgent();
      await openAccount(browser, clock, ALICE);
      const page = await browser.go(await withParameters({ acr_values }));
      expect(page.left?.searchParams.get("code")).toBeTruthy();
    },
  );
});

/** A session ended on the account's page buys nothing any more. */
describe("a session ended on the page of one's own account", () => {
  test("kills its ID tokens at once: the exchange is refused", async () => {
    await demand({});
    const browser = createUserAgent();
    const started = await begin();
    const session = await end(started, await byPassword(browser, started.url));
    const { idToken } = session.signIn();
    expect((await ask(idToken)).status).toBe(200);
    const account = await browser.go(`${house.issuer}/account`);
    const here = account.html.split("<li").find((item) => item.includes("badge")) ?? "";
    await browser.submit({ ...account, html: here }, {}, undefined, "/sessions/end");
    expect((await ask(idToken)).body).toMatchObject({ error: "invalid_grant" });
    const { events } = await listEvents(house.server.store, { code: "session.ended" });
    expect(events.at(-1)).toMatchObject({ person: { id: "alice" } });
  });
});

async function byPasswordFrom(browser: UserAgent, page: Page, who = ALICE): Promise<Page> {
  return browser.submit(await browser.submit(page, { email: who.email }), { password: who.password });
}

async function enrolled(browser: UserAgent) {
  await openAccount(browser, clock, ALICE);
  return setUpApp(browser, clock);
}

/** An authorization URL of the assistant's, with more parameters. */
async function withParameters(parameters: Record<string, string>): Promise<string> {
  const url = new URL((await begin()).url);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  // Refresh tokens ask for `prompt=consent` of their own accord, and here another prompt may be meant.
  url.searchParams.set("scope", "openid");
  return url.href;
}
