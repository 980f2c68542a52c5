/** What may and may not be written with `@credence/protocol`. Each line that must not compile says why. */
import { CredenceError, errorAnswer, type Form, ok, parseForm, type Result, refuse } from "@credence/protocol";
import { addClientAuth, authenticateClient, type ClientIdentity, readClientAuth } from "@credence/protocol/client-auth";
import type { Confirmation } from "@credence/protocol/dpop";
import { type IdJagClaims, signIdJag } from "@credence/protocol/id-jag";
import { type JwsAlgorithm, jwksKeys, type Signer, signJwt } from "@credence/protocol/jws";
import { ERRORS, REASONS, type ReasonId } from "@credence/protocol/reasons";

/** A result is looked at before it is used. */
export function results(read: Result<Form>): string {
  // @ts-expect-error an outcome that nobody asked about has no value
  read.value;
  // @ts-expect-error a good outcome has no refusal
  if (read.ok) read.refusal;
  if (!read.ok) return read.refusal.reason;
  const scope: string | undefined = read.value.get("scope");
  // @ts-expect-error a parameter may be missing
  const text: string = read.value.get("scope");
  return scope ?? text;
}

/** Reasons are those of the catalogue. */
export function reasons(): Result<never> {
  ok(1) satisfies Result<number>;
  // @ts-expect-error no reason is made up
  refuse("because");
  // @ts-expect-error a reason of decisions that permit refuses nothing
  refuse("connection-permits");
  // @ts-expect-error a reason that has no error on the wire can not be answered
  errorAnswer({ reason: "connection-permits" });
  REASONS["no-connection"].error satisfies "access_denied";
  const id: ReasonId = "no-connection";
  REASONS[id].means satisfies string;
  ERRORS.invalid_grant.status satisfies number;
  return refuse("parameter-missing", "scope");
}

/** A client's identity has what its method needs. */
export async function clients(form: URLSearchParams, signer: Signer): Promise<void> {
  const identities: readonly ClientIdentity[] = [
    { method: "none", clientId: "a" },
    { method: "client_secret_basic", clientId: "a", clientSecret: "s" },
    { method: "client_secret_post", clientId: "a", clientSecret: "s" },
    { method: "private_key_jwt", clientId: "a", signer },
    // @ts-expect-error Basic needs a secret
    { method: "client_secret_basic", clientId: "a" },
    // @ts-expect-error an assertion needs a signer
    { method: "private_key_jwt", clientId: "a", clientSecret: "s" },
    // @ts-expect-error no such method: a MAC with the secret is none of ours
    { method: "client_secret_jwt", clientId: "a", clientSecret: "s" },
  ];
  for (const identity of identities) await addClientAuth(form, identity, "https://as.example", 0);
  const read = parseForm(new Uint8Array());
  if (!read.ok) return;
  const presented = readClientAuth(null, read.value);
  if (!presented.ok) return;
  // @ts-expect-error without a store of marks an assertion would count twice
  await authenticateClient(presented.value, { issuer: "https://as.example", now: 0, find: async () => undefined });
}

/** Claims that the draft requires are required, and none is changed afterwards. */
export async function claims(signer: Signer, whole: IdJagClaims): Promise<void> {
  await signIdJag(whole, signer);
  const { client_id: _, ...rest } = whole;
  // @ts-expect-error an ID-JAG without client_id is none
  await signIdJag(rest, signer);
  // @ts-expect-error claims that were read stay as they are
  whole.sub = "mallory";
  // @ts-expect-error seconds since the epoch, not a date
  await signIdJag({ ...whole, exp: new Date() }, signer);
  // @ts-expect-error MACs and `none` are no algorithms here
  const algorithm: JwsAlgorithm = "HS256";
  await signJwt("at+jwt", { alg: algorithm }, signer);
  // @ts-expect-error a set of keys, not a key
  jwksKeys({ kty: "EC" });
}

/** Errors have a stable code. */
export function errors(error: unknown): Confirmation | string {
  if (!(error instanceof CredenceError)) return "somebody else's";
  switch (error.code) {
    case "invalid_grant":
    case "network":
      return error.message;
    // @ts-expect-error a code that no error has
    case "invalid_grants":
      return error.message;
    default:
      // @ts-expect-error the code of an error is not changed
      error.code = "network";
      return { jkt: "x" };
  }
}
