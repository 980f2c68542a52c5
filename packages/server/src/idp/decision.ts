import type { DecisionBasis, IssuerDecision, Permit as IssuerPermit, Question } from "@credence/issuer";
import { CredenceError } from "@credence/protocol";
import type { Confirmation } from "@credence/protocol/dpop";
import type { NamingSecrets } from "../directory/subject.ts";
import { clientIdAt } from "../directory/subject.ts";
import type { App } from "../directory/types.ts";
import { decide } from "../policy/decide.ts";
import type { Decision, Granted } from "../policy/decision.ts";
import type { Store } from "../store/store.ts";
import type { AuthenticatedAgent } from "./client.ts";
import { namesFor } from "./naming.ts";
import type { SignedInPerson } from "./subject.ts";

/** What deciding needs from the house. */
export interface DecisionPorts {
  readonly store: Pick<Store, "appByIssuer" | "connections" | "organizationHead">;
  /** Seconds, where a connection states none. */
  readonly defaultLifetime: number;
  readonly naming: NamingSecrets;
}

type ExchangeQuestion = Question<AuthenticatedAgent, SignedInPerson>;

/**
 * Loads the facts of a question and decides: policy itself is pure.
 *
 * @see ID-JAG draft §4.3.3
 */
export async function decideExchange(question: ExchangeQuestion, ports: DecisionPorts): Promise<IssuerDecision> {
  const { id, now, audience, resource, scope, authorizationDetails, actor } = question;
  const { store, defaultLifetime } = ports;
  const { agent } = question.client;
  const { person, ...authentication } = question.subject;
  const app = await store.appByIssuer(audience);
  if (app === undefined) return denied("audience-unknown");
  const binding = bindingKind(question.binding);
  const decision = decide({
    id,
    now,
    defaultLifetime,
    agent,
    person,
    authentication,
    app,
    connections: await store.connections(agent.id, app.id),
    ...(binding === undefined ? {} : { binding }),
    ...(actor === undefined ? {} : { actor: actor.id }),
    asked: {
      resource,
      ...(scope === undefined ? {} : { scope }),
      ...(authorizationDetails === undefined ? {} : { authorizationDetails }),
    },
  });
  return answer(decision, question, app, ports);
}

function bindingKind(binding: Confirmation | undefined): "dpop" | "certificate" | undefined {
  if (binding === undefined) return undefined;
  return binding.jkt === undefined ? "certificate" : "dpop";
}

async function answer(
  decision: Decision,
  question: ExchangeQuestion,
  app: App,
  ports: DecisionPorts,
): Promise<IssuerDecision> {
  const basis = basisOf(decision, app);
  switch (decision.effect) {
    case "permit": {
      const permit = await permitFor(decision.granted, question, app, ports);
      return permit === undefined
        ? { ...basis, ...denied("person-unknown-to-app", basis.appId) }
        : { ...basis, effect: "permit", ...permit };
    }
    case "deny":
      return { ...basis, effect: "deny", refusal: decision.refusal };
    case "step-up": {
      const { refusal, maxAge, acrValues } = decision;
      return {
        ...basis,
        effect: "step-up",
        refusal,
        ...(maxAge === undefined ? {} : { maxAge }),
        ...(acrValues === undefined ? {} : { acrValues: acrValues.join(" ") }),
      };
    }
  }
}

function denied(reason: "audience-unknown" | "person-unknown-to-app", appId?: string): IssuerDecision {
  const known = appId === undefined ? {} : { appId };
  return { effect: "deny", refusal: { reason }, reasons: [{ id: reason }], connections: [], ...known };
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

/** `undefined` where the app has no name for this person. */
async function permitFor(
  granted: Granted,
  { client, subject, actor }: ExchangeQuestion,
  app: App,
  { store, naming }: DecisionPorts,
): Promise<IssuerPermit | undefined> {
  const clientId = clientIdAt(app, client.agent.id);
  // Policy denies where the app does not know the agent. Should it ever not, nothing is issued in nobody's name.
  if (clientId === undefined)
    throw new CredenceError("A permit for an agent unknown to the app", { code: "configuration" });
  const { tenant } = await store.organizationHead();
  const names = namesFor(subject, app, { secrets: naming, tenant });
  if (names === undefined) return undefined;
  const { resources, authorizationDetails } = granted;
  const [resource, ...more] = resources;
  return {
    app: { issuer: app.issuer, clientId, sub: names.sub },
    ...(resource === undefined ? {} : { resource: more.length === 0 ? resource : resources }),
    scope: granted.scope,
    ...(authorizationDetails.length === 0 ? {} : { authorizationDetails }),
    ...(actor === undefined || granted.actor !== actor.id ? {} : { actor }),
    // What a client shows, its ID-JAG is bound to: whoever steals one can not use it.
    bindCertificate: true,
    lifetime: granted.lifetime,
    claims: names.claims,
  };
}
