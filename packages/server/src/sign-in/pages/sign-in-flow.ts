import { errors, type Provider } from "oidc-provider";
import { type AuthenticationMethod, acrOf, amrOf } from "../../directory/acr.ts";
import type { Person } from "../../directory/types.ts";
import type { ArtifactPorts } from "../artifacts.ts";
import { ACCOUNT_CLIENT_ID } from "../clients.ts";
import { EMAIL_MAX } from "../credentials.ts";
import { endSession } from "../endings.ts";
import type { RecordSignIn } from "../events.ts";
import type { Trial } from "../factors/factor-checks.ts";
import { type FactorPorts, type Factors, factorsOf } from "../factors/factors.ts";
import { type PasskeyPlace, signInOptions } from "../factors/passkeys.ts";
import { referenceOf } from "../fault.ts";
import { basePath, PATHS } from "../paths.ts";
import { dropProgress, type Interaction, keepProgress, type Progress, progressOf, wantedAcr } from "../progress.ts";
import { lastStep, lastStepCookie } from "../same-browser.ts";
import { sourceOf } from "../source.ts";
import { type NextStep, nextStep } from "../steps.ts";
import type { Answers, Ctx, Status } from "./answers.ts";
import type { House, Page } from "./page.ts";
import type { SignInPaths, SignInProblem, SignInView } from "./sign-in-page.ts";

/** What the flow of a sign-in needs. */
export interface FlowPorts {
  readonly issuer: string;
  /** Another one after each change of the keys. */
  readonly provider: () => Provider;
  readonly artifacts: ArtifactPorts;
  readonly factors: FactorPorts;
  readonly people: { person(id: string): Promise<Person | undefined> };
  /** Where passkeys are good; `undefined` where they are not. */
  readonly place: PasskeyPlace | undefined;
  readonly record: RecordSignIn;
  /** Seconds that a session lasts. */
  readonly sessionLifetime: number;
}

/** Whose passkeys a page asks for: anybody's who has one, or only those of the person who is known already. */
export type PasskeysOf = "anybody" | Factors | "nobody";

/** What the steps of a sign-in have in common. */
export interface Flow {
  /** The sign-in that this browser is in, and that the URL names. */
  interactionOf(c: Ctx): Promise<Interaction>;
  progressOf(interaction: Interaction): Promise<Progress>;
  /** Who it is, if that was shown and they still are let in; with what they have. */
  personOf(progress: Progress): Promise<{ readonly person: Person; readonly factors: Factors } | undefined>;
  next(progress: Progress, factors: Factors, interaction: Interaction): NextStep;
  /** Goes to whatever comes after what was shown, which may be the end. */
  goOn(c: Ctx, interaction: Interaction, progress: Progress): Promise<Response>;
  /** Shows one step. */
  show(c: Ctx, interaction: Interaction, step: ShownStep): Promise<Response>;
  /** Goes back to the agent without a sign-in. */
  cancel(c: Ctx, interaction: Interaction): Promise<Response>;
  pathsOf(interaction: Interaction): SignInPaths;
  /** For the record. */
  trialOf(c: Ctx, interaction: Interaction): Trial;
}

/** One step, as it is shown. */
export interface ShownStep {
  readonly page: (house: House, view: SignInView) => Page;
  /** Who it is about; as typed, or as the agent suggests, where nobody has shown it yet. */
  readonly email?: string;
  readonly passkeys?: PasskeysOf;
  readonly problem?: SignInProblem | undefined;
}

/** Puts the flow together. */
export function createFlow(ports: FlowPorts, { show, refuse }: Answers): Flow {
  const { provider, artifacts, place } = ports;
  const base = basePath(ports.issuer);

  const flow: Flow = {
    async interactionOf(c) {
      const interaction = await provider().interactionDetails(c.env.incoming, c.env.outgoing);
      if (interaction.uid !== c.req.param("uid")) throw new errors.SessionNotFound("another sign-in's cookie");
      return interaction;
    },

    progressOf: (interaction) => progressOf(artifacts, interaction),

    async personOf({ personId }) {
      const person = personId === undefined ? undefined : await ports.people.person(personId);
      return person?.enabled ? { person, factors: await factorsOf(ports.factors, person.id) } : undefined;
    },

    next: (progress, factors, interaction) => nextStep(progress.methods, means(factors, place), wantedAcr(interaction)),

    async goOn(c, interaction, progress) {
      const known = await flow.personOf(progress);
      const paths = flow.pathsOf(interaction);
      if (known === undefined) return c.redirect(paths.email, 303);
      const { person, factors } = known;
      const next = flow.next(progress, factors, interaction);
      if (next === "done") return finish(c, interaction, person, progress);
      if (!progress.kept) await keepProgress(artifacts, interaction, { ...progress, personId: person.id });
      return c.redirect(PATH_OF[next](paths), 303);
    },

    async show(c, interaction, { page, email, passkeys = "nobody", problem }) {
      const { client_id: clientId, redirect_uri: redirectUri } = interaction.params;
      // An agent of the directory, or an app that signs people in: read anew, since either may have gone meanwhile.
      const client = await provider().Client.find(String(clientId));
      if (client === undefined) return refuse(c, 400, "invalid_client", "client gone during sign-in");
      const view: SignInView = {
        paths: flow.pathsOf(interaction),
        agent: client.clientId === ACCOUNT_CLIENT_ID ? undefined : (client.clientName ?? client.clientId),
        redirectUri: String(redirectUri),
        email: email ?? emailOf(interaction),
        passkey: await passkeyOptions(interaction, passkeys),
        problem,
        reference: referenceOf(interaction.uid),
      };
      const retry: Record<string, string> = problem?.kind === "wait" ? { "retry-after": String(problem.wait) } : {};
      return show(c, statusOf(problem), (house) => page(house, view), retry);
    },

    async cancel(c, interaction) {
      await dropProgress(artifacts, interaction);
      const result = isStepUp(interaction) ? UNMET : CANCELLED;
      return c.redirect(await provider().interactionResult(c.env.incoming, c.env.outgoing, result), 303);
    },

    pathsOf({ uid }) {
      const email = `${base}${PATHS.signIn}/${uid}`;
      const account = `${base}${PATHS.account}`;
      const at = (step: string): string => `${email}/${step}`;
      return { email, password: at("password"), code: at("code"), passkey: at("passkey"), unmet: at("unmet"), account };
    },

    trialOf: (c, { uid, params }) => ({
      agentId: String(params.client_id),
      reference: referenceOf(uid),
      source: sourceOf(c.env.incoming),
    }),
  };

  async function passkeyOptions(interaction: Interaction, whose: PasskeysOf): Promise<string | undefined> {
    if (place === undefined || whose === "nobody") return undefined;
    if (whose === "anybody") return signInOptions(ports.factors, place, interaction.uid);
    if (whose.passkeys.length === 0) return undefined;
    return signInOptions(ports.factors, place, interaction.uid, whose.passkeys);
  }

  /** A sign-in is on record before it counts. */
  async function finish(
    c: Ctx,
    interaction: Interaction,
    person: Person,
    { methods, at }: Progress,
  ): Promise<Response> {
    await endOtherPersonsSession(interaction, person.id);
    const trial = flow.trialOf(c, interaction);
    const when = artifacts.now();
    await ports.record({ type: "sign-in-succeeded", personId: person.id, methods, ...trial, at: when });
    await dropProgress(artifacts, interaction);
    const login = { accountId: person.id, ...described(methods), ts: at, remember: false };
    const step = lastStep(when);
    const result = { login, ...step.mark };
    const returnTo = await provider().interactionResult(c.env.incoming, c.env.outgoing, result);
    c.header("set-cookie", lastStepCookie(step, returnTo), { append: true });
    return c.redirect(returnTo, 303);
  }

  /** Somebody else signs in in this browser: the sign-in that was there is over, and its `sid` dead. */
  async function endOtherPersonsSession(interaction: Interaction, personId: string): Promise<void> {
    const { session } = interaction;
    if (session?.accountId === undefined || session.accountId === personId) return;
    if (session.uid !== undefined) await endSession(artifacts, session.uid, ports.sessionLifetime);
    // Else the interaction would insist on the session that has just ended.
    Reflect.set(interaction, "session", undefined);
    await interaction.persist();
  }

  return flow;
}

const PATH_OF: Readonly<Record<Exclude<NextStep, "done">, (paths: SignInPaths) => string>> = {
  first: ({ email }) => email,
  code: ({ code }) => code,
  passkey: ({ passkey }) => passkey,
  impossible: ({ unmet }) => unmet,
};

const CANCELLED = { error: "access_denied", error_description: "The person cancelled the sign-in." };
const UNMET = {
  error: "unmet_authentication_requirements",
  error_description: "The person did not sign in as strongly or as recently as asked.",
};

/** Whether more was asked for than somebody's sign-in: then not to get it has an error of its own. @see RFC 9470 §5 */
function isStepUp({ params, session }: Interaction): boolean {
  return params.acr_values !== undefined || (params.max_age !== undefined && session?.accountId !== undefined);
}

function described(methods: readonly AuthenticationMethod[]) {
  const acr = acrOf(methods);
  return { ...(acr === undefined ? {} : { acr }), amr: [...amrOf(methods)] };
}

function means({ passkeys, totp }: Factors, place: PasskeyPlace | undefined) {
  const usable = place === undefined ? [] : passkeys;
  return {
    totp: totp !== undefined,
    passkey: usable.some(({ deviceBound }) => !deviceBound),
    deviceBoundPasskey: usable.some(({ deviceBound }) => deviceBound),
  };
}

function statusOf(problem: SignInProblem | undefined): Status {
  if (problem === undefined) return 200;
  return problem.kind === "wait" ? 429 : 422;
}

/** Who signs in: as typed in the first step, or until then as the agent suggests; empty when neither says. */
export function emailOf({ params }: Interaction): string {
  return typeof params.login_hint === "string" ? bounded(params.login_hint) : "";
}

/**
 * What is typed takes the place of the agent's hint: it stays with the interaction, sealed, and out of every URL. Who
 * starts over has not signed in: no answer from before is written again, which could outlive its one use.
 */
export async function startWith(ports: ArtifactPorts, interaction: Interaction, typed: string): Promise<void> {
  interaction.params.login_hint = bounded(typed);
  interaction.result = undefined;
  await interaction.persist();
  await dropProgress(ports, interaction);
}

function bounded(email: string): string {
  return email.trim().slice(0, EMAIL_MAX);
}
