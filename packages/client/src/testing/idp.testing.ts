/** A small IdP: signs one person in without asking, renews with rotation, issues ID-JAGs as its switches say. */
import { parseForm } from "@credence/protocol";
import { authenticateClient, type ClientCredential, readClientAuth } from "@credence/protocol/client-auth";
import { type IdJagClaims, signIdJag } from "@credence/protocol/id-jag";
import {
  checkSignature,
  decodeJws,
  generateSigningKey,
  importSigner,
  type JwkSet,
  jwksKeys,
  signJwt,
} from "@credence/protocol/jws";
import {
  buildTokenExchangeAnswer,
  parseTokenExchangeRequest,
  TOKEN_TYPES,
  type TokenExchangeRequest,
} from "@credence/protocol/token-exchange";
import { json, startServer, type TestServer } from "./http.testing.ts";

export interface TestClock {
  /** Seconds since the epoch. */
  seconds: number;
}

export interface TestIdp {
  readonly issuer: string;
  readonly server: TestServer;
  readonly jwks: JwkSet;
  readonly counts: { code: number; refresh: number; exchange: number; revoked: string[] };
  /** Members that replace those of the published metadata; `undefined` removes one. */
  metadata: Record<string, unknown>;
  /** Seconds. */
  idTokenLifetime: number;
  /** Seconds that an answer of the token endpoint takes. */
  delay: number;
  /** The person that an ID token names. */
  subject: string;
  /** Instead of an ID-JAG; by turns of the exchange, counted from 1. */
  refuse: ((turn: number) => Response | undefined) | undefined;
  /** Claims that replace those of the ID-JAG. */
  claims: Partial<Record<keyof IdJagClaims, unknown>>;
  /** Members that replace those of the exchange's answer. */
  answer: Record<string, unknown>;
  /** What policy leaves of the scope that was asked for. */
  grantScope: (asked: readonly string[] | undefined) => readonly string[];
  /** Whether a refresh token counts once only. */
  rotates: boolean;
  /** Refresh tokens that still count. */
  readonly refreshTokens: Set<string>;
  idToken(changes?: Record<string, unknown>): Promise<string>;
}

const CLIENT = { clientId: "assistant", secret: "idp secret: with / signs" };
export const IDP_CLIENT = {
  method: "client_secret_basic",
  clientId: CLIENT.clientId,
  clientSecret: CLIENT.secret,
} as const;
// RFC 6749 §5.2: who tried the header is told so by the header.
const BASIC = { "www-authenticate": 'Basic realm="idp"' };
const CREDENTIAL: ClientCredential = { method: "client_secret_basic", secret: CLIENT.secret };

/** The client's ids at the apps' authorization servers, by issuer. */
export type ClientIds = ReadonlyMap<string, string>;

export async function startIdp(clock: TestClock, clientIds: ClientIds): Promise<TestIdp> {
  const { privateJwk, publicJwk } = await generateSigningKey("ES256");
  const signer = await importSigner(privateJwk);
  const keys = jwksKeys({ keys: [publicJwk] });
  const codes = new Map<string, { challenge: string; redirectUri: string; nonce: string | undefined }>();
  let serial = 0;

  const server = await startServer(async (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/.well-known/openid-configuration") return json(metadata());
    if (url.pathname === "/authorize") return authorize(url);
    if (url.pathname === "/signed-out") return new Response("Signed out");
    if (request.method !== "POST") return new Response(null, { status: 404 });
    const form = parseForm(new Uint8Array(await request.arrayBuffer()));
    if (!form.ok) return json({ error: "invalid_request" }, 400);
    const presented = readClientAuth(request.headers.get("authorization"), form.value);
    if (!presented.ok) return json({ error: "invalid_client" }, 401, BASIC);
    const client = await authenticateClient(presented.value, {
      find: async (id) =>
        id === CLIENT.clientId ? { client: { clientId: CLIENT.clientId }, credential: CREDENTIAL } : undefined,
      issuer: idp.issuer,
      now: clock.seconds,
      markUsed: async () => "first",
    });
    if (!client.ok) return json({ error: "invalid_client" }, 401, BASIC);
    const { get } = form.value;
    if (url.pathname === "/revoke") {
      idp.counts.revoked.push(get("token") ?? "");
      idp.refreshTokens.delete(get("token") ?? "");
      return new Response(null, { status: 200 });
    }
    await new Promise((resolve) => setTimeout(resolve, idp.delay * 1_000));
    switch (get("grant_type")) {
      case "authorization_code":
        return redeemCode(get("code") ?? "", get("code_verifier") ?? "", get("redirect_uri") ?? "");
      case "refresh_token":
        return refresh(get("refresh_token") ?? "");
      default: {
        const parsed = parseTokenExchangeRequest(form.value);
        return parsed.ok ? exchange(parsed.value) : json({ error: "invalid_request" }, 400);
      }
    }
  });

  function metadata(): Record<string, unknown> {
    return {
      issuer: idp.issuer,
      authorization_endpoint: `${server.origin}/authorize`,
      token_endpoint: `${server.origin}/token`,
      revocation_endpoint: `${server.origin}/revoke`,
      end_session_endpoint: `${server.origin}/signed-out`,
      jwks_uri: `${server.origin}/jwks`,
      response_types_supported: ["code"],
      id_token_signing_alg_values_supported: ["ES256"],
      authorization_response_iss_parameter_supported: true,
      ...idp.metadata,
    };
  }

  function authorize(url: URL): Response {
    const { searchParams } = url;
    const code = `code-${++serial}`;
    const back = new URL(searchParams.get("redirect_uri") ?? "");
    codes.set(code, {
      challenge: searchParams.get("code_challenge") ?? "",
      redirectUri: back.href,
      nonce: searchParams.get("nonce") ?? undefined,
    });
    back.search = String(
      new URLSearchParams({ code, state: searchParams.get("state") ?? "", iss: String(metadata().issuer) }),
    );
    return new Response(null, { status: 302, headers: { location: back.href } });
  }

  async function redeemCode(code: string, verifier: string, redirectUri: string): Promise<Response> {
    idp.counts.code++;
    const known = codes.get(code);
    codes.delete(code);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    const challenge = Buffer.from(digest).toString("base64url");
    if (known?.challenge !== challenge || known.redirectUri !== redirectUri)
      return json({ error: "invalid_grant" }, 400);
    return tokens({ nonce: known.nonce });
  }

  async function refresh(token: string): Promise<Response> {
    idp.counts.refresh++;
    if (!idp.rotates && idp.refreshTokens.has(token)) return tokens({}, token);
    return idp.refreshTokens.delete(token) ? tokens({}) : json({ error: "invalid_grant" }, 400);
  }

  async function tokens(changes: Record<string, unknown>, same?: string): Promise<Response> {
    const refreshToken = same ?? `refresh-${++serial}`;
    idp.refreshTokens.add(refreshToken);
    return json({
      access_token: `idp-access-${serial}`,
      token_type: "Bearer",
      expires_in: 60,
      id_token: await idp.idToken(changes),
      refresh_token: refreshToken,
    });
  }

  async function exchange(request: TokenExchangeRequest): Promise<Response> {
    const turn = ++idp.counts.exchange;
    const refusal = idp.refuse?.(turn);
    if (refusal) return refusal;
    const sub = await subjectOf(request);
    if (sub === undefined) return json({ error: "invalid_grant" }, 400);
    const scope = idp.grantScope(request.scope);
    const claims = {
      iss: idp.issuer,
      sub,
      aud: request.audience,
      client_id: clientIds.get(request.audience) ?? "unknown",
      jti: crypto.randomUUID(),
      iat: clock.seconds,
      exp: clock.seconds + 300,
      resource: request.resource[0],
      scope: scope.join(" "),
      ...idp.claims,
    };
    // Some tests want claims that the type forbids.
    const idJag = await signIdJag(claims as IdJagClaims, signer);
    return json({ ...buildTokenExchangeAnswer({ idJag, expiresIn: 300, scope }), ...idp.answer });
  }

  /** Of an ID token that is good, or of a refresh token that counts, which the exchange does not use up. */
  async function subjectOf({ subjectToken, subjectTokenType }: TokenExchangeRequest): Promise<string | undefined> {
    if (subjectTokenType === TOKEN_TYPES.refreshToken) {
      return idp.refreshTokens.has(subjectToken) ? idp.subject : undefined;
    }
    const subject = decodeJws(subjectToken);
    const good = subject && (await checkSignature(subject, ["ES256"], keys)) === undefined;
    return good && Number(subject.payload.exp) > clock.seconds ? String(subject.payload.sub) : undefined;
  }

  const idp: TestIdp = {
    issuer: server.origin,
    server,
    jwks: { keys: [publicJwk] },
    counts: { code: 0, refresh: 0, exchange: 0, revoked: [] },
    metadata: {},
    idTokenLifetime: 600,
    delay: 0,
    subject: "alice",
    refuse: undefined,
    rotates: true,
    claims: {},
    answer: {},
    grantScope: (asked) => asked ?? ["ledger.read"],
    refreshTokens: new Set(),
    idToken: (changes = {}) =>
      signJwt(
        "JWT",
        {
          iss: idp.issuer,
          sub: idp.subject,
          aud: CLIENT.clientId,
          iat: clock.seconds,
          exp: clock.seconds + idp.idTokenLifetime,
          auth_time: clock.seconds,
          jti: String(++serial),
          ...changes,
        },
        signer,
      ),
  };
  return idp;
}
