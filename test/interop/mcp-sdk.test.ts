/** The published MCP TypeScript SDK v2: with nothing of ours on the client's side, and with each of our plugs for it. */
import { AgentError } from "@credence/client";
import { idJagAssertion, idJagOAuthClientProvider, mcpAuthProvider } from "@credence/client/mcp";
import {
  Client,
  CrossAppAccessProvider,
  discoverAndRequestJwtAuthGrant,
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/client";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALICE, BOB, CALLBACK, SECRETS } from "../house.testing.ts";
import { startWorld, visit, type World } from "./world.testing.ts";

/** Connects to the ledger, calls a tool, and gives its text. */
async function listEntries(mcp: string, options: StreamableHTTPClientTransportOptions): Promise<string> {
  const client = new Client({ name: "assistant", version: "1.0.0" });
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp), options));
    const { content } = await client.callTool({ name: "list_entries" });
    return content.map((part) => (part.type === "text" ? part.text : "")).join("");
  } finally {
    await client.close();
  }
}

describe("the SDK alone: CrossAppAccessProvider, with the SDK's own token exchange", () => {
  // It authenticates by client_secret_post at the IdP and by client_secret_basic at the app.
  const idpClient = { clientId: "poster", clientSecret: SECRETS.poster ?? "" };
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ agent: "poster" });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function signIn(who: typeof ALICE): Promise<string> {
    const { clientId, clientSecret } = idpClient;
    const authentication = openid.ClientSecretPost(clientSecret);
    const development = { execute: [openid.allowInsecureRequests] };
    const config = await openid.discovery(new URL(world.idp), clientId, undefined, authentication, development);
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: "openid",
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
    });
    const tokens = await openid.authorizationCodeGrant(config, await visit(url, who), { pkceCodeVerifier });
    return tokens.id_token ?? "";
  }

  const crossAppAccess = (idToken: string) =>
    new CrossAppAccessProvider({
      assertion: async ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) => {
        const { jwtAuthGrant } = await discoverAndRequestJwtAuthGrant({
          idpUrl: world.idp,
          ...idpClient,
          idToken,
          audience: authorizationServerUrl,
          resource: resourceUrl,
          ...(scope ? { scope } : {}),
          fetchFn,
        });
        return jwtAuthGrant;
      },
      ...world.atLedger,
      expectedIssuer: world.ledger,
    });

  test("calls a tool for somebody whom the organization lets in", async () => {
    const authProvider = crossAppAccess(await signIn(ALICE));
    expect(await listEntries(world.mcp, { authProvider })).toContain("Train to Vienna");
  });

  test("hears a denial as a denial", async () => {
    const authProvider = crossAppAccess(await signIn(BOB));
    await expect(listEntries(world.mcp, { authProvider })).rejects.toThrow(/access_denied/);
  });
});

describe("the SDK with a session of ours", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const sessionOf = (who: typeof ALICE) => {
    const client = { method: "client_secret_basic", ...world.atLedger } as const;
    return world.house.signIn(world.house.agent("assistant", [{ issuer: world.ledger, client }]), who);
  };
  type Session = Awaited<ReturnType<typeof sessionOf>>;
  const plugs: readonly [string, (session: Session) => StreamableHTTPClientTransportOptions][] = [
    [
      "CrossAppAccessProvider with idJagAssertion",
      (session) => ({
        authProvider: new CrossAppAccessProvider({
          assertion: idJagAssertion(session),
          ...world.atLedger,
          expectedIssuer: world.ledger,
        }),
      }),
    ],
    ["mcpAuthProvider", (session) => ({ authProvider: mcpAuthProvider(session) })],
    ["idJagOAuthClientProvider", (session) => ({ authProvider: idJagOAuthClientProvider(session) })],
    ["session.fetch", (session) => ({ fetch: session.fetch })],
  ];

  test.each(plugs)("%s calls a tool", async (_, plug) => {
    expect(await listEntries(world.mcp, plug(await sessionOf(ALICE)))).toContain("Train to Vienna");
  });

  test.each(plugs)("%s brings a denial, with its decision", async (_, plug) => {
    const error = await listEntries(world.mcp, plug(await sessionOf(BOB))).catch((thrown: unknown) => thrown);
    expect(agentError(error)).toMatchObject({ leg: "exchange", code: "access_denied", decisionId: expect.any(String) });
  });
});

/** Our error, however deep the SDK has put it. */
function agentError(thrown: unknown): AgentError | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) if (error instanceof AgentError) return error;
  return undefined;
}
