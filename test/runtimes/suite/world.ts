/**
 * An IdP, an app and an agent in one process, joined by their fetch handlers: no network, no framework, nothing of Node. The
 * IdP is a small one of its own, as somebody would make it of `@credence/issuer`; app and agent are what the packages give.
 */
import { type Agent, type AgentOptions, createAgent, type PrivateJwk, type Session } from "@credence/client";
import { type TokenExchangeHandler, tokenExchangeHandler } from "@credence/issuer";
import { encodeBase64url, ok, parseForm, type Result, randomId, refuse } from "@credence/protocol";
import { authenticateClient, type ClientCredential, readClientAuth } from "@credence/protocol/client-auth";
import { dpopNonces } from "@credence/protocol/dpop";
import { ID_JAG_TOKEN_TYPE } from "@credence/protocol/id-jag";
import {
  checkSignature,
  decodeJws,
  generateSigningKey,
  importSigner,
  type JwsAlgorithm,
  jwksKeys,
  type PublicJwk,
  type Signer,
  signJwt,
} from "@credence/protocol/jws";
import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { type Client, createResourceServer, type ReceiverEvent, type ResourceServer } from "@credence/resource";

export const IDP = "https://idp.acme.example";
export const APP = "https://ledger.example";
export const RESOURCE = `${APP}/mcp`;
const CALLBACK = "https://assistant.example/callback";
const AGENT = "assistant";
const AGENT_AT_APP = "ledger-assistant";
const SECRETS = { idp: "a secret: with / signs, ä", app: "another secret" } as const;

/** How a world differs from the plainest one. */
export interface WorldOptions {
  /** What the IdP and the app sign with; ES256 by default. */
  readonly algorithm?: JwsAlgorithm;
  /** Whether the agent authenticates by signed assertions, at both; by secrets otherwise. */
  readonly assertions?: boolean;
  /** Whether IdP and app demand nonces in DPoP proofs. */
  readonly nonces?: boolean;
  readonly opaque?: boolean;
}

/** All of it, running. */
export interface World {
  /** Seconds since the epoch; tests move it. */
  readonly clock: { now: number };
  /** What policy answers: the reason of a refusal, or `undefined` for a permit. */
  policy: "no-connection" | "sign-in-too-old" | undefined;
  /** Exact reasons of what the IdP refused, last one last. */
  readonly refusals: string[];
  readonly events: ReceiverEvent[];
  /** `METHOD URL` of every request, in order. */
  readonly calls: string[];
  readonly server: ResourceServer;
  readonly fetch: typeof globalThis.fetch;
  readonly idpKey: { readonly signer: Signer; readonly publicJwk: PublicJwk };
  agent(more?: Partial<AgentOptions>): Agent;
  /** Signs Alice in, by the code flow. */
  signIn(more?: Partial<AgentOptions>): Promise<Session>;
  idToken(changes?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Sends a form to the IdP's token endpoint, authenticated by secret. */
  exchange(form: URLSearchParams, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

type Handler = (request: Request) => Promise<Response>;

/** Starts it. */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { algorithm = "ES256", assertions = false } = options;
  const clock = { now: 1_800_000_000 };
  const now = (): number => clock.now;
  const [idpKey, appKey, agentKey] = await Promise.all([key(algorithm), key(algorithm), key("ES256")]);
  const calls: string[] = [];
  const fetch = router(calls);
  const idp = createIdp();
  const events: ReceiverEvent[] = [];
  const client: Client = assertions
    ? { clientId: AGENT_AT_APP, method: "private_key_jwt", jwks: { keys: [agentKey.publicJwk] } }
    : { clientId: AGENT_AT_APP, method: "client_secret_basic", clientSecret: SECRETS.app };
  const server = createResourceServer({
    issuer: APP,
    resources: { [RESOURCE]: { name: "Ledger", scopes: { read: "Read entries", write: "Add entries" } } },
    customers: [{ id: "acme", issuers: [{ issuer: IDP }] }],
    clients: [client],
    resolveSubject: ({ sub }) => (sub === "alice" ? { id: "alice" } : undefined),
    signingKey: appKey.privateJwk,
    record: (event) => void events.push(event),
    ...(options.opaque ? { accessToken: { format: "opaque" } } : {}),
    ...(options.nonces ? { dpop: { nonceSecret: crypto.getRandomValues(new Uint8Array(32)) } } : {}),
    fetch,
    now,
  });
  const api = server.protect({ scopes: ["read"] }, async (request, access) =>
    Response.json({ for: access.sub, said: await request.text() }),
  );
  fetch.serve(IDP, idp);
  fetch.serve(APP, async (request) => {
    const own = await server.tryFetch(request);
    return own ?? (new URL(request.url).pathname === "/mcp" ? api(request) : new Response(null, { status: 404 }));
  });

  const identity = (clientId: string, clientSecret: string) =>
    assertions
      ? ({ method: "private_key_jwt", clientId, signer: agentKey.signer } as const)
      : ({ method: "client_secret_basic", clientId, clientSecret } as const);
  const world: World = {
    clock,
    policy: undefined,
    refusals: [],
    events,
    calls,
    server,
    fetch,
    idpKey,
    agent: (more = {}) =>
      createAgent({
        idp: { issuer: IDP, client: identity(AGENT, SECRETS.idp) },
        apps: [{ issuer: APP, client: identity(AGENT_AT_APP, SECRETS.app) }],
        fetch,
        now,
        ...more,
      }),
    async signIn(more) {
      const started = await world.agent(more).startSignIn({ redirectUri: CALLBACK });
      const back = await fetch(started.url, { redirect: "manual" });
      return started.finish(back.headers.get("location") ?? "");
    },
    idToken: (changes = {}) => signJwt("JWT", { ...idTokenClaims(undefined), ...changes }, idpKey.signer),
    exchange: (form, headers = {}) =>
      idp(
        new Request(`${IDP}/token`, {
          method: "POST",
          headers: {
            "content-type": "application/x-www-form-urlencoded",
            authorization: `Basic ${btoa(`${AGENT}:${encodeURIComponent(SECRETS.idp)}`)}`,
            ...headers,
          },
          body: form.toString(),
        }),
      ),
  };
  return world;

  function idTokenClaims(nonce: string | undefined): Readonly<Record<string, unknown>> {
    const { now: iat } = clock;
    return { iss: IDP, sub: "alice", aud: AGENT, iat, exp: iat + 600, auth_time: iat - 60, sid: "s1", nonce };
  }

  function createIdp(): Handler {
    const credential: ClientCredential = assertions
      ? { method: "private_key_jwt", keys: jwksKeys({ keys: [agentKey.publicJwk] }), algorithms: ["ES256"] }
      : { method: "client_secret_basic", secret: SECRETS.idp };
    const used = new Set<string>();
    const codes = new Map<string, { challenge: string; nonce: string }>();
    const markUsed = async (mark: string): Promise<"first" | "again"> => {
      if (used.has(mark)) return "again";
      used.add(mark);
      return "first";
    };
    const authenticate = async (authorization: string | null, form: Parameters<typeof readClientAuth>[1]) => {
      const presented = readClientAuth(authorization, form);
      if (!presented.ok) return presented;
      return authenticateClient(presented.value, {
        issuer: IDP,
        now: clock.now,
        markUsed,
        find: async (clientId) => (clientId === AGENT ? { client: { clientId }, credential } : undefined),
      });
    };
    const exchange: TokenExchangeHandler = tokenExchangeHandler<{ clientId: string }, { sub: string }>({
      issuer: IDP,
      now,
      dpop: {
        url: `${IDP}/token`,
        markUsed,
        ...(options.nonces ? { nonces: dpopNonces(crypto.getRandomValues(new Uint8Array(32))) } : {}),
      },
      ports: {
        authenticate: ({ authorization, form }) => authenticate(authorization, form),
        async verifySubject({ token, type, client: { clientId } }): Promise<Result<{ sub: string }>> {
          const jws = type === TOKEN_TYPES.idToken ? decodeJws(token) : undefined;
          if (jws === undefined) return refuse("subject-token-malformed");
          const keys = jwksKeys({ keys: [idpKey.publicJwk] });
          if ((await checkSignature(jws, [algorithm], keys)) !== undefined) return refuse("subject-token-signature");
          const { iss, aud, exp, sub } = jws.payload;
          if (iss !== IDP) return refuse("subject-token-issuer");
          if (aud !== clientId) return refuse("subject-token-audience");
          if (typeof exp !== "number" || exp <= clock.now) return refuse("subject-token-expired");
          return typeof sub === "string" ? ok({ sub }) : refuse("subject-token-malformed");
        },
        async decide({ subject: { sub }, audience, resource, scope = ["read"] }) {
          const basis = { connections: ["assistant-ledger"] };
          if (world.policy !== undefined) {
            const refusal = { reason: world.policy } as const;
            const reasons = [{ id: world.policy }];
            return world.policy === "sign-in-too-old"
              ? { ...basis, effect: "step-up", reasons, refusal, maxAge: 30 }
              : { ...basis, effect: "deny", reasons, refusal };
          }
          const app = { issuer: audience, clientId: AGENT_AT_APP, sub };
          const claims = { auth_time: clock.now - 60 };
          const reasons = [{ id: "connection-permits" }] as const;
          return { ...basis, effect: "permit", reasons, app, resource, scope, lifetime: 300, claims };
        },
        record: async ({ outcome, reasons }) => {
          if (outcome !== "permitted") world.refusals.push(reasons[0]?.id ?? "none");
        },
        sign: ({ typ }, claims) => signJwt(typ, claims, idpKey.signer),
      },
    });
    const metadata = {
      issuer: IDP,
      authorization_endpoint: `${IDP}/authorize`,
      token_endpoint: `${IDP}/token`,
      jwks_uri: `${IDP}/jwks`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      grant_types_supported: ["authorization_code", "refresh_token", TOKEN_EXCHANGE_GRANT],
      id_token_signing_alg_values_supported: [algorithm],
      subject_types_supported: ["public"],
      dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
      token_endpoint_auth_methods_supported: ["client_secret_basic", "private_key_jwt"],
      identity_chaining_requested_token_types_supported: [ID_JAG_TOKEN_TYPE],
    };
    /** The code flow, as far as an agent sees it: signs Alice in without asking. @see RFC 7636 §4.6 */
    async function redeemCode(request: Request): Promise<Response> {
      const form = parseForm(new Uint8Array(await request.arrayBuffer()));
      const client = form.ok ? await authenticate(request.headers.get("authorization"), form.value) : undefined;
      if (!form.ok || !client?.ok) return Response.json({ error: "invalid_client" }, { status: 401 });
      const verifier = new TextEncoder().encode(form.value.get("code_verifier") ?? "");
      const challenge = encodeBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", verifier)));
      const code = codes.get(form.value.get("code") ?? "");
      if (code?.challenge !== challenge) return Response.json({ error: "invalid_grant" }, { status: 400 });
      const idToken = await signJwt("JWT", idTokenClaims(code.nonce), idpKey.signer);
      return Response.json({ access_token: randomId(), token_type: "Bearer", expires_in: 600, id_token: idToken });
    }
    return async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      switch (pathname) {
        case "/.well-known/openid-configuration":
        case "/.well-known/oauth-authorization-server":
          return Response.json(metadata);
        case "/jwks":
          return Response.json({ keys: [idpKey.publicJwk] });
        case "/authorize": {
          const code = randomId();
          const [challenge = "", nonce = ""] = [searchParams.get("code_challenge"), searchParams.get("nonce")].map(
            (value) => value ?? "",
          );
          codes.set(code, { challenge, nonce });
          const location = new URL(CALLBACK);
          location.search = String(new URLSearchParams({ code, state: searchParams.get("state") ?? "", iss: IDP }));
          return new Response(null, { status: 302, headers: { location: location.href } });
        }
        case "/token": {
          const text = await request.clone().text();
          return text.includes("grant_type=authorization_code") ? redeemCode(request) : exchange(request);
        }
        default:
          return new Response(null, { status: 404 });
      }
    };
  }
}

async function key(alg: JwsAlgorithm): Promise<{ privateJwk: PrivateJwk; publicJwk: PublicJwk; signer: Signer }> {
  const { privateJwk, publicJwk } = await generateSigningKey(alg);
  return { privateJwk, publicJwk, signer: await importSigner(privateJwk) };
}

/** A network of fetch handlers, by origin. */
function router(calls: string[]): typeof globalThis.fetch & { serve(origin: string, handler: Handler): void } {
  const handlers = new Map<string, Handler>();
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const { origin } = new URL(request.url);
    calls.push(`${request.method} ${request.url}`);
    const handler = handlers.get(origin);
    if (handler === undefined) throw new TypeError(`nobody is at ${origin}`);
    request.signal.throwIfAborted();
    return handler(request);
  };
  // Node's types give fetch a member that no caller uses.
  return Object.assign(fetch as typeof globalThis.fetch, {
    serve: (origin: string, handler: Handler) => void handlers.set(origin, handler),
  });
}
