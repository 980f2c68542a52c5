/** What holds behind every framework: one suite, passed by each adapter over HTTP and TLS on loopback. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, request } from "node:http";
import { createServer as createTlsServer, request as tlsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { createDpopProof, type DpopKey, generateDpopKey } from "@credence/protocol/dpop";
import { signIdJag } from "@credence/protocol/id-jag";
import { JWT_BEARER_GRANT } from "@credence/protocol/jwt-bearer";
import { parseChallenges } from "@credence/protocol/metadata";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newCertificate, type TestCertificate } from "../../../test/certificates.testing.ts";
import type { CertificateOptions } from "./certificate.ts";
import { basic, CLIENT, type Key, newKey } from "./house.testing.ts";
import type { ReceiverEvent } from "./record.ts";
import { createResourceServer, type ResourceServer } from "./server.ts";

/**
 * Makes an application of a framework, whose server is for one resource, `/api`: `GET /api/entries` needs `ledger.read` and
 * answers `{ account }`; `POST /api/entries` needs `ledger.write` too and answers `{ added }`, its JSON as the framework read it;
 * `POST /echo` is open and answers `{ echo }`; `GET /forgotten` asks for the claims without `protect`.
 */
export type MakeApp = (
  server: ResourceServer,
  options: CertificateOptions,
) => RequestListener | Promise<RequestListener>;

/** An answer, read to its end. */
interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of an answer that is JSON. */
  readonly json: Record<string, unknown>;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Iterable<string>;
  readonly certificate?: TestCertificate | undefined;
}

/** An application on loopback, with an IdP's key that it trusts. */
export interface AppHouse extends AsyncDisposable {
  readonly url: string;
  readonly server: ResourceServer;
  readonly events: ReceiverEvent[];
  readonly clock: { now: number };
  readonly alive: { down: boolean };
  send(path: string, sent?: Sent): Promise<Answered>;
  /** Redeems a fresh ID-JAG. */
  redeem(form?: Readonly<Record<string, string>>, sent?: Sent): Promise<Answered>;
  /** The access token of a redemption that must succeed. */
  token(scope?: string, sent?: Sent): Promise<string>;
}

const IDP = "https://idp.example";
const FORM = "application/x-www-form-urlencoded";
const AUTHORIZATION = basic(CLIENT.clientId, CLIENT.clientSecret);

/** Both are made once: making keys is slow. */
const listenerCertificate = newCertificate("ledger, at the end of a TLS connection on loopback");

/** Starts an application. @param vouched - Certificates of clients that the TLS listener takes; without it, no TLS. */
export async function appHouse(
  make: MakeApp,
  options: CertificateOptions = {},
  vouched?: readonly TestCertificate[],
): Promise<AppHouse> {
  const idp = await newKey();
  const own = await newKey();
  // Real time: frameworks and SDKs compare with the system's clock.
  const clock = { now: Math.floor(Date.now() / 1_000) };
  const alive = { down: false };
  const events: ReceiverEvent[] = [];
  let listener: RequestListener | undefined;
  const serve: RequestListener = (req, res) => listener?.(req, res);
  const tls = { ...listenerCertificate, requestCert: true, rejectUnauthorized: false };
  const http = vouched ? createTlsServer({ ...tls, ca: vouched.map(({ cert }) => cert) }, serve) : createServer(serve);
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo; // A TCP server that listens has one.
  const url = `${vouched ? "https" : "http"}://127.0.0.1:${port}`;
  const server = createResourceServer({
    issuer: url,
    resources: { [`${url}/api`]: { scopes: { "ledger.read": "Read entries", "ledger.write": "Add entries" } } },
    customers: [{ id: "acme", issuers: [{ issuer: IDP, jwks: { keys: [idp.publicJwk] } }] }],
    clients: [CLIENT],
    resolveSubject: ({ customer, sub }) => ({ id: `${customer}/${sub}`, customer }),
    signingKey: own.privateJwk,
    isAlive: () => {
      if (alive.down) throw new Error("connection lost");
      return true;
    },
    record: (event) => void events.push(event),
    now: () => clock.now,
    development: true,
  });
  listener = await make(server, options);
  const send: AppHouse["send"] = (path, sent) => sendTo(url, path, sent);
  const redeem: AppHouse["redeem"] = async (form = {}, sent = {}) => {
    const assertion = form.assertion ?? (await idJag(url, idp, clock.now));
    const body = new URLSearchParams({ grant_type: JWT_BEARER_GRANT, ...form, assertion }).toString();
    const headers = { "content-type": FORM, authorization: AUTHORIZATION, ...sent.headers };
    return send("/token", { ...sent, method: "POST", headers, body });
  };
  return {
    url,
    server,
    events,
    clock,
    alive,
    send,
    redeem,
    async token(scope = "ledger.read", sent = {}) {
      const { status, json } = await redeem({ scope }, sent);
      expect({ status, json }).toMatchObject({ status: 200 });
      return String(json.access_token);
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function idJag(issuer: string, { signer }: Key, now: number): Promise<string> {
  const claims = { iss: IDP, sub: "alice", aud: issuer, client_id: CLIENT.clientId, jti: crypto.randomUUID() };
  const allowed = { resource: `${issuer}/api`, scope: "ledger.read ledger.write" };
  return signIdJag({ ...claims, iat: now, exp: now + 300, ...allowed }, signer);
}

/** By hand, and not by fetch: for certificates, doubled headers and bodies that do not end. */
async function sendTo(url: string, path: string, sent: Sent = {}): Promise<Answered> {
  const { method = "GET", headers = {}, body = [], certificate } = sent;
  const options = { method, headers: { ...headers }, agent: false };
  const trusted = {
    ca: listenerCertificate.cert,
    ...(certificate ? { key: certificate.key, cert: certificate.cert } : {}),
  };
  const out = url.startsWith("https:")
    ? tlsRequest(url + path, { ...options, ...trusted })
    : request(url + path, options);
  const answered = once(out, "response");
  // Whoever hears the answer early stops sending.
  let heard = false;
  out.once("response", () => {
    heard = true;
  });
  for (const chunk of typeof body === "string" ? [body] : body) {
    if (heard) break;
    if (!out.write(chunk)) await Promise.race([once(out, "drain"), answered]);
  }
  out.end();
  const [answer]: IncomingMessage[] = await answered;
  if (answer === undefined) throw new Error("no answer");
  const text = Buffer.concat(await answer.toArray()).toString("utf8");
  const got = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct))
    for (const one of values ?? []) got.append(name, one);
  const json = got.get("content-type")?.startsWith("application/json") && text !== "" ? JSON.parse(text) : {};
  return { status: answer.statusCode ?? 0, headers: got, text, json };
}

const bearer = (token: string): Sent => ({ headers: { authorization: `Bearer ${token}` } });
const challengeOf = ({ headers }: Answered) => parseChallenges(headers.get("www-authenticate"))[0];

/** A proof for a request of the house. */
async function proof(
  home: AppHouse,
  key: DpopKey,
  method: string,
  path: string,
  accessToken?: string,
): Promise<string> {
  return createDpopProof(key, { method, url: home.url + path, now: home.clock.now, accessToken });
}

/** A token that is bound to a DPoP key. */
async function boundToken(home: AppHouse, key: DpopKey, scope = "ledger.read"): Promise<string> {
  return home.token(scope, { headers: { dpop: await proof(home, key, "POST", "/token") } });
}

/** The suite. */
export function describeAdapter(name: string, make: MakeApp): void {
  describe(`behind ${name}`, () => {
    let home: AppHouse;
    beforeAll(async () => {
      home = await appHouse(make);
    });
    afterAll(() => home[Symbol.asyncDispose]());

    test("an ID-JAG is redeemed over HTTP, and its access token opens the API for the person's account", async () => {
      const redeemed = await home.redeem({ scope: "ledger.read" });
      expect(redeemed.json).toMatchObject({ token_type: "Bearer", scope: "ledger.read", resource: `${home.url}/api` });
      expect(redeemed.headers.get("cache-control")).toBe("no-store");
      const answer = await home.send("/api/entries", bearer(String(redeemed.json.access_token)));
      expect(answer).toMatchObject({ status: 200, json: { account: "acme/alice" } });
    });

    test("metadata, keys and the page about consent are answered", async () => {
      const metadata = await home.send("/.well-known/oauth-authorization-server");
      expect(metadata.json).toMatchObject({ issuer: home.url, token_endpoint: `${home.url}/token` });
      expect((await home.send("/.well-known/oauth-protected-resource/api")).json.resource).toBe(`${home.url}/api`);
      expect((await home.send("/jwks")).json.keys).toHaveLength(1);
      expect((await home.send("/authorize")).text).toContain("Nothing to approve here");
      expect(await home.send("/jwks", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
      expect((await home.send("/jwks", { method: "OPTIONS" })).status).toBe(204);
    });

    test("without a token: 401, where to look and what to ask for", async () => {
      const answer = await home.send("/api/entries");
      expect(answer.status).toBe(401);
      expect(challengeOf(answer)).toEqual({
        scheme: "bearer",
        parameters: {
          resource_metadata: `${home.url}/.well-known/oauth-protected-resource/api`,
          scope: "ledger.read",
        },
      });
    });

    test("step-up of scopes: 403 that names all that the call needs, and the wider token gets in", async () => {
      const send = async (token: string) =>
        home.send("/api/entries", {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify({ text: "Train" }),
        });
      const refused = await send(await home.token());
      expect(refused.status).toBe(403);
      expect(challengeOf(refused)?.parameters).toMatchObject({
        error: "insufficient_scope",
        scope: "ledger.read ledger.write",
      });
      const wider = await send(await home.token(challengeOf(refused)?.parameters.scope));
      expect(wider).toMatchObject({ status: 201, json: { added: { text: "Train" } } });
    });

    test.each<[string, (token: string) => Promise<string>, string]>([
      ["garbage", async () => "abc", "access-token-malformed"],
      ["a changed token", async (token) => `${token.slice(0, -20)}${"A".repeat(20)}`, "access-token-signature"],
      [
        "an expired token",
        async (token) => {
          home.clock.now += 300;
          return token;
        },
        "access-token-expired",
      ],
    ])("%s: 401 invalid_token, and the exact reason on record only", async (_, change, reason) => {
      const answer = await home.send("/api/entries", bearer(await change(await home.token())));
      expect(answer).toMatchObject({ status: 401, json: { error: "invalid_token" } });
      expect(home.events.at(-1)).toMatchObject({ reason, decisionId: answer.json.decision_id });
      expect(answer.text).not.toContain(reason);
    });

    test("two Authorization headers are no token, and the body of a form is no place for one", async () => {
      const token = await home.token();
      const both = { headers: { authorization: [`Bearer ${token}`, `Bearer ${token}`] } };
      expect((await home.send("/api/entries", both)).status).toBe(401);
      expect((await home.send(`/api/entries?access_token=${token}`)).status).toBe(401);
    });

    test("a revoked person's token is dead at once", async () => {
      await using own = await appHouse(make);
      const token = await own.token();
      expect((await own.send("/api/entries", bearer(token))).status).toBe(200);
      await own.server.revoke({ iss: IDP, sub: "alice" });
      expect((await own.send("/api/entries", bearer(token))).status).toBe(401);
      expect(own.events.at(-1)?.reason).toBe("access-token-revoked");
    });

    test("a check that can not run: 503, and nobody gets in", async () => {
      const token = await home.token();
      home.alive.down = true;
      const answer = await home.send("/api/entries", bearer(token));
      home.alive.down = false;
      expect(answer).toMatchObject({ status: 503, json: { error: "temporarily_unavailable" } });
    });

    test("claims that nobody checked are an error, and no pass", async () => {
      const answer = await home.send("/forgotten", bearer(await home.token()));
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain("acme/alice");
    });

    test("routes of the app get their requests whole", async () => {
      const body = JSON.stringify({ big: "x".repeat(80_000) });
      const answer = await home.send("/echo", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      expect(answer.json).toEqual({ echo: JSON.parse(body) });
      expect((await home.send("/nowhere")).status).toBe(404);
    });

    describe("a token that is bound to a DPoP key", () => {
      let key: DpopKey;
      let other: DpopKey;
      beforeAll(async () => {
        key = await generateDpopKey();
        other = await generateDpopKey();
      });
      const call = async (token: string, dpop: string | undefined, scheme = "DPoP"): Promise<Answered> => {
        const headers = { authorization: `${scheme} ${token}`, ...(dpop === undefined ? {} : { dpop }) };
        return home.send("/api/entries", { headers });
      };

      test("opens the API with a proof of that key, behind whatever host the request names", async () => {
        const token = await boundToken(home, key);
        expect((await call(token, await proof(home, key, "GET", "/api/entries", token))).status).toBe(200);
        const dpop = await proof(home, key, "GET", "/api/entries", token);
        const headers = { authorization: `DPoP ${token}`, dpop, host: "internal.example" };
        expect((await home.send("/api/entries?page=2", { headers })).status).toBe(200);
      });

      test.each<[string, (token: string) => Promise<string | undefined>, string, string]>([
        ["without a proof", async () => undefined, "DPoP", "access-token-proof"],
        [
          "as a bearer token",
          (token) => proof(home, key, "GET", "/api/entries", token),
          "Bearer",
          "access-token-proof",
        ],
        [
          "under another key",
          (token) => proof(home, other, "GET", "/api/entries", token),
          "DPoP",
          "access-token-proof",
        ],
        [
          "with a proof for another method",
          (token) => proof(home, key, "POST", "/api/entries", token),
          "DPoP",
          "dpop-method",
        ],
        ["with a proof for another path", (token) => proof(home, key, "GET", "/api/other", token), "DPoP", "dpop-url"],
        ["with a proof of no token", () => proof(home, key, "GET", "/api/entries"), "DPoP", "dpop-token"],
        [
          "with a proof that was used",
          async (token) => {
            const dpop = await proof(home, key, "GET", "/api/entries", token);
            expect((await call(token, dpop)).status).toBe(200);
            return dpop;
          },
          "DPoP",
          "dpop-replayed",
        ],
      ])("%s: 401", async (_, prove, scheme, reason) => {
        const token = await boundToken(home, key);
        expect((await call(token, await prove(token), scheme)).status).toBe(401);
        expect(home.events.at(-1)?.reason).toBe(reason);
      });
    });

    describe("a token request that is not good", () => {
      const parameters = { grant_type: JWT_BEARER_GRANT, assertion: "e30.e30.e30" };
      const good = new URLSearchParams(parameters).toString();
      test.each<[string, Sent, number, string]>([
        ["doubled parameters", { body: `${good}&assertion=e30.e30.e30` }, 400, "parameter-doubled"],
        ["doubled parameters under another spelling", { body: `${good}&%61ssertion=x` }, 400, "parameter-doubled"],
        ["too large a body", { body: `${good}&x=${"y".repeat(70_000)}` }, 400, "form-too-large"],
        [
          "JSON",
          { headers: { "content-type": "application/json" }, body: JSON.stringify(parameters) },
          400,
          "form-content-type",
        ],
        ["no body", { body: "" }, 400, "parameter-missing"],
        ["another method", { method: "PUT", body: good }, 405, "method-wrong"],
      ])("%s", async (_, sent, status, reason) => {
        const headers = { "content-type": FORM, authorization: AUTHORIZATION, ...sent.headers };
        const answer = await home.send("/token", { method: "POST", ...sent, headers });
        expect({ status: answer.status, error: answer.json.error }).toEqual({ status, error: "invalid_request" });
        expect(home.events.at(-1)?.reason).toBe(reason);
      });

      test("a body that never ends is refused at the limit", async () => {
        function* endless(): Generator<string> {
          for (;;) yield "x".repeat(16_384);
        }
        const headers = { "content-type": FORM, authorization: AUTHORIZATION };
        const answer = await home.send("/token", { method: "POST", headers, body: endless() });
        expect(answer).toMatchObject({ status: 400, json: { error: "invalid_request" } });
        expect(home.events.at(-1)?.reason).toBe("form-too-large");
      });
    });

    describe("a token that is bound to a certificate", () => {
      const known = newCertificate("the agent's own certificate, that the listener vouches for");
      const second = newCertificate("another agent's certificate, that the listener vouches for");
      const stranger = newCertificate("a stranger's certificate, that nobody vouches for at all");

      test("opens the API over TLS with that certificate, and with no other", async () => {
        await using tls = await appHouse(make, {}, [known, second]);
        const token = await tls.token("ledger.read", { certificate: known });
        const call = (certificate?: TestCertificate) => tls.send("/api/entries", { ...bearer(token), certificate });
        expect(await call(known)).toMatchObject({ status: 200, json: { account: "acme/alice" } });
        for (const wrong of [second, stranger, undefined]) {
          expect((await call(wrong)).status).toBe(401);
          expect(tls.events.at(-1)?.reason).toBe("access-token-proof");
        }
      });

      test("is not made for a certificate that nobody vouches for", async () => {
        await using tls = await appHouse(make, {}, [known]);
        await tls.token("ledger.read", { certificate: stranger });
        expect(tls.events.at(-1)).toMatchObject({ outcome: "granted" });
        expect(tls.events.at(-1)).not.toHaveProperty("binding");
      });

      const header = ({ der }: TestCertificate) => `:${der.toString("base64")}:`;

      test("comes by a proxy's header only where that is told", async () => {
        await using proxied = await appHouse(make, { clientCertHeader: true });
        const behind = (certificate: TestCertificate) => ({ "client-cert": header(certificate) });
        const token = await proxied.token("ledger.read", { headers: behind(known) });
        expect(proxied.events.at(-1)?.binding).toBe("certificate");
        const call = async (headers: Record<string, string>) => {
          const authorization = `Bearer ${token}`;
          return (await proxied.send("/api/entries", { headers: { authorization, ...headers } })).status;
        };
        expect(await call(behind(known))).toBe(200);
        expect(await call(behind(second))).toBe(401);
        expect(await call({})).toBe(401);
        expect(await call({ "client-cert": "garbage" })).toBe(401);
        const malformed = await proxied.redeem({}, { headers: { "client-cert": "garbage" } });
        expect([malformed.status, proxied.events.at(-1)?.reason]).toEqual([400, "certificate-malformed"]);
        // Elsewhere, anybody could have written that header.
        await home.token("ledger.read", { headers: behind(known) });
        expect(home.events.at(-1)).not.toHaveProperty("binding");
      });

      test("is not the proxy's own, where a proxy hands certificates on", async () => {
        await using proxied = await appHouse(make, { clientCertHeader: true }, [second]);
        await proxied.token("ledger.read", { certificate: second });
        expect(proxied.events.at(-1)).not.toHaveProperty("binding");
        await proxied.token("ledger.read", { certificate: second, headers: { "client-cert": header(known) } });
        expect(proxied.events.at(-1)?.binding).toBe("certificate");
      });
    });
  });
}
