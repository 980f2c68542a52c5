/** A web application that is an agent: people sign in with their organization, and it reads an API on their behalf. */
import { type Agent, AgentError, type Session, type SignInChecks } from "@credence/client";
import { type Context, Hono } from "hono";
import { getSignedCookie, setSignedCookie } from "hono/cookie";
import { html } from "hono/html";

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
}

const COOKIE = "visitor";

/** Makes the application: `/`, `/sign-in`, `/callback`, `/sign-out`. */
export function createWebAgent({ agent, origin, api, cookieSecret }: WebAgentOptions): Hono {
  const redirectUri = `${origin}/callback`;
  const visitors = new Map<string, Visitor>();
  const secure = origin.startsWith("https:");

  async function visitorOf(c: Context): Promise<Visitor> {
    const id = (await getSignedCookie(c, cookieSecret, COOKIE)) || undefined;
    const known = id === undefined ? undefined : visitors.get(id);
    return known ?? newVisitor(c);
  }

  /** Each sign-in gets a new id: one that somebody else has planted before is worth nothing after it. */
  async function newVisitor(c: Context, visitor: Visitor = {}): Promise<Visitor> {
    const id = crypto.randomUUID();
    visitors.set(id, visitor);
    await setSignedCookie(c, COOKIE, id, cookieSecret, { httpOnly: true, secure, sameSite: "Lax", path: "/" });
    return visitor;
  }

  const app = new Hono();

  app.get("/", async (c) => {
    const { session } = await visitorOf(c);
    if (session === undefined) return c.html(page(html`<a href="/sign-in">Sign in with your organization</a>`));
    try {
      const response = await session.fetch(api);
      return c.html(page(html`<pre>${await response.text()}</pre><a href="/sign-out">Sign out</a>`));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const again = error.code === "sign_in_required" || error.code === "insufficient_user_authentication";
      // What a step-up asks for goes into the next sign-in.
      const query = new URLSearchParams({
        ...(error.maxAge === undefined ? {} : { max_age: String(error.maxAge) }),
        ...(error.acrValues === undefined ? {} : { acr_values: error.acrValues }),
      });
      const offer = again ? html`<a href="/sign-in?${query}">Sign in again</a>` : html`<a href="/sign-out">Sign out</a>`;
      return c.html(page(html`<p>${error.message}</p>${offer}`), again ? 401 : 403);
    }
  });

  app.get("/sign-in", async (c) => {
    const { max_age: maxAge, acr_values: acrValues } = c.req.query();
    const { url, checks } = await agent.startSignIn({
      redirectUri,
      ...(/^\d{1,9}$/.test(maxAge ?? "") ? { maxAge: Number(maxAge) } : {}),
      ...(acrValues ? { acrValues } : {}),
    });
    const visitor = await visitorOf(c);
    visitor.checks = checks;
    return c.redirect(url);
  });

  app.get("/callback", async (c) => {
    const visitor = await visitorOf(c);
    const { checks } = visitor;
    // The checks belong to the browser that began: a callback in another one is not its sign-in.
    if (checks === undefined) return c.html(page(html`<p>No sign-in was begun in this browser.</p>`), 400);
    delete visitor.checks;
    await newVisitor(c, { session: await agent.finishSignIn(c.req.url, checks) });
    return c.redirect("/");
  });

  app.get("/sign-out", async (c) => {
    const visitor = await visitorOf(c);
    const { session } = visitor;
    delete visitor.session;
    const { url } = (await session?.signOut()) ?? { url: undefined };
    return c.redirect(url ?? "/");
  });

  app.onError((error, c) => {
    const message = error instanceof AgentError ? error.message : "Something failed here.";
    return c.html(page(html`<p>${message}</p><a href="/">Back</a>`), 502);
  });
  return app;
}

function page(content: ReturnType<typeof html>): ReturnType<typeof html> {
  return html`<!doctype html><html lang="en"><meta charset="utf-8"><title>Web agent</title><body>${content}</body></html>`;
}
