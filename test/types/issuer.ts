/** What may and may not be written with `@credence/issuer`. Each line that must not compile says why. */
import {
  type ExchangeEvent,
  type IssuerDecision,
  type IssuerPorts,
  type Question,
  type TokenExchangeHandler,
  tokenExchangeHandler,
} from "@credence/issuer";
import { ok } from "@credence/protocol";

interface Client {
  readonly id: string;
}
interface Person {
  readonly key: number;
}

/** The types of client and subject are the IdP's own, and go through all five ports. */
export function ports(signed: Promise<string>): TokenExchangeHandler {
  const all: IssuerPorts<Client, Person> = {
    authenticate: async () => ok({ id: "assistant" }),
    verifySubject: async ({ client }) => ok({ key: client.id.length }),
    decide: async ({ subject, client }) => permit(subject.key, client.id),
    record: async (event: ExchangeEvent<Client, Person>) => {
      // @ts-expect-error a refusal may come before anybody was authenticated
      event.client.id;
      event.client?.id satisfies string | undefined;
      // @ts-expect-error what is on record is not changed
      event.outcome = "permitted";
    },
    sign: () => signed,
  };
  const handler = tokenExchangeHandler({ issuer: "https://idp.example", ports: all });
  // @ts-expect-error a client of another kind than the one that the other ports know
  all.authenticate = async () => ok(7);
  const { record: _, ...unrecorded } = all;
  // @ts-expect-error nothing is issued without a record
  tokenExchangeHandler({ issuer: "https://idp.example", ports: unrecorded });
  // @ts-expect-error an issuer has a name
  tokenExchangeHandler({ ports: all });
  return handler;
}

function permit(key: number, clientId: string): IssuerDecision {
  const app = { issuer: "https://app.example", clientId, sub: String(key) };
  return { effect: "permit", reasons: [], connections: [], app, scope: ["read"], lifetime: 300, claims: {} };
}

/** A decision is one of three, whole. */
export function decisions(question: Question<Client, Person>): readonly IssuerDecision[] {
  const basis = { reasons: [{ id: "no-connection" }], connections: [] } as const;
  const refusal = { reason: "no-connection" } as const;
  const whole = permit(question.subject.key, question.client.id);
  return [
    whole,
    { ...basis, effect: "deny", refusal },
    { ...basis, effect: "step-up", refusal: { reason: "sign-in-too-old" }, maxAge: 300 },
    // @ts-expect-error a denial says why
    { ...basis, effect: "deny" },
    // @ts-expect-error a decision has its reasons
    { effect: "deny", refusal, connections: [] },
    // @ts-expect-error no such effect
    { ...basis, effect: "allow", refusal },
    // @ts-expect-error a permit names the app, the person there, and what is granted
    { ...basis, effect: "permit" },
    // @ts-expect-error who the ID-JAG is for is not among the further claims
    { ...whole, claims: { sub: "mallory" } },
  ];
}

/** A handler is one of `fetch`: it may be put wherever those go. */
export async function handlers(handler: TokenExchangeHandler): Promise<void> {
  const answer: Response = await handler(new Request("https://idp.example/token"), { source: "192.0.2.1" });
  answer.status satisfies number;
  // @ts-expect-error a URL is no request
  await handler("https://idp.example/token");
}
