/** The organization that the story is told about: two agents, one app, one connection. Secrets are new at every run. */

/** Where things are. */
export interface Places {
  readonly idp: string;
  readonly ledger: string;
}

/** The organization file of the story: what an admin keeps under version control. */
export function organizationFile({ idp, ledger }: Places, alice: { readonly passwordHash: string }): string {
  return `# The organization of the story. The IdP reads it at its first start; \`credence plan\` and \`apply\` change it later.
name: Acme
people:
  - { id: alice, email: alice@acme.example, name: Alice, groups: [finance], password_hash: "${alice.passwordHash}" }
agents:
  - id: assistant
    name: Assistant
    auth: { method: client_secret_basic, secret: { env: ASSISTANT_SECRET } }
    redirect_uris: ["http://127.0.0.1/callback"]
    post_logout_redirect_uris: ["${idp}/"]
  - id: crawler
    name: Crawler
    auth: { method: client_secret_basic, secret: { env: CRAWLER_SECRET } }
    redirect_uris: ["http://127.0.0.1/callback"]
apps:
  - id: ledger
    name: Ledger
    issuer: ${ledger}
    resources: ["${ledger}/mcp"]
    scopes: { ledger.read: Read entries, ledger.write: Add entries }
    clients: { assistant: ledger-assistant, crawler: ledger-crawler }
    subject: id
connections:
  - id: assistant-ledger
    agent: assistant
    app: ledger
    people: ["group:finance"]
    scopes: [ledger.read]
    default_scopes: [ledger.read]
    conditions: { max_age: 8h }
`;
}
