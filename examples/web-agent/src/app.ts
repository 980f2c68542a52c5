/** A web application that is an agent: people sign in with their organization, and it reads an API on their behalf. */
import { type Agent, AgentError, type Session, type SignInChecks } from "@credence/client";
import { type Context, Hono } from "hono";
import { getSignedCookie, setSignedCookie } from "hono/cookie";
import { csrf } from "hono/csrf";
import { html } from "hono/html";
import { HTTPException } from "hono/http-exception";
import { type Content, page } from "./page.ts";

/** What the application is made of. */
export interface WebAgentOptions {
  readonly agent: Agent;
  /** Its own origin, as people see it. */
  readonly origin: string;
  /** The API that it reads. */
  readonly api: string;
  /** Signs the cookie: a secret of the application. */
  readonly cookieSecret: string;
}

/** What is kept of one browser. A real application keeps it in its database. */
interface Visitor {
  checks?: SignInChecks;
  session?: Session;
  /** What wants a fresher or stronger sign-in: the next one is begun with it. */
  stepUp?: AgentError;
}

const COOKIE = "visitor";

/** What asks for another sign-in; everything else is final. */
const ASK_AGAIN: ReadonlySet<string> = new Set(["sign_in_required", "insufficient_user_authentication"]);

/** Makes the application: `/`, `/sign-in`, `/callback`, `/entries`, and `/sign-out`, which ends something and so takes a POST. */
export function createWebAgent({ agent, origin, api, cookieSecret }: WebAgentOptions): Hono {
  const redirectUri = `${origin}/callback`;
  const visitors = new Map<string, Visitor>();
  const secure = origin.startsWith("https:");

  async function visitorOf(c: Context): Promise<Visitor | undefined> {
    const id = (await getSignedCookie(c, cookieSecret, COOKIE)) || undefined;
    return id === undefined ? undefined : visitors.get(id);
  }

  /** Each sign-in gets a new id: one that somebody else has planted before is worth nothing after it. */
  async function replace(c: Context, visitor: Visitor | undefined): Promise<void> {
    const before = (await getSignedCookie(c, cookieSecret, COOKIE)) || undefined;
    if (before !== undefined) visitors.delete(before);
    const id = crypto.randomUUID();
    if (visitor !== undefined) visitors.set(id, visitor);
    await setSignedCookie(c, COOKIE, id, cookieSecret, { httpOnly: true, secure, sameSite: "Lax", path: "/" });
  }

  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store");
    c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    c.header("referrer-policy", "no-referrer");
  });
  // A form of another site can be sent here with the cookie of this one; its Origin tells.
  app.use(csrf({ origin }));

  app.get("/", (c) => c.html(page("Welcome", link("/sign-in", "Sign in with your organization"))));

  app.get("/entries", async (c) => {
    const visitor = await visitorOf(c);
    const { session } = visitor ?? {};
    if (visitor === undefined || session === undefined) return c.redirect("/");
    try {
      const response = await session.fetch(api);
      const text = await response.text();
      return c.html(page("Your entries", html`<pre>${text}</pre>${link("/sign-out", "Sign out")}`));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const again = ASK_AGAIN.has(error.code);
      if (again) visitor.stepUp = error;
      const offer = again ? link("/sign-in", "Sign in again") : link("/sign-out", "Sign out");
      // The message is for people: who said no, and under which decision it is on record.
      return c.html(page("This did not work", html`<p>${error.message}</p>${offer}`), again ? 401 : 403);
    }
  });

  // It begins something that only this browser's own person can finish: a link will do.
  app.get("/sign-in", async (c) => {
    const { stepUp } = (await visitorOf(c)) ?? {};
    const { url, checks } = await agent.startSignIn({ redirectUri, stepUp });
    await replace(c, { checks });
    return c.redirect(url);
  });

  app.get("/callback", async (c) => {
    const visitor = await visitorOf(c);
    const { checks } = visitor ?? {};
    // The checks belong to the browser that began: a callback in another one is not its sign-in.
    if (visitor === undefined || checks === undefined) {
      return c.html(page("Nothing to do", html`<p>No sign-in was begun in this browser.</p>`), 400);
    }
    delete visitor.checks;
    await replace(c, { session: await agent.finishSignIn(c.req.url, checks) });
    return c.redirect("/entries");
  });

  app.get("/sign-out", (c) =>
    c.html(page("Sign out?", html`<form method="post" action="/sign-out"><button>Sign out</button></form>`)),
  );

  app.post("/sign-out", async (c) => {
    const { session } = (await visitorOf(c)) ?? {};
    await replace(c, undefined);
    const { url } = (await session?.signOut({ postLogoutRedirectUri: `${origin}/` })) ?? { url: undefined };
    return c.redirect(url ?? "/", 303);
  });

  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.html(page("Not like this", link("/", "Back")), error.status);
    const message = error instanceof AgentError ? error.message : "Something failed here.";
    return c.html(page("This did not work", html`<p>${message}</p>${link("/", "Back")}`), 502);
  });
  return app;
}

function link(to: string, text: string): Content {
  return html`<p><a href="${to}">${text}</a></p>`;
}
