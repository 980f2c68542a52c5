import { Hono } from "hono";
import { errors } from "oidc-provider";
import type { Report } from "../fault.ts";
import { basePath } from "../paths.ts";
import { type AccountPorts, addAccount } from "./account.ts";
import { createAnswers, type Env } from "./answers.ts";
import type { Assets } from "./assets.ts";
import { errorPage, errorWords } from "./error-page.ts";
import { landingPage } from "./landing-page.ts";
import type { House, Page } from "./page.ts";
import { addSignInSteps, type SignInPorts } from "./sign-in-steps.ts";

/** What the pages need. */
export interface PagesPorts extends SignInPorts, AccountPorts {
  readonly house: () => Promise<House>;
  readonly assets: Assets;
  readonly report: Report;
}

/** Our pages and what they load: sign-in, one's own account, landing, assets, and the page for what is not there. */
export function createPages(ports: PagesPorts): Hono<Env> {
  const base = basePath(ports.issuer);
  const app = new Hono<Env>();
  const answers = createAnswers(ports.house, ports.report);
  const { show, refuse } = answers;

  app.get(`${base}/`, (c) => show(c, 200, landingPage));
  if (base !== "") app.get(base, (c) => show(c, 200, landingPage));

  app.get(`${base}/assets/:name`, (c) => {
    const asset = ports.assets.byPath.get(`/assets/${c.req.param("name")}`);
    if (asset === undefined) return c.notFound();
    return c.body(asset.body, 200, {
      "content-type": asset.type,
      "cache-control": "public, max-age=31536000, immutable",
    });
  });

  addSignInSteps(app, ports, answers);
  addAccount(app, ports, answers);

  app.notFound((c) => show(c, 404, notFoundPage));
  app.onError((error, c) =>
    error instanceof errors.SessionNotFound
      ? refuse(c, 400, "session_expired", error)
      : refuse(c, 500, "server_error", error),
  );
  return app;
}

function notFoundPage(house: House): Page {
  return errorPage(house, { ...errorWords("not_found", 404), code: "not_found" });
}
