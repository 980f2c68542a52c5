/** What may and may not be written with `@credence/client`. Each line that must not compile says why. */
import {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentOptions,
  createAgent,
  importSigner,
  memoryTokenStore,
  type PrivateJwk,
  type Session,
} from "@credence/client";

/** An agent has its IdP, and a credential for each app. */
export async function agents(key: PrivateJwk): Promise<Agent> {
  const client = { method: "client_secret_basic", clientId: "a", clientSecret: "s" } as const;
  const options: AgentOptions = {
    idp: {
      issuer: "https://idp.example",
      client: { method: "private_key_jwt", clientId: "a", signer: await importSigner(key) },
    },
    apps: [{ issuer: "https://ledger.example", client }],
    dpop: {},
    watch: (event: AgentEvent) => {
      if (event.type === "id-jag") event.claims.sub satisfies string;
      // @ts-expect-error only an ID-JAG's event has its claims
      event.claims;
      // @ts-expect-error no event carries a token
      event.accessToken;
    },
  };
  createAgent({ ...options, apps: async (issuer) => (issuer === "https://ledger.example" ? client : undefined) });
  // @ts-expect-error an agent that acts at no app says so: apps: []
  createAgent({ idp: options.idp });
  // @ts-expect-error a credential belongs to an issuer
  createAgent({ ...options, apps: [{ client }] });
  // @ts-expect-error what stands for the person is an ID token or a refresh token
  createAgent({ ...options, subject: "access_token" });
  // @ts-expect-error a fetch of this platform's kind
  createAgent({ ...options, fetch: (url: string) => url });
  return createAgent(options);
}

/** A session is used as `fetch` is. */
export async function sessions(agent: Agent): Promise<void> {
  const session: Session = agent.session({ idToken: "x" });
  const answer: Response = await session.fetch("https://ledger.example/mcp", { method: "POST", body: "x" });
  answer.ok satisfies boolean;
  const token = await session.token({ resource: "https://ledger.example/mcp", scope: "read write" });
  token.accessToken satisfies string;
  // @ts-expect-error scopes are one text, as on the wire
  await session.token({ resource: "https://ledger.example/mcp", scope: ["read"] });
  // @ts-expect-error a token is for a resource
  await session.token({ scope: "read" });
  // @ts-expect-error an ID-JAG is for an authorization server
  await session.idJag({ resource: "https://ledger.example/mcp" });
  // @ts-expect-error a sign-in has an ID token
  agent.session({ refreshToken: "x" });
  // @ts-expect-error what is restored comes from a store
  await agent.restore({});
  const restored = await agent.restore({ store: memoryTokenStore() });
  // @ts-expect-error there may be nothing to restore
  await restored.fetch("https://ledger.example/mcp");
  const { url } = await session.signOut();
  // @ts-expect-error an IdP need not have a page to sign out
  url.length;
}

/** An error says what, where, and what would help. */
export function errors(error: unknown): string | undefined {
  if (!(error instanceof AgentError)) return undefined;
  switch (error.retry) {
    case "step-up":
      return error.acrValues ?? String(error.maxAge);
    case "wait":
      // @ts-expect-error nobody says for certain how long
      return error.retryAfter.toFixed();
    // @ts-expect-error no such advice
    case "again":
      return error.leg;
    default:
      return error.party;
  }
}
