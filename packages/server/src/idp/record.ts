import type { ExchangeEvent } from "@credence/issuer";
import type { Audit } from "../audit/audit.ts";
import type { AuditCode, AuditEvent, AuditReason } from "../audit/event.ts";
import type { AuthenticatedAgent } from "./client.ts";
import type { SignedInPerson } from "./subject.ts";

type Exchange = ExchangeEvent<AuthenticatedAgent, SignedInPerson>;

const CODES: Readonly<Record<Exchange["outcome"], AuditCode>> = {
  permitted: "exchange.permitted",
  denied: "exchange.denied",
  "step-up": "exchange.step-up",
  refused: "exchange.refused",
};

/**
 * Puts an exchange on record. What callers do that nobody knows is counted, not written one by one: they must not be able
 * to fill the disk.
 *
 * @returns resolves when it is durable. Rejects when it is not kept.
 */
export async function recordExchange(exchange: Exchange, audit: Pick<Audit, "record" | "countFailure">): Promise<void> {
  const { client, source = "unknown", refusal } = exchange;
  if (client !== undefined) return audit.record(toEvent(exchange, client));
  if (refusal === undefined) return;
  const { reason, detail } = refusal;
  const sample = detail === undefined ? exchange.decisionId : `${exchange.decisionId}: ${detail}`;
  audit.countFailure({ reason, source, sample });
}

function toEvent(exchange: Exchange, { agent }: AuthenticatedAgent): AuditEvent {
  const { decisionId, appId, source, subject, asked, granted, connections, nearMisses, actor, binding } = exchange;
  const client = granted?.app.clientId;
  return {
    code: CODES[exchange.outcome],
    decisionId,
    agent: agent.id,
    reasons: reasonsOf(exchange),
    connections,
    ...(nearMisses === undefined ? {} : { nearMisses }),
    ...(appId === undefined ? {} : { app: appId }),
    ...(source === undefined ? {} : { source }),
    ...(subject === undefined ? {} : { person: personOf(subject) }),
    ...(asked === undefined ? {} : { audience: asked.audience, resource: asked.resource }),
    ...(asked?.scope === undefined ? {} : { scopesAsked: asked.scope }),
    ...(client === undefined ? {} : { client }),
    ...(granted === undefined ? {} : { jti: decisionId, scopesGranted: granted.scope, lifetime: granted.lifetime }),
    ...(granted?.resource === undefined ? {} : { resource: [granted.resource].flat() }),
    ...(asked?.authorizationDetails === undefined ? {} : { detailsAsked: typesOf(asked.authorizationDetails) }),
    ...(granted?.authorizationDetails === undefined ? {} : { detailsGranted: typesOf(granted.authorizationDetails) }),
    ...(actor === undefined ? {} : { actor: actor.id }),
    ...(binding === undefined ? {} : { binding: binding.jkt === undefined ? "certificate" : "dpop" }),
  };
}

/** Details' members may be personal, and those asked for come from outside: the record has their types. */
function typesOf(details: readonly { readonly type: string }[]): readonly string[] {
  return [...new Set(details.map(({ type }) => type))];
}

function personOf({ person: { id, email, name } }: SignedInPerson) {
  return { id, email, name };
}

/** The decision's reasons; before them what stopped the exchange, where that is none of them (a permit not signed). */
function reasonsOf({ reasons, refusal }: Exchange): readonly AuditReason[] {
  if (refusal === undefined || reasons.some(({ id }) => id === refusal.reason)) return reasons;
  const { reason: id, detail } = refusal;
  return [{ id, ...(detail === undefined ? {} : { detail }) }, ...reasons];
}
