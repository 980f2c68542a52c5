/**
 * Hostile requests at every endpoint of a whole IdP, over real sockets, on SQLite and on PostgreSQL. Whatever comes: an OAuth error, a
 * page, or the honest success; never a fault, and nothing is written but the record and what is counted.
 */
import { join } from "node:path";
import { addClientAuth } from "@credence/protocol/client-auth";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { generateSigningKey, importSigner, signJwt } from "@credence/protocol/jws";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { askAdmin } from "../../packages/server/src/admin/client.ts";
import { createTestSchema, type TestSchema } from "../../packages/server/src/store/postgresql.testing.ts";
import { LEDGER, MCP } from "../exchange.testing.ts";
import { ALICE, acme, CALLBACK, type House, SECRETS, startHouse } from "../house.testing.ts";
import { openBrowser, type Page } from "./browser.testing.ts";
import { COUNT, type Endpoint, fuzz } from "./fuzz.testing.ts";
import type { Request } from "./generate.testing.ts";
import { changedTables, postgresqlTables, sqliteTables, type Tables } from "./tables.testing.ts";

const robotKey = await generateSigningKey("ES256");
const robot = {
  method: "private_key_jwt",
  clientId: "robot",
  signer: await importSigner(robotKey.privateJwk),
} as const;
const dpopKey = await generateDpopKey();
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const basic = (id: string) => `Basic ${btoa(`${id}:${SECRETS[id]}`)}`;
const MINUTES = 60_000 * Math.ceil(2 + COUNT / 1_500);

describe.each(["SQLite", "PostgreSQL"] as const)("an IdP on %s", (backend) => {
  let schema: TestSchema | undefined;
  let house: House;
  let tokens: { readonly idToken: string; readonly accessToken: string; readonly refreshToken: string };
  let others: readonly string[];
  /** What the server has to tell its operator that should not have happened. */
  const faults: string[] = [];

  beforeAll(async () => {
    schema = backend === "PostgreSQL" ? await createTestSchema() : undefined;
    const write = (line: string) => void faults.push(line);
    house = await startHouse({
      server: {
        log: pino({ level: "error" }, { write }),
        // Who is turned away for sending too much has not shown what becomes of it.
        limits: { clientRequests: 0, failedRequests: 0, signIns: 0, forms: 0 },
        ...(schema === undefined ? {} : { store: schema.url }),
      },
    });
    const revision = await house.server.store.keyRingRevision();
    const organization = acme();
    const [assistant, ...rest] = organization.agents;
    const [connection] = organization.connections;
    if (assistant === undefined || connection === undefined) throw new Error("Acme has neither agent nor connection");
    const auth = { method: "private_key_jwt", jwks: { keys: [robotKey.publicJwk] } } as const;
    await house.change({
      ...organization,
      agents: [assistant, ...rest, { ...assistant, id: robot.clientId, name: "Robot", auth }],
      connections: [...organization.connections, { ...connection, id: "robot-ledger", agent: robot.clientId }],
    });
    tokens = await signedIn();
    const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: tokens.idToken });
    const { access_token: idJag } = await posted("/token", form, { authorization: basic("assistant") });
    const proof = await createDpopProof(dpopKey, {
      method: "POST",
      url: `${house.issuer}/token`,
      now: Date.now() / 1_000,
    });
    const strange = await signJwt("at+jwt", { iss: house.issuer, sub: "alice", aud: "assistant" }, robot.signer);
    others = [tokens.idToken, tokens.accessToken, tokens.refreshToken, String(idJag), proof, strange];
    // Seconds after the start the next signing key is made, which is no consequence of anything that is sent.
    await vi.waitFor(async () => expect(await house.server.store.keyRingRevision()).toBeGreaterThan(revision), 60_000);
  }, 120_000);
  afterAll(async () => {
    await house?.[Symbol.asyncDispose]();
    await schema?.drop();
  });

  async function posted(path: string, body: URLSearchParams, headers: Readonly<Record<string, string>>) {
    const answer = await fetch(house.issuer + path, { method: "POST", body, headers });
    const json: Record<string, unknown> = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${JSON.stringify(json)}`);
    return json;
  }

  const authorization = { response_type: "code", redirect_uri: CALLBACK, scope: "openid offline_access" } as const;
  const verifier = "v".repeat(43);
  const challenge = { code_challenge_method: "S256", code_challenge: "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM" };

  /** A code, for Alice and the assistant. */
  async function newCode(): Promise<string> {
    const { url } = await alice.browser.open(
      urlOf("/authorize", { client_id: "assistant", ...authorization, ...challenge }),
    );
    const code = new URL(url).searchParams.get("code");
    if (code === null) throw new Error(`no code at ${url}`);
    return code;
  }

  const alice = { browser: openBrowser(CALLBACK) };
  const urlOf = (path: string, query: Readonly<Record<string, string>>) =>
    `${house.issuer}${path}?${new URLSearchParams(query)}`;

  /** Signs Alice in, in her browser, page by page. */
  async function signedIn(): Promise<typeof tokens> {
    let page = await alice.browser.open(
      urlOf("/authorize", { client_id: "assistant", ...authorization, ...challenge }),
    );
    for (let step = 0; step < 4 && page.forms.length > 0; step++) page = await filled(page);
    const code = new URL(page.url).searchParams.get("code") ?? "";
    const answer = await posted("/token", codeForm(code), { authorization: basic("assistant") });
    const [idToken, accessToken, refreshToken] = [answer.id_token, answer.access_token, answer.refresh_token].map(
      String,
    );
    return { idToken: idToken ?? "", accessToken: accessToken ?? "", refreshToken: refreshToken ?? "" };
  }

  async function filled({ forms }: Page): Promise<Page> {
    const [form] = forms;
    if (form === undefined) throw new Error("a page without a form");
    const answers = { ...form.fields, ...("email" in form.fields ? { email: ALICE.email } : {}) };
    return alice.browser.open(form.action, "password" in answers ? { ...answers, password: ALICE.password } : answers);
  }

  const codeForm = (code: string) =>
    new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: verifier });

  /** What the store holds, once nobody writes any more: a client that has gone does not wait for the end of its request. */
  async function settledTables(): Promise<Tables> {
    const read = async () => (schema === undefined ? sqliteTables(house.dataDir) : postgresqlTables(schema));
    for (let last = await read(); ; ) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const next = await read();
      if (changedTables(last, next).every((name) => name.startsWith("audit_"))) return next;
      last = next;
    }
  }

  /** Sends what is hostile, and looks at what was written. */
  async function endures(endpoint: Partial<Endpoint> & Pick<Endpoint, "kind" | "good">, writes: readonly string[]) {
    const { port, hostname: host } = new URL(house.issuer);
    const before = await settledTables();
    faults.length = 0;
    const fuzzed = await fuzz({
      to: { host, port: Number(port) },
      secrets: [...Object.values(SECRETS), ALICE.password, tokens.refreshToken],
      redirects: new RegExp(`^(${house.issuer}/|http://127\\.0\\.0\\.1(:\\d+)?/callback\\?)`),
      check: () => faults[0],
      ...endpoint,
    });
    console.log(
      `${backend}: ${fuzzed.requests} requests, ${JSON.stringify(fuzzed.statuses)}, ${(fuzzed.growth / 1e6).toFixed(1)} MB`,
    );
    expect(fuzzed.requests).toBeGreaterThanOrEqual(COUNT);
    const allowed = ["audit_events", "audit_heads", ...writes];
    expect(changedTables(before, await settledTables()).filter((name) => !allowed.includes(name))).toEqual([]);
    // It is still there, for those who ask well.
    const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: tokens.idToken });
    expect(await posted("/token", form, { authorization: basic("assistant") })).toHaveProperty("access_token");
  }

  const now = () => Date.now() / 1_000;
  const ofToken = (form: URLSearchParams, headers: Request["headers"] = {}): Request => ({
    method: "POST",
    target: "/token",
    headers: { ...FORM, ...headers },
    form,
    tokens: others,
  });

  test("token exchange, by secret", { timeout: MINUTES }, async () => {
    const good = () => {
      const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: tokens.idToken });
      form.set("scope", "ledger.read");
      return ofToken(form, { authorization: basic("assistant") });
    };
    await endures({ kind: "oauth", good }, ["single_use"]);
  });

  test("token exchange, by assertion and bound to a key", { timeout: MINUTES }, async () => {
    const good = async () => {
      const asked = { audience: LEDGER, resource: MCP, subjectToken: tokens.idToken };
      const form = buildTokenExchangeRequest(asked);
      await addClientAuth(form, robot, house.issuer, now());
      form.set("authorization_details", '[{"type":"account","actions":["read"]}]');
      return ofToken(form, {
        dpop: await createDpopProof(dpopKey, { method: "POST", url: `${house.issuer}/token`, now: now() }),
      });
    };
    await endures({ kind: "oauth", good }, ["single_use"]);
  });

  test("token exchange, of a refresh token", { timeout: MINUTES }, async () => {
    const good = () => {
      const form = buildTokenExchangeRequest({ audience: LEDGER, resource: MCP, subjectToken: tokens.refreshToken });
      form.set("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token");
      return ofToken(form, { authorization: basic("assistant") });
    };
    await endures({ kind: "oauth", good }, ["single_use"]);
  });

  test("codes for tokens", { timeout: MINUTES }, async () => {
    const good = async () => ofToken(codeForm(await newCode()), { authorization: basic("assistant") });
    await endures({ kind: "oauth", good }, ["single_use", "artifacts"]);
  });

  test("refresh tokens", { timeout: MINUTES }, async () => {
    const good = async () => {
      const { refresh_token } = await posted("/token", codeForm(await newCode()), {
        authorization: basic("assistant"),
      });
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: String(refresh_token),
        scope: "openid",
      });
      return ofToken(form, { authorization: basic("assistant") });
    };
    await endures({ kind: "oauth", good }, ["single_use", "artifacts"]);
  });

  test("revocation", { timeout: MINUTES }, async () => {
    const good = async () => {
      const { refresh_token } = await posted("/token", codeForm(await newCode()), {
        authorization: basic("assistant"),
      });
      const form = { token: String(refresh_token), token_type_hint: "refresh_token" };
      return { ...ofToken(new URLSearchParams(form), { authorization: basic("assistant") }), target: "/revoke" };
    };
    await endures({ kind: "oauth", mayBeKept: true, good }, ["single_use", "artifacts"]);
  });

  test("authorization, of a stranger and of somebody signed in", { timeout: MINUTES }, async () => {
    let turn = 0;
    const good = async (): Promise<Request> => {
      const { cookie } = await alice.browser.open(`${house.issuer}/account`);
      const form = { client_id: "assistant", ...authorization, ...challenge, state: "s", nonce: "n" };
      turn += 1;
      return { method: "GET", target: "/authorize", headers: turn % 2 ? { cookie } : {}, form, tokens: others };
    };
    await endures({ kind: "page", good }, ["single_use", "artifacts"]);
  });

  test("userinfo", { timeout: MINUTES }, async () => {
    const headers = { authorization: `Bearer ${tokens.accessToken}` };
    const good = (): Request => ({ method: "GET", target: "/userinfo", headers, form: {}, tokens: others });
    await endures({ kind: "oauth", mayBeKept: true, good }, []);
  });

  test("metadata and keys", { timeout: MINUTES }, async () => {
    const targets = [
      "/jwks",
      "/.well-known/openid-configuration",
      "/.well-known/oauth-authorization-server",
      "/healthz",
      "/",
    ];
    let turn = 0;
    const good = (): Request => ({
      method: "GET",
      target: targets[turn++ % targets.length] ?? "/",
      form: {},
      tokens: others,
    });
    await endures({ kind: "page", good }, []);
  });

  test("the pages of the sign-in", { timeout: MINUTES }, async () => {
    let turn = 0;
    const good = async (): Promise<Request> => {
      const browser = openBrowser(CALLBACK);
      const query = { client_id: "assistant", ...authorization, ...challenge, login_hint: ALICE.email };
      let page = await browser.open(urlOf("/authorize", query));
      const email = page.forms[0];
      // Every other time the second page, with a password that is wrong.
      if (turn++ % 2 === 1 && email !== undefined)
        page = await browser.open(email.action, { ...email.fields, email: ALICE.email });
      const form = page.forms[0];
      if (form === undefined) throw new Error(`no form at ${page.url}: ${page.status} ${page.title} ${faults[0]}`);
      const fields = { ...form.fields, ...("password" in form.fields ? { password: "wrong" } : {}) };
      return ofPage(form.action, page.cookie, fields);
    };
    await endures({ kind: "page", good }, ["single_use", "artifacts", "attempts"]);
  });

  test("the forms of one's own account", { timeout: MINUTES }, async () => {
    const paths = ["/account/authenticator", "/account/passkeys/new", "/account"];
    let turn = 0;
    const good = async (): Promise<Request> => {
      const page = await alice.browser.open(house.issuer + (paths[turn++ % paths.length] ?? ""));
      const form = page.forms.find(({ action }) => !/end|sign-out|remove/.test(action)) ?? {
        action: page.url,
        fields: {},
      };
      return ofPage(form.action, page.cookie, { ...form.fields, code: "000000", name: "Key", answer: "{}" });
    };
    await endures({ kind: "page", good }, ["single_use", "artifacts", "attempts"]);
  });

  test("signing out", { timeout: MINUTES }, async () => {
    const good = (): Request => ({
      method: "GET",
      target: "/sign-out",
      form: { id_token_hint: tokens.idToken, client_id: "assistant", state: "s" },
      tokens: others,
    });
    await endures({ kind: "page", good }, ["single_use", "artifacts"]);
  });

  test("the admin socket", { timeout: MINUTES }, async () => {
    const { body } = await askAdmin(house.dataDir, { method: "GET", path: "/v1/organization" });
    const text = String(Object(body).text);
    const requests: readonly Request[] = [
      { method: "POST", target: "/v1/organization/plan", body: text, tokens: others },
      { method: "PATCH", target: "/v1/people/bob", body: '{"enabled":true}', tokens: others },
      { method: "PUT", target: "/v1/organization", headers: { "if-match": '"0"' }, body: text, tokens: others },
      { method: "GET", target: "/v1/status", tokens: others },
      { method: "GET", target: "/v1/keys", tokens: others },
    ];
    let turn = 0;
    const good = (): Request => requests[turn++ % requests.length] ?? { method: "GET", target: "/v1/status" };
    await endures({ kind: "admin", good, to: { path: join(house.dataDir, "admin.sock") } }, ["organization"]);
  });

  function ofPage(action: string, cookie: string, form: Readonly<Record<string, string>>): Request {
    const { pathname, search } = new URL(action);
    return { method: "POST", target: pathname + search, headers: { ...FORM, cookie }, form, tokens: others };
  }
});
