import { type Form, ok, type Refusal, type Result, refuse } from "@credence/protocol";
import { ID_JAG_TYP, type IdJagClaims } from "@credence/protocol/id-jag";
import type { RefusalReason } from "@credence/protocol/reasons";
import {
  buildTokenExchangeAnswer,
  parseTokenExchangeRequest,
  type TokenExchangeAnswer,
  type TokenExchangeRequest,
} from "@credence/protocol/token-exchange";
import type { DecisionBasis, DecisionReason, ExchangeEvent, IssuerDecision, IssuerPorts, Permit } from "../ports.ts";

/** Who issues, and through which ports. */
export interface Issuer<Client, Subject> {
  /** Issuer identifier: `iss` of every ID-JAG. */
  readonly issuer: string;
  readonly ports: IssuerPorts<Client, Subject>;
  /** Told of every failure of a port, with the decision id: for the operator's log. */
  readonly onFault?: (error: unknown, id: string) => void;
}

/** A token exchange request as it came: its form, and what surrounds it. */
export interface ExchangeInput {
  /** Becomes the decision's id, the grant's id and the ID-JAG's `jti`. */
  readonly id: string;
  /** Seconds since the epoch, whole. */
  readonly now: number;
  readonly authorization: string | null;
  readonly form: Form;
  readonly source: string | undefined;
}

type Trace<Client, Subject> = Partial<ExchangeEvent<Client, Subject>>;

/**
 * Answers one token exchange: authenticate the client, parse, verify the subject token, decide, issue, record.
 *
 * Nothing leaves before it is on record; what can not be recorded is not given.
 *
 * @returns the answer, or the refusal for the wire.
 * @see ID-JAG draft §4.3.3
 */
export async function exchange<Client, Subject>(
  input: ExchangeInput,
  issuer: Issuer<Client, Subject>,
): Promise<Result<TokenExchangeAnswer>> {
  const { id, now, source } = input;
  const trace: Trace<Client, Subject> = {};
  const outcome = await run(input, issuer, trace);
  const event: ExchangeEvent<Client, Subject> = {
    outcome: "refused",
    reasons: outcome.ok ? [] : [reasonOf(outcome.refusal)],
    connections: [],
    ...trace,
    ...(outcome.ok ? {} : { refusal: outcome.refusal }),
    decisionId: id,
    time: now,
    source,
  };
  const recorded = await attempt("store-unavailable", id, issuer, async () => ok(await issuer.ports.record(event)));
  return recorded.ok ? outcome : recorded;
}

async function run<Client, Subject>(
  input: ExchangeInput,
  issuer: Issuer<Client, Subject>,
  trace: Writable<Trace<Client, Subject>>,
): Promise<Result<TokenExchangeAnswer>> {
  const { id, now, authorization, form } = input;
  const { ports } = issuer;

  const client = await attempt("store-unavailable", id, issuer, () => ports.authenticate({ authorization, form, now }));
  if (!client.ok) return client;
  trace.client = client.value;

  const parsed = parseTokenExchangeRequest(form);
  if (!parsed.ok) return parsed;
  const request = parsed.value;
  trace.asked = asked(request);

  const { subjectToken: token, subjectTokenType: type } = request;
  const subject = await attempt("store-unavailable", id, issuer, () =>
    ports.verifySubject({ token, type, client: client.value, now }),
  );
  if (!subject.ok) return subject;
  trace.subject = subject.value;

  const decision = await attempt("store-unavailable", id, issuer, async () =>
    ok(await ports.decide({ id, client: client.value, subject: subject.value, ...asked(request), now })),
  );
  if (!decision.ok) return decision;
  Object.assign(trace, basisOf(decision.value));
  if (decision.value.effect !== "permit") {
    trace.outcome = decision.value.effect === "deny" ? "denied" : "step-up";
    return { ok: false, refusal: refusalOf(decision.value) };
  }

  const permit = permitOf(decision.value);
  const idJag = await attempt("signer-unavailable", id, issuer, async () =>
    ok(await ports.sign({ typ: ID_JAG_TYP }, claimsOf(issuer.issuer, id, now, permit))),
  );
  if (!idJag.ok) return idJag;
  trace.granted = permit;
  trace.outcome = "permitted";
  return ok(
    buildTokenExchangeAnswer({
      idJag: idJag.value,
      expiresIn: permit.lifetime,
      scope: permit.scope,
      ...(permit.resource === undefined ? {} : { resource: permit.resource }),
    }),
  );
}

function asked(request: TokenExchangeRequest): NonNullable<ExchangeEvent<unknown, unknown>["asked"]> {
  return { audience: request.audience, resource: request.resource, scope: request.scope };
}

/** A refusal as a reason of its own, for the record of what never came to a decision. */
export function reasonOf({ reason: id, detail }: Refusal): DecisionReason {
  return { id, ...(detail === undefined ? {} : { detail }) };
}

function basisOf({ reasons, connections, nearMisses, appId }: DecisionBasis): DecisionBasis {
  return {
    reasons,
    connections,
    ...(nearMisses === undefined ? {} : { nearMisses }),
    ...(appId === undefined ? {} : { appId }),
  };
}

function permitOf({ app, resource, scope, lifetime, claims }: Permit): Permit {
  return { app, scope, lifetime, claims, ...(resource === undefined ? {} : { resource }) };
}

/** RFC 9470 §3: the client learns how old a sign-in may be, or how strong it must be. */
function refusalOf(decision: Exclude<IssuerDecision, { effect: "permit" }>): Refusal {
  if (decision.effect === "deny") return decision.refusal;
  const { refusal, maxAge, acrValues } = decision;
  const wire = {
    ...(maxAge === undefined ? {} : { max_age: maxAge }),
    ...(acrValues === undefined ? {} : { acr_values: acrValues }),
  };
  return { ...refusal, wire };
}

/** @see ID-JAG draft §3.1 */
function claimsOf(
  iss: string,
  jti: string,
  now: number,
  { app, resource, scope, lifetime, claims }: Permit,
): IdJagClaims {
  return {
    ...claims,
    iss,
    sub: app.sub,
    aud: app.issuer,
    client_id: app.clientId,
    jti,
    iat: now,
    exp: now + lifetime,
    ...(resource === undefined ? {} : { resource }),
    ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
  };
}

/** A port that fails closes the door: its error goes to the operator, the wire hears only that we are unavailable. */
async function attempt<T>(
  reason: RefusalReason,
  id: string,
  { onFault }: Pick<Issuer<unknown, unknown>, "onFault">,
  call: () => Promise<Result<T>>,
): Promise<Result<T>> {
  try {
    return await call();
  } catch (error) {
    onFault?.(error, id);
    return refuse(reason);
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
