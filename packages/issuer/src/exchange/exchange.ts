import { CredenceError, type Form, isObject, ok, type Refusal, type Result, refuse } from "@credence/protocol";
import type { Confirmation } from "@credence/protocol/dpop";
import { ID_JAG_TYP, type IdJagClaims } from "@credence/protocol/id-jag";
import { type Proof, type ProofsPresented, useProof } from "@credence/protocol/proof-of-possession";
import type { RefusalReason } from "@credence/protocol/reasons";
import {
  buildTokenExchangeAnswer,
  parseTokenExchangeRequest,
  type TokenExchangeAnswer,
  type TokenExchangeRequest,
} from "@credence/protocol/token-exchange";
import type {
  Actor,
  DecisionBasis,
  DecisionReason,
  ExchangeEvent,
  IssuerDecision,
  IssuerPorts,
  Permit,
} from "../ports.ts";
import { type ProofOptions, proofOf } from "./proof.ts";

/** Who issues, and through which ports. */
export interface Issuer<Client, Subject> {
  /** Issuer identifier: `iss` of every ID-JAG. */
  readonly issuer: string;
  readonly ports: IssuerPorts<Client, Subject>;
  /** Takes DPoP proofs; without it a request that carries one is refused. */
  readonly dpop?: ProofOptions;
  /** Told of every failure of a port, with the decision id: for the operator's log. */
  readonly onFault?: (error: unknown, id: string) => void;
}

/** A token exchange request as it came: its form, and what surrounds it. */
export interface ExchangeInput extends ProofsPresented {
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
  // What a port gives that is none of what it may give is a failure too, wherever it shows.
  const outcome = await attempt("internal-fault", id, issuer, () => run(input, issuer, trace));
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
  const { id, now, authorization, form, source } = input;
  const { ports } = issuer;
  const down = "store-unavailable";

  const proves = typeof input.dpop === "string" || input.certificate !== undefined;
  const proven = proves ? await attempt(down, id, issuer, () => proofOf(input, issuer.dpop, now)) : ok(undefined);
  // Who authenticates is on record even where the proof is not good.
  const binding = proven.ok ? proven.value?.binding : undefined;
  const sender = source === undefined ? {} : { source };
  const asking = { authorization, form, now, ...sender, ...(binding === undefined ? {} : { binding }) };
  const client = await attempt(down, id, issuer, () => ports.authenticate(asking));
  // A public client is known by its key alone: what its proof lacks, a nonce first of all, is what it has to hear.
  if (!client.ok) return !proven.ok && client.refusal.reason === "client-public" ? proven : client;
  trace.client = client.value;
  if (!proven.ok) return proven;

  const parsed = parseTokenExchangeRequest(form);
  if (!parsed.ok) return parsed;
  const request = parsed.value;
  trace.asked = asked(request);

  const { subjectToken: token, subjectTokenType: type } = request;
  const from = { client: client.value, now, ...(binding === undefined ? {} : { binding }) };
  const subject = await attempt(down, id, issuer, () => ports.verifySubject({ token, type, ...from }));
  if (!subject.ok) return subject;
  trace.subject = subject.value;

  const { value: proof } = proven;
  const fresh = proof === undefined ? ok(true) : await attempt(down, id, issuer, () => use(proof, issuer.dpop));
  if (!fresh.ok) return fresh;

  const { actor: acting } = request;
  const actor =
    acting === undefined ? ok(undefined) : await attempt(down, id, issuer, () => verifyActor(acting, from, ports));
  if (!actor.ok) return actor;
  if (actor.value !== undefined) trace.actor = actor.value;

  const question = {
    id,
    client: client.value,
    subject: subject.value,
    ...asked(request),
    binding,
    actor: actor.value,
    now,
  };
  const decision = await attempt(down, id, issuer, async () => ok(decided(await ports.decide(question))));
  if (!decision.ok) return decision;
  Object.assign(trace, basisOf(decision.value));
  if (decision.value.effect !== "permit") {
    trace.outcome = decision.value.effect === "deny" ? "denied" : "step-up";
    return { ok: false, refusal: refusalOf(decision.value) };
  }

  const permit = permitOf(decision.value);
  // An actor that the decision passed over would act unseen.
  if (actor.value !== undefined && permit.actor === undefined) return refuse("actor-not-covered");
  const bound = boundTo(binding, permit);
  const claims = claimsOf(issuer.issuer, id, now, permit, bound);
  const idJag = await attempt("signer-unavailable", id, issuer, async () =>
    ok(await ports.sign({ typ: ID_JAG_TYP }, claims)),
  );
  if (!idJag.ok) return idJag;
  trace.granted = permit;
  if (bound !== undefined) trace.binding = bound;
  trace.outcome = "permitted";
  return ok(
    buildTokenExchangeAnswer({
      idJag: idJag.value,
      expiresIn: permit.lifetime,
      scope: permit.scope,
      ...(permit.resource === undefined ? {} : { resource: permit.resource }),
      ...(permit.authorizationDetails === undefined ? {} : { authorizationDetails: permit.authorizationDetails }),
    }),
  );
}

/** A proof counts once, for somebody who is known: strangers leave no mark. */
async function use(proof: Proof, options: ProofOptions | undefined): Promise<Result<true>> {
  return options === undefined ? ok(true) : useProof(proof, (key, expiresAt) => options.markUsed(key, expiresAt));
}

/** What nobody checks must not look as if it counted: without the port, an actor is refused. @see RFC 8693 §2.1 */
async function verifyActor<Client, Subject>(
  actor: NonNullable<TokenExchangeRequest["actor"]>,
  from: { readonly client: Client; readonly now: number; readonly binding?: Confirmation },
  ports: IssuerPorts<Client, Subject>,
): Promise<Result<Actor>> {
  return ports.verifyActor ? ports.verifyActor({ ...actor, ...from }) : refuse("actor-token-unsupported");
}

/** A proven DPoP key always binds; a certificate where the decision says so. @see ID-JAG draft §9.8.1.1, §9.8.2.1 */
function boundTo(binding: Confirmation | undefined, permit: Permit): Confirmation | undefined {
  return binding?.jkt !== undefined || permit.bindCertificate === true ? binding : undefined;
}

function asked(request: TokenExchangeRequest): NonNullable<ExchangeEvent<unknown, unknown>["asked"]> {
  const { audience, resource, scope, authorizationDetails } = request;
  return { audience, resource, scope, authorizationDetails };
}

/** What is no decision, as JavaScript may give it, must not come near one. */
function decided(decision: IssuerDecision): IssuerDecision {
  const { effect, refusal }: { readonly effect?: unknown; readonly refusal?: unknown } = decision;
  if (effect === "permit") return decision;
  if (effect !== "deny" && effect !== "step-up") throw wrong(`neither permit, deny nor step-up: ${String(effect)}`);
  if (!isObject(refusal)) throw wrong(`${effect} without a refusal`);
  return decision;
}

function wrong(answer: string): CredenceError {
  return new CredenceError(`decide answered ${answer}`, { code: "configuration" });
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

/** The decision's permit alone: no reason of it leaves with the answer. */
function permitOf(decision: Permit): Permit {
  const { app, resource, scope, authorizationDetails, actor, bindCertificate, lifetime, claims } = decision;
  return {
    app,
    scope,
    lifetime,
    claims,
    ...(resource === undefined ? {} : { resource }),
    ...(authorizationDetails === undefined ? {} : { authorizationDetails }),
    ...(actor === undefined ? {} : { actor }),
    ...(bindCertificate === undefined ? {} : { bindCertificate }),
  };
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
  { app, resource, scope, authorizationDetails, actor, lifetime, claims }: Permit,
  cnf: Confirmation | undefined,
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
    ...(authorizationDetails === undefined ? {} : { authorization_details: authorizationDetails }),
    ...(actor === undefined ? {} : { act: actor.act }),
    ...(cnf === undefined ? {} : { cnf }),
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
