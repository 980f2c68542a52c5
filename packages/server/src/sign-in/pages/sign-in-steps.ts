import type { Hono } from "hono";
import type { CheckCredentials } from "../credentials.ts";
import type { FactorChecks, FactorRefusal } from "../factors/factor-checks.ts";
import { basePath, PATHS } from "../paths.ts";
import type { Progress } from "../progress.ts";
import type { Answers, Ctx, Env } from "./answers.ts";
import { formGuards, formOf } from "./forms.ts";
import { createFlow, emailOf, type FlowPorts, startWith } from "./sign-in-flow.ts";
import { codePage, emailPage, passkeyPage, passwordPage, type SignInProblem, unmetPage } from "./sign-in-page.ts";

/** What signing in needs. */
export interface SignInPorts extends FlowPorts {
  readonly check: CheckCredentials;
  readonly checks: FactorChecks;
}

/**
 * Signing in, one field at a time: the email at `/sign-in/{uid}`, the password at `/sign-in/{uid}/password`; after it,
 * what else the person has set up or was asked for: a code at `/code`, a passkey at `/passkey`. Each step is a page of its
 * own, so that the browser's back button leads from one to the other. Nothing is looked up before the password is there: the
 * first step says the same to everybody.
 */
export function addSignInSteps(app: Hono<Env>, ports: SignInPorts, answers: Answers): void {
  const { artifacts } = ports;
  const flow = createFlow(ports, answers);
  const { limit, fromHere } = formGuards(ports.issuer, answers);
  const emailStep = `${basePath(ports.issuer)}${PATHS.signIn}/:uid`;

  app.get(emailStep, async (c) => {
    const interaction = await flow.interactionOf(c);
    const progress = await flow.progressOf(interaction);
    // Who is signed in already, only not strongly enough, is asked for nothing but what is missing.
    const kept = progress.kept && c.req.query("as") === undefined ? await flow.personOf(progress) : undefined;
    if (kept !== undefined) return flow.goOn(c, interaction, progress);
    return flow.show(c, interaction, { page: emailPage, passkeys: "anybody" });
  });

  app.post(emailStep, limit, fromHere, async (c) => {
    const interaction = await flow.interactionOf(c);
    const form = await formOf(c);
    if (form.get("intent") === "cancel") return flow.cancel(c, interaction);
    await startWith(artifacts, interaction, form.get("email") ?? "");
    if (emailOf(interaction) === "") {
      return flow.show(c, interaction, { page: emailPage, passkeys: "anybody", problem: { kind: "missing" } });
    }
    return c.redirect(flow.pathsOf(interaction).password, 303);
  });

  app.get(`${emailStep}/password`, async (c) => {
    const interaction = await flow.interactionOf(c);
    if (emailOf(interaction) === "") return c.redirect(flow.pathsOf(interaction).email, 303);
    return flow.show(c, interaction, { page: passwordPage });
  });

  app.post(`${emailStep}/password`, limit, fromHere, async (c) => {
    const interaction = await flow.interactionOf(c);
    const form = await formOf(c);
    if (form.get("intent") === "cancel") return flow.cancel(c, interaction);
    if (emailOf(interaction) === "") return c.redirect(flow.pathsOf(interaction).email, 303);
    const typed = { email: emailOf(interaction), password: form.get("password") ?? "" };
    const outcome = await ports.check({ ...typed, ...flow.trialOf(c, interaction) });
    if (!outcome.ok) {
      const problem: SignInProblem = outcome.why === "wait" ? { kind: "wait", wait: outcome.wait } : { kind: "wrong" };
      return flow.show(c, interaction, { page: passwordPage, problem });
    }
    return flow.goOn(c, interaction, shown(outcome.person.id, ["password"], artifacts.now()));
  });

  const showCode = async (c: Ctx, problem?: SignInProblem) => {
    const interaction = await flow.interactionOf(c);
    const progress = await flow.progressOf(interaction);
    const known = await flow.personOf(progress);
    if (known === undefined || flow.next(progress, known.factors, interaction) !== "code") {
      return flow.goOn(c, interaction, progress);
    }
    const { person, factors: passkeys } = known;
    return flow.show(c, interaction, { page: codePage, email: person.email, passkeys, problem });
  };

  app.get(`${emailStep}/code`, (c) => showCode(c));

  app.post(`${emailStep}/code`, limit, fromHere, async (c) => {
    const interaction = await flow.interactionOf(c);
    const form = await formOf(c);
    if (form.get("intent") === "cancel") return flow.cancel(c, interaction);
    const progress = await flow.progressOf(interaction);
    const known = await flow.personOf(progress);
    if (known === undefined || flow.next(progress, known.factors, interaction) !== "code") {
      return flow.goOn(c, interaction, progress);
    }
    const { person } = known;
    const outcome = await ports.checks.code(person, form.get("code") ?? "", flow.trialOf(c, interaction));
    if (!outcome.ok) return showCode(c, problemOf(outcome));
    return flow.goOn(c, interaction, shown(person.id, [...progress.methods, "totp"], progress.at));
  });

  const showPasskey = async (c: Ctx, problem?: SignInProblem) => {
    const interaction = await flow.interactionOf(c);
    const progress = await flow.progressOf(interaction);
    const known = await flow.personOf(progress);
    const next = known && flow.next(progress, known.factors, interaction);
    // A passkey that was not accepted leaves everything as it was: the page from which it came is shown again.
    if (next === "code") return showCode(c, problem);
    if (known === undefined && problem !== undefined) {
      return flow.show(c, interaction, { page: emailPage, passkeys: "anybody", problem });
    }
    if (known === undefined || next !== "passkey") return flow.goOn(c, interaction, progress);
    const { person, factors: passkeys } = known;
    return flow.show(c, interaction, { page: passkeyPage, email: person.email, passkeys, problem });
  };

  app.get(`${emailStep}/passkey`, (c) => showPasskey(c));

  app.post(`${emailStep}/passkey`, limit, fromHere, async (c) => {
    const interaction = await flow.interactionOf(c);
    const form = await formOf(c);
    if (form.get("intent") === "cancel") return flow.cancel(c, interaction);
    const progress = await flow.progressOf(interaction);
    // In the first step anybody may come; after it, only the one who is known already.
    const expected = form.get("whose") === "anybody" ? undefined : progress.personId;
    const trial = flow.trialOf(c, interaction);
    const outcome = await ports.checks.passkey(interaction.uid, form.get("answer") ?? "", trial, expected);
    if (!outcome.ok) return showPasskey(c, problemOf(outcome));
    // It is a whole sign-in by itself, made now.
    return flow.goOn(c, interaction, shown(outcome.person.id, [outcome.method], artifacts.now()));
  });

  app.get(`${emailStep}/unmet`, async (c) => {
    const interaction = await flow.interactionOf(c);
    const progress = await flow.progressOf(interaction);
    const known = await flow.personOf(progress);
    if (known === undefined || flow.next(progress, known.factors, interaction) !== "impossible") {
      return flow.goOn(c, interaction, progress);
    }
    return flow.show(c, interaction, { page: unmetPage, email: known.person.email });
  });

  app.post(`${emailStep}/unmet`, limit, fromHere, async (c) => flow.cancel(c, await flow.interactionOf(c)));
}

function shown(personId: string, methods: Progress["methods"], at: number): Progress {
  return { personId, methods, at, kept: false };
}

function problemOf(refusal: FactorRefusal): SignInProblem {
  switch (refusal.why) {
    case "wait":
      return { kind: "wait", wait: refusal.wait };
    case "passkey":
      return { kind: "passkey" };
    case "wrong":
      return { kind: "code-wrong" };
    case "used":
      return { kind: "code-used" };
  }
}
