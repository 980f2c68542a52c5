/** The app's authorization server with a code flow of its own: it asks nobody, and says no when it is told to. */
import { parseForm } from "@credence/protocol";
import type { TestApp } from "./app.testing.ts";
import { json, type TestServer } from "./http.testing.ts";

export interface TestCodeFlow {
  /** Registrations and authorizations, in order. */
  readonly registered: Record<string, unknown>[];
  readonly authorized: URLSearchParams[];
  /** Token requests, in order. */
  readonly tokens: { readonly form: URLSearchParams; readonly authorization: string | null }[];
  /** Parameters that replace those of the way back; `undefined` removes one. */
  back: Record<string, string | undefined>;
  /** Members that replace those of the token answer. */
  answer: Record<string, unknown>;
  /** Members that replace those of the registration's answer. */
  registration: Record<string, unknown>;
  readonly refreshTokens: Set<string>;
}

/** Gives an app a code flow, in place of ID-JAGs. */
export function giveCodeFlow(app: TestApp): TestCodeFlow {
  const { handler, origin } = app.as;
  const codes = new Map<string, { readonly challenge: string; readonly scope: string }>();
  let serial = 0;
  app.asMetadata = {
    grant_types_supported: ["authorization_code", "refresh_token"],
    authorization_grant_profiles_supported: [],
    registration_endpoint: `${origin}/register`,
    authorization_response_iss_parameter_supported: true,
    token_endpoint_auth_methods_supported: ["client_secret_basic", "none"],
  };
  const flow: TestCodeFlow = {
    registered: [],
    authorized: [],
    tokens: [],
    back: {},
    answer: {},
    registration: {},
    refreshTokens: new Set(),
  };

  function authorize({ searchParams }: URL): Response {
    flow.authorized.push(searchParams);
    const code = `app-code-${++serial}`;
    const scope = searchParams.get("scope") ?? "ledger.read";
    codes.set(code, { challenge: searchParams.get("code_challenge") ?? "", scope });
    const back = new URL(searchParams.get("redirect_uri") ?? "");
    const said = { code, state: searchParams.get("state") ?? "", iss: origin, ...flow.back };
    for (const [name, value] of Object.entries(said)) if (value !== undefined) back.searchParams.append(name, value);
    return new Response(null, { status: 302, headers: { location: back.href } });
  }

  async function register(request: Request): Promise<Response> {
    const asked = (await request.json()) as Record<string, unknown>;
    flow.registered.push(asked);
    const client = { ...asked, client_id: `registered-${++serial}`, client_secret: "of the registration" };
    return json({ ...client, ...flow.registration }, 201);
  }

  async function token(request: Request): Promise<Response> {
    const form = parseForm(new Uint8Array(await request.arrayBuffer()));
    if (!form.ok) return json({ error: "invalid_request" }, 400);
    const { get } = form.value;
    const names = ["grant_type", "code", "resource", "client_id", "refresh_token"];
    const seen = new URLSearchParams(names.map((name) => [name, get(name) ?? ""]));
    flow.tokens.push({ form: seen, authorization: request.headers.get("authorization") });
    const granted = codes.get(get("code") ?? "");
    if (get("grant_type") === "authorization_code") {
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(get("code_verifier")));
      if (granted?.challenge !== Buffer.from(digest).toString("base64url"))
        return json({ error: "invalid_grant" }, 400);
    } else if (!flow.refreshTokens.delete(get("refresh_token") ?? "")) return json({ error: "invalid_grant" }, 400);
    const [accessToken, refreshToken] = [`flow-access-${++serial}`, `flow-refresh-${serial}`];
    flow.refreshTokens.add(refreshToken);
    const scope = granted?.scope ?? "ledger.read";
    app.issued.set(accessToken, { scope, resource: app.resource, expiresAt: Number.POSITIVE_INFINITY });
    const answer = { access_token: accessToken, token_type: "Bearer", expires_in: 300, refresh_token: refreshToken };
    return json({ ...answer, scope, ...flow.answer });
  }

  const server: TestServer = app.as;
  server.handler = (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/authorize") return authorize(url);
    if (url.pathname === "/register") return register(request);
    return url.pathname === "/token" ? token(request) : handler(request);
  };
  return flow;
}
