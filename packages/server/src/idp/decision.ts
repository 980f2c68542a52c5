import type { DecisionBasis, IssuerDecision, Question } from "@credence/issuer";
import { CredenceError } from "@credence/protocol";
import { clientIdAt, subjectFor } from "../directory/subject.ts";
import type { App } from "../directory/types.ts";
import { decide } from "../policy/decide.ts";
import type { Decision, Permit } from "../policy/decision.ts";
import type { Store } from "../store/store.ts";
import type { AuthenticatedAgent } from "./client.ts";
import type { SignedInPerson } from "./subject.ts";

/** What deciding needs from the house. */
export interface DecisionPorts {
  readonly store: Pick<Store, "appByIssuer" | "connections">;
  /** Seconds, where a connection states none. */
  readonly defaultLifetime: number;
}

/**
 * Loads the facts of a question and decides: policy itself is pure.
 *
 * @see ID-JAG draft §4.3.3
 */
export async function decideExchange(
  question: Question<AuthenticatedAgent, SignedInPerson>,
  { store, defaultLifetime }: DecisionPorts,
): Promise<IssuerDecision> {
  const { id, now, audience, resource, scope } = question;
  const { agent } = question.client;
  const { person, ...authentication } = question.subject;
  const app = await store.appByIssuer(audience);
  if (app === undefined) {
    const reason = "audience-unknown";
    return { effect: "deny", refusal: { reason }, reasons: [{ id: reason }], connections: [] };
  }
  const connections = await store.connections(agent.id, app.id);
  const asked = { resource, ...(scope === undefined ? {} : { scope }) };
  const decision = decide({ id, now, defaultLifetime, agent, person, authentication, app, connections, asked });
  return answer(decision, question, app);
}

function answer(decision: Decision, question: Question<AuthenticatedAgent, SignedInPerson>, app: App): IssuerDecision {
  const basis = basisOf(decision, app);
  switch (decision.effect) {
    case "permit":
      return { ...basis, effect: "permit", ...permit(decision, question, app) };
    case "deny":
      return { ...basis, effect: "deny", refusal: decision.refusal };
    case "step-up": {
      const { refusal, maxAge } = decision;
      return { ...basis, effect: "step-up", refusal, maxAge };
    }
  }
}

/** What the record is told: which app, and for each reason which connection gave it. */
function basisOf(decision: Decision, app: App): DecisionBasis {
  const { reasons, nearMisses } = decision;
  const missed = nearMisses.map(({ reason: id, connection }) => ({ id, connection }));
  return {
    appId: app.id,
    reasons: reasons.map(({ id, connection }) => ({ id, ...(connection === undefined ? {} : { connection }) })),
    connections: decision.effect === "permit" ? decision.granted.connections : nearMisses.map((one) => one.connection),
    ...(missed.length === 0 ? {} : { nearMisses: missed }),
  };
}

function permit({ granted }: Permit, { client, subject }: Question<AuthenticatedAgent, SignedInPerson>, app: App) {
  const { person, authTime, acr, amr } = subject;
  const clientId = clientIdAt(app, client.agent.id);
  // Policy denies where the app does not know the agent. Should it ever not, nothing is issued in nobody's name.
  if (clientId === undefined)
    throw new CredenceError("A permit for an agent unknown to the app", { code: "configuration" });
  return {
    app: { issuer: app.issuer, clientId, sub: subjectFor(person, app) },
    ...(granted.resource === undefined ? {} : { resource: granted.resource }),
    scope: granted.scope,
    lifetime: granted.lifetime,
    claims: {
      email: person.email,
      ...(authTime === undefined ? {} : { auth_time: authTime }),
      ...(acr === undefined ? {} : { acr }),
      ...(amr === undefined ? {} : { amr }),
    },
  };
}
