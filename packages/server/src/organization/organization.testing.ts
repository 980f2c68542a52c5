import type { Organization } from "../directory/types.ts";
import { readOrganization } from "./read.ts";

/** What the broken files below were before they broke. */
export const ACME = `name: Acme
demo: true
people:
  - id: alice
    email: alice@acme.example
    name: Alice
    groups: [finance, staff]
    password_hash: $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$5WvAcz4qfAm9V0iWy1o7Lx0mWy8p3lq0oN3Bf8E1o2c
  - { id: bob, email: bob@acme.example, name: Bob, enabled: false }
agents:
  - id: assistant
    name: Assistant
    auth: { method: client_secret_basic, secret: { env: ASSISTANT_SECRET } }
    redirect_uris: [ "http://127.0.0.1/callback", "https://assistant.example/callback" ]
    post_logout_redirect_uris: [ "https://assistant.example/" ]
    denial_error: invalid_grant
  - { id: demo-agent, name: Demo, auth: { method: client_secret_post, secret: "only for the demo" } }
  - id: worker
    name: Worker
    auth: { method: private_key_jwt, jwks: { keys: [ { kty: EC, crv: P-256, kid: k1, x: AAAA, y: BBBB } ] } }
apps:
  - id: ledger
    name: Ledger
    issuer: http://127.0.0.1:4001
    resources: [ "http://127.0.0.1:4001/mcp" ]
    scopes: { ledger.read: Read entries, ledger.write: Write entries }
    clients: { assistant: ledger-assistant, demo-agent: ledger-demo }
connections:
  - id: assistant-ledger
    agent: assistant
    app: ledger
    people: [ group:finance, person:bob ]
    scopes: [ ledger.write, ledger.read ]
    default_scopes: [ ledger.read ]
    resources: [ "http://127.0.0.1:4001/mcp" ]
    conditions: { max_age: 8h }
    lifetime: 5m
    expires: 2030-01-31T18:00:00+01:00
  - { id: demo-ledger, agent: demo-agent, app: ledger, people: [everyone], scopes: [ledger.read], enabled: false }
`;

/** Seconds since the epoch, before everything in {@link ACME} expires. */
export const NOW = 1_800_000_000;

/** {@link ACME}, read. */
export function acme(): Organization {
  const result = readOrganization(ACME, { issuerIsLoopback: true, now: NOW });
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.organization;
}

/** {@link ACME} with a part replaced that stands in it exactly once, and the place where the replacement then stands. */
export function broken(part: string, by: string): string {
  if (ACME.split(part).length !== 2) throw new Error(`stands ${ACME.split(part).length - 1} times: ${part}`);
  return ACME.replace(part, () => by);
}

interface BrokenFile {
  readonly why: string;
  readonly text: string;
  readonly line: number;
  readonly column: number;
  readonly says: RegExp;
}

/** Organization files with one thing wrong in each, and where. */
export const BROKEN: readonly BrokenFile[] = [
  { why: "a tab", text: broken("    groups:", "\tgroups:"), line: 7, column: 1, says: /YAML/ },
  { why: "a bracket left open", text: broken("staff]", "staff"), line: 8, column: 5, says: /YAML/ },
  {
    why: "a key twice",
    text: broken("    name: Alice\n", "    name: Alice\n    name: A.\n"),
    line: 7,
    column: 5,
    says: /second time/,
  },
  { why: "two documents", text: `${ACME}---\nname: Other\n`, line: 40, column: 1, says: /YAML/ },
  { why: "a tag", text: broken("name: Acme", "name: !!js/function Acme"), line: 1, column: 7, says: /YAML/ },
  {
    why: "a key nearly right",
    text: broken("password_hash:", "passwordhash:"),
    line: 8,
    column: 5,
    says: /Did you mean "password_hash"/,
  },
  {
    why: "a key unknown at the top",
    text: broken("agents:\n", "agnets: []\nagents:\n"),
    line: 10,
    column: 1,
    says: /Did you mean "agents"/,
  },
  {
    why: "a key unknown in auth",
    text: broken("{ method: private_key_jwt, jwks:", "{ method: private_key_jwt, keys: 1, jwks:"),
    line: 20,
    column: 38,
    says: /"keys" is not known/,
  },
  {
    why: "a number for text",
    text: broken("name: Alice", "name: 42"),
    line: 6,
    column: 11,
    says: /is a number, and should be text/,
  },
  { why: "a name missing", text: broken("    name: Alice\n", ""), line: 4, column: 5, says: /name is missing/ },
  {
    why: "an address that is none",
    text: broken("email: alice@acme.example", "email: alice"),
    line: 5,
    column: 12,
    says: /email is not an email/,
  },
  {
    why: "an address twice, in capitals",
    text: broken("email: bob@acme.example", "email: ALICE@acme.example"),
    line: 9,
    column: 23,
    says: /second time/,
  },
  {
    why: "an id twice",
    text: broken("id: demo-ledger", "id: assistant-ledger"),
    line: 39,
    column: 11,
    says: /id "assistant-ledger" is used a second time/,
  },
  {
    why: "an id with a space",
    text: broken("id: assistant-ledger\n", "id: assistant ledger\n"),
    line: 29,
    column: 9,
    says: /is not an id/,
  },
  {
    why: "a password in place of its hash",
    text: broken("$argon2id$v=19$m=19456,t=2,p=1$", "letmein"),
    line: 8,
    column: 20,
    says: /argon2id/,
  },
  {
    why: "a hash that costs a gigabyte",
    text: broken("m=19456", "m=1048576"),
    line: 8,
    column: 20,
    says: /out of bounds/,
  },
  {
    why: "a way to authenticate that is none",
    text: broken("client_secret_basic", "basic"),
    line: 13,
    column: 21,
    says: /no way to authenticate/,
  },
  {
    why: "a secret's source that is none",
    text: broken("{ env: ASSISTANT_SECRET }", "{ evn: ASSISTANT_SECRET }"),
    line: 13,
    column: 50,
    says: /not a secret's source/,
  },
  {
    why: "a private key",
    text: broken("y: BBBB", "y: BBBB, d: CCCC"),
    line: 20,
    column: 54,
    says: /not a public signing key/,
  },
  {
    why: "a redirect to script",
    text: broken("http://127.0.0.1/callback", "javascript:alert(1)"),
    line: 14,
    column: 22,
    says: /not a redirect URI/,
  },
  {
    why: "a redirect in the open",
    text: broken("http://127.0.0.1/callback", "http://assistant.example/cb"),
    line: 14,
    column: 22,
    says: /not a redirect URI/,
  },
  {
    why: "an issuer with a query",
    text: broken("issuer: http://127.0.0.1:4001", "issuer: http://127.0.0.1:4001/?x=1"),
    line: 24,
    column: 13,
    says: /is not an issuer/,
  },
  {
    why: "an issuer in the open",
    text: broken("issuer: http://127.0.0.1:4001", "issuer: http://ledger.example"),
    line: 24,
    column: 13,
    says: /is not an issuer/,
  },
  {
    why: "a resource with a fragment",
    text: broken(
      '    resources: [ "http://127.0.0.1:4001/mcp" ]\n    scopes',
      '    resources: [ "http://127.0.0.1:4001/mcp", "https://a.example/#x" ]\n    scopes',
    ),
    line: 25,
    column: 47,
    says: /not a resource/,
  },
  {
    why: "a scope with a space",
    text: broken("ledger.read: Read entries", '"ledger read": Read entries'),
    line: 26,
    column: 15,
    says: /is not a scope/,
  },
  {
    why: "a client of no agent",
    text: broken("demo-agent: ledger-demo", "demo-agnet: ledger-demo"),
    line: 27,
    column: 45,
    says: /no agent "demo-agnet". Did you mean "demo-agent"/,
  },
  {
    why: "a connection of no agent",
    text: broken("agent: assistant\n", "agent: asistant\n"),
    line: 30,
    column: 12,
    says: /no agent "asistant". Did you mean/,
  },
  {
    why: "a connection to no app",
    text: broken("    app: ledger\n", "    app: journal\n"),
    line: 31,
    column: 10,
    says: /no app "journal"/,
  },
  {
    why: "a connection for nobody known",
    text: broken("person:bob", "person:bib"),
    line: 32,
    column: 30,
    says: /no person "bib". Did you mean "bob"/,
  },
  {
    why: "people without their kind",
    text: broken("[ group:finance, person:bob ]", "[ finance ]"),
    line: 32,
    column: 15,
    says: /names nobody/,
  },
  {
    why: "a scope that the app lacks",
    text: broken("[ ledger.write, ledger.read ]", "[ ledger.writes, ledger.read ]"),
    line: 33,
    column: 15,
    says: /has no scope "ledger.writes". Did you mean "ledger.write"/,
  },
  {
    why: "a default that is not granted",
    text: broken("[ ledger.write, ledger.read ]", "[ ledger.write ]"),
    line: 34,
    column: 23,
    says: /not one of the connection's scopes/,
  },
  {
    why: "a resource of another app",
    text: broken(
      'resources: [ "http://127.0.0.1:4001/mcp" ]\n    conditions',
      'resources: [ "http://127.0.0.1:4001/" ]\n    conditions',
    ),
    line: 35,
    column: 18,
    says: /has no resource/,
  },
  {
    why: "a duration without a unit",
    text: broken("max_age: 8h", "max_age: 8"),
    line: 36,
    column: 28,
    says: /is a number, and should be text/,
  },
  {
    why: "a duration of weeks",
    text: broken("max_age: 8h", "max_age: 2w"),
    line: 36,
    column: 28,
    says: /is not a duration/,
  },
  {
    why: "a lifetime of a day",
    text: broken("lifetime: 5m", "lifetime: 1d"),
    line: 37,
    column: 15,
    says: /out of bounds/,
  },
  {
    why: "an expiry without a zone",
    text: broken("2030-01-31T18:00:00+01:00", "2030-01-31 18:00"),
    line: 38,
    column: 14,
    says: /not a date and time/,
  },
  {
    why: "a day that is not",
    text: broken("2030-01-31T18", "2030-02-31T18"),
    line: 38,
    column: 14,
    says: /not a date and time/,
  },
  {
    why: "a secret in the open without demo",
    text: broken("demo: true\n", ""),
    line: 16,
    column: 79,
    says: /only with demo: true/,
  },
  {
    why: "a secret to keep that is not there",
    text: broken("{ env: ASSISTANT_SECRET }", "{ unchanged: true }"),
    line: 13,
    column: 50,
    says: /no secret to keep/,
  },
  {
    why: "a list that is none",
    text: `name: Acme\npeople:\n  alice: { name: Alice }\n`,
    line: 3,
    column: 3,
    says: /people is not a list/,
  },
  { why: "nothing", text: "# nothing yet\n", line: 1, column: 1, says: /empty/ },
  {
    why: "an agent named like a member of every object",
    text: broken("- id: worker", "- id: constructor"),
    line: 18,
    column: 9,
    says: /taken/,
  },
  {
    why: "a prototype",
    text: broken("clients: { assistant", "clients: { __proto__: x, assistant"),
    line: 27,
    column: 14,
    says: /not a plain word/,
  },
];
