import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { errors, type Provider } from "oidc-provider";
import type { ArtifactPorts } from "../artifacts.ts";
import { basePath, PASSWORD_SIGN_IN, PATHS } from "../configuration.ts";
import type { CheckCredentials } from "../credentials.ts";
import { endSession } from "../endings.ts";
import { newReference, type Report, referenceOf } from "../fault.ts";
import type { SignInStore } from "../provider.ts";
import type { Assets } from "./assets.ts";
import { errorPage, errorWords } from "./error-page.ts";
import { landingPage } from "./landing-page.ts";
import { type House, type Page, render } from "./page.ts";
import { type SignInProblem, signInPage } from "./sign-in-page.ts";

/** What the pages need. */
export interface PagesPorts {
  readonly issuer: string;
  readonly provider: Provider;
  readonly artifacts: ArtifactPorts;
  readonly store: Pick<SignInStore, "agent">;
  readonly check: CheckCredentials;
  readonly sessionLifetime: number;
  readonly house: () => Promise<House>;
  readonly assets: Assets;
  readonly report: Report;
}

type Interaction = Awaited<ReturnType<Provider["interactionDetails"]>>;
type Ctx = Context<{ Bindings: HttpBindings }>;

/** Bytes of a sign-in form. */
const FORM_MAX = 16_384;

/** Our pages and what they load: sign-in, landing, assets, and the page for what is not there. */
export function createPages(ports: PagesPorts): Hono<{ Bindings: HttpBindings }> {
  const { issuer, provider, assets, report } = ports;
  const base = basePath(issuer);
  const app = new Hono<{ Bindings: HttpBindings }>();

  const show = async (c: Ctx, status: Status, page: (house: House) => Page, headers: Record<string, string> = {}) => {
    const house = await ports.house();
    const rendered = await render(house, page(house));
    return c.body(rendered.html, status, { ...rendered.headers, ...headers });
  };
  const refuse = (c: Ctx, status: Status, code: string, error: unknown) => {
    const reference = newReference();
    report({ reference, code, error });
    return show(c, status, (house) => errorPage(house, { ...errorWords(code, status), code, reference }));
  };
  const showForm = async (c: Ctx, interaction: Interaction, email: string, problem?: SignInProblem) => {
    const { client_id: agentId, redirect_uri: redirectUri } = interaction.params;
    const agent = await ports.store.agent(String(agentId));
    if (agent === undefined || !agent.enabled) return refuse(c, 400, "invalid_client", "agent gone during sign-in");
    const action = `${base}${PATHS.signIn}/${interaction.uid}`;
    const view = { action, agent: agent.name, redirectUri: String(redirectUri), email, problem };
    const retry: Record<string, string> = problem?.kind === "wait" ? { "retry-after": String(problem.wait) } : {};
    const reference = referenceOf(interaction.uid);
    return show(c, formStatus(problem), (house) => signInPage(house, { ...view, reference }), retry);
  };

  app.get(`${base}/`, (c) => show(c, 200, landingPage));
  if (base !== "") app.get(base, (c) => show(c, 200, landingPage));

  app.get(`${base}/assets/:name`, (c) => {
    const asset = assets.byPath.get(`/assets/${c.req.param("name")}`);
    if (asset === undefined) return c.notFound();
    return c.body(asset.body, 200, {
      "content-type": asset.type,
      "cache-control": "public, max-age=31536000, immutable",
    });
  });

  app.get(`${base}${PATHS.signIn}/:uid`, async (c) => {
    const interaction = await provider.interactionDetails(c.env.incoming, c.env.outgoing);
    if (interaction.uid !== c.req.param("uid")) throw new errors.SessionNotFound("another sign-in's cookie");
    const hint = interaction.params.login_hint;
    return showForm(c, interaction, typeof hint === "string" ? hint.slice(0, 320) : "");
  });

  const limit = bodyLimit({ maxSize: FORM_MAX, onError: (c) => refuse(c, 413, "form_refused", "form too large") });
  app.post(`${base}${PATHS.signIn}/:uid`, limit, async (c) => {
    // SameSite keeps the cookie from other sites' forms; this says so again, where the browser does.
    const site = c.req.header("sec-fetch-site");
    if (site !== undefined && site !== "same-origin") return refuse(c, 403, "form_refused", "form from elsewhere");
    const { incoming, outgoing } = c.env;
    const interaction = await provider.interactionDetails(incoming, outgoing);
    if (interaction.uid !== c.req.param("uid")) throw new errors.SessionNotFound("another sign-in's cookie");
    const form = new URLSearchParams(await c.req.text());
    if (form.get("intent") === "cancel") {
      const cancelled = { error: "access_denied", error_description: "The person cancelled the sign-in." };
      return c.redirect(await provider.interactionResult(incoming, outgoing, cancelled), 303);
    }
    const email = form.get("email") ?? "";
    const source = incoming.socket.remoteAddress ?? "";
    const agentId = String(interaction.params.client_id);
    const outcome = await ports.check({
      email,
      password: form.get("password") ?? "",
      agentId,
      reference: referenceOf(interaction.uid),
      source,
    });
    if (!outcome.ok) {
      const problem: SignInProblem = outcome.why === "wait" ? { kind: "wait", wait: outcome.wait } : { kind: "wrong" };
      return showForm(c, interaction, email.slice(0, 320), problem);
    }
    await endOtherPersonsSession(ports, interaction, outcome.person.id);
    const login = {
      accountId: outcome.person.id,
      acr: PASSWORD_SIGN_IN.acr,
      amr: [...PASSWORD_SIGN_IN.amr],
      remember: false,
    };
    return c.redirect(await provider.interactionResult(incoming, outgoing, { login }), 303);
  });

  app.notFound((c) => show(c, 404, notFoundPage));
  app.onError((error, c) =>
    error instanceof errors.SessionNotFound
      ? refuse(c, 400, "session_expired", error)
      : refuse(c, 500, "server_error", error),
  );
  return app;
}

type Status = 200 | 400 | 403 | 404 | 413 | 422 | 429 | 500;

function formStatus(problem: SignInProblem | undefined): Status {
  if (problem === undefined) return 200;
  return problem.kind === "wait" ? 429 : 422;
}

function notFoundPage(house: House): Page {
  return errorPage(house, { ...errorWords("not_found", 404), code: "not_found" });
}

/** Somebody else signs in in this browser: the sign-in that was there is over, and its `sid` dead. */
async function endOtherPersonsSession(ports: PagesPorts, interaction: Interaction, personId: string): Promise<void> {
  const { session } = interaction;
  if (session?.accountId === undefined || session.accountId === personId) return;
  if (session.uid !== undefined) await endSession(ports.artifacts, session.uid, ports.sessionLifetime);
  // Else the interaction would insist on the session that has just ended.
  Reflect.set(interaction, "session", undefined);
  await interaction.persist();
}
