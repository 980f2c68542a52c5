import type { Hono, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { errors, type Provider } from "oidc-provider";
import type { ArtifactPorts } from "../artifacts.ts";
import { basePath, PASSWORD_SIGN_IN, PATHS } from "../configuration.ts";
import { type CheckCredentials, EMAIL_MAX } from "../credentials.ts";
import { endSession } from "../endings.ts";
import { referenceOf } from "../fault.ts";
import { sourceOf } from "../source.ts";
import type { Answers, Ctx, Env, Status } from "./answers.ts";
import type { House, Page } from "./page.ts";
import { emailPage, passwordPage, type SignInProblem, type SignInView } from "./sign-in-page.ts";

/** What signing in needs. */
export interface SignInPorts {
  readonly issuer: string;
  readonly provider: Provider;
  readonly artifacts: ArtifactPorts;
  readonly check: CheckCredentials;
  /** Seconds that a session lasts. */
  readonly sessionLifetime: number;
}

type Interaction = Awaited<ReturnType<Provider["interactionDetails"]>>;

/** Bytes of a form. */
const FORM_MAX = 16_384;

/**
 * Signing in, one field at a time: the email at `/sign-in/{uid}`, the password at `/sign-in/{uid}/password`. Each step is
 * a page of its own, so that the browser's back button leads from one to the other. Nothing is looked up before the
 * password is there: the first step says the same to everybody.
 */
export function addSignInSteps(app: Hono<Env>, ports: SignInPorts, { show, refuse }: Answers): void {
  const { issuer, provider } = ports;
  const emailStep = `${basePath(issuer)}${PATHS.signIn}/:uid`;
  const passwordStep = `${emailStep}/password`;
  const at = (step: string, { uid }: Interaction) => step.replace(":uid", uid);

  const interactionOf = async (c: Ctx) => {
    const interaction = await provider.interactionDetails(c.env.incoming, c.env.outgoing);
    if (interaction.uid !== c.req.param("uid")) throw new errors.SessionNotFound("another sign-in's cookie");
    return interaction;
  };
  const showStep = async (c: Ctx, interaction: Interaction, page: StepPage, problem?: SignInProblem) => {
    const { client_id: agentId, redirect_uri: redirectUri } = interaction.params;
    // An agent of the directory, or an app that signs people in: read anew, since either may have gone meanwhile.
    const client = await provider.Client.find(String(agentId));
    if (client === undefined) return refuse(c, 400, "invalid_client", "client gone during sign-in");
    const view: SignInView = {
      emailStep: at(emailStep, interaction),
      passwordStep: at(passwordStep, interaction),
      agent: client.clientName ?? client.clientId,
      redirectUri: String(redirectUri),
      email: emailOf(interaction),
      problem,
      reference: referenceOf(interaction.uid),
    };
    const retry: Record<string, string> = problem?.kind === "wait" ? { "retry-after": String(problem.wait) } : {};
    return show(c, statusOf(problem), (house) => page(house, view), retry);
  };
  const cancel = async (c: Ctx) => {
    const cancelled = { error: "access_denied", error_description: "The person cancelled the sign-in." };
    return c.redirect(await provider.interactionResult(c.env.incoming, c.env.outgoing, cancelled), 303);
  };

  const limit = bodyLimit({ maxSize: FORM_MAX, onError: (c) => refuse(c, 413, "form_refused", "form too large") });
  // SameSite keeps the cookie from other sites' forms; this says so again, where the browser does.
  const fromHere: MiddlewareHandler<Env> = async (c, next) => {
    const site = c.req.header("sec-fetch-site");
    if (site !== undefined && site !== "same-origin") return refuse(c, 403, "form_refused", "form from elsewhere");
    return next();
  };

  app.get(emailStep, async (c) => showStep(c, await interactionOf(c), emailPage));

  app.post(emailStep, limit, fromHere, async (c) => {
    const interaction = await interactionOf(c);
    const form = new URLSearchParams(await c.req.text());
    if (form.get("intent") === "cancel") return cancel(c);
    await startWith(interaction, form.get("email") ?? "");
    if (emailOf(interaction) === "") return showStep(c, interaction, emailPage, { kind: "missing" });
    return c.redirect(at(passwordStep, interaction), 303);
  });

  app.get(passwordStep, async (c) => {
    const interaction = await interactionOf(c);
    if (emailOf(interaction) === "") return c.redirect(at(emailStep, interaction), 303);
    return showStep(c, interaction, passwordPage);
  });

  app.post(passwordStep, limit, fromHere, async (c) => {
    const interaction = await interactionOf(c);
    const form = new URLSearchParams(await c.req.text());
    if (form.get("intent") === "cancel") return cancel(c);
    if (emailOf(interaction) === "") return c.redirect(at(emailStep, interaction), 303);
    const outcome = await ports.check({
      email: emailOf(interaction),
      password: form.get("password") ?? "",
      agentId: String(interaction.params.client_id),
      reference: referenceOf(interaction.uid),
      source: sourceOf(c.env.incoming),
    });
    if (!outcome.ok) {
      const problem: SignInProblem = outcome.why === "wait" ? { kind: "wait", wait: outcome.wait } : { kind: "wrong" };
      return showStep(c, interaction, passwordPage, problem);
    }
    await endOtherPersonsSession(ports, interaction, outcome.person.id);
    const login = {
      accountId: outcome.person.id,
      acr: PASSWORD_SIGN_IN.acr,
      amr: [...PASSWORD_SIGN_IN.amr],
      remember: false,
    };
    return c.redirect(await provider.interactionResult(c.env.incoming, c.env.outgoing, { login }), 303);
  });
}

type StepPage = (house: House, view: SignInView) => Page;

function statusOf(problem: SignInProblem | undefined): Status {
  if (problem === undefined) return 200;
  return problem.kind === "wait" ? 429 : 422;
}

/** Who signs in: as typed in the first step, or until then as the agent suggests; empty when neither says. */
function emailOf({ params }: Interaction): string {
  return typeof params.login_hint === "string" ? bounded(params.login_hint) : "";
}

/**
 * What is typed takes the place of the agent's hint: it stays with the interaction, sealed, and out of every URL. Who
 * starts over has not signed in: no answer from before is written again, which could outlive its one use.
 */
async function startWith(interaction: Interaction, typed: string): Promise<void> {
  interaction.params.login_hint = bounded(typed);
  interaction.result = undefined;
  await interaction.persist();
}

function bounded(email: string): string {
  return email.trim().slice(0, EMAIL_MAX);
}

/** Somebody else signs in in this browser: the sign-in that was there is over, and its `sid` dead. */
async function endOtherPersonsSession(ports: SignInPorts, interaction: Interaction, personId: string): Promise<void> {
  const { session } = interaction;
  if (session?.accountId === undefined || session.accountId === personId) return;
  if (session.uid !== undefined) await endSession(ports.artifacts, session.uid, ports.sessionLifetime);
  // Else the interaction would insist on the session that has just ended.
  Reflect.set(interaction, "session", undefined);
  await interaction.persist();
}
