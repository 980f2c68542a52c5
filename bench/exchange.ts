/**
 * (c) Our exchange, everything on: authentication, policy, liveness of the sign-in, the record. Whoever asks has really signed
 * in over HTTP; further ID tokens are that one with another nonce, signed with the server's own key.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { createAgent } from "@credence/client";
import { decodeJws, generateSigningKey, importSigner, type PrivateJwk } from "@credence/protocol/jws";
import { openUserAgent } from "../examples/demo/src/user-agent.ts";
import { type Es256Key, es256Key, signJwt } from "./es256.ts";
import type { PartEffort } from "./figures.ts";
import { startServerProcess } from "./harness/child.ts";
import { BenchError } from "./harness/error.ts";
import type { Subject } from "./harness/subject.ts";
import type { Post } from "./harness/wrk.ts";
import {
  APPS,
  CALLBACK,
  emailOf,
  KEY_AGENT,
  type OrganizationSize,
  PASSWORD,
  SIGNED_IN,
  USUAL,
} from "./organization.ts";
import { AGENT, exchangeForm, FORM } from "./requests.ts";

/** What may differ between two of them. */
export interface IdpOptions extends Partial<OrganizationSize> {
  /** Processes that answer. */
  readonly workers?: number;
  /** URL of a PostgreSQL database. */
  readonly store?: string;
  /** Milliseconds that each commit to SQLite takes longer. */
  readonly commitDelayMs?: number;
}

/** A server with people who have signed in. */
export interface Idp {
  readonly url: string;
  readonly pid: number;
  /** As many ID tokens, none like another. */
  idTokens(count: number, agent?: string): readonly string[];
  /** Exchanges with client_secret_basic and a fresh ID token each; with one ID token for ten apps; with private_key_jwt. */
  readonly subjects: Readonly<Record<"exchange" | "ten apps" | "private_key_jwt", Subject>>;
  stop(): Promise<void>;
}

export async function startIdp(effort: Pick<PartEffort, "folder" | "quick">, options: IdpOptions = {}): Promise<Idp> {
  const { folder, quick } = effort;
  const agentKeys = await generateSigningKey("ES256");
  const own = mkdtempSync(join(folder, "idp-"));
  const asked = { ...USUAL, ...options, folder: own, agentKey: agentKeys.publicJwk };
  const server = await startServerProcess<{ url: string; jwk: PrivateJwk }>("idp.server.ts", asked, own);
  const { url, jwk } = server.ready;
  const key = es256Key(jwk);
  const signedIn = await signIn(url, agentKeys.privateJwk, quick ? 1 : SIGNED_IN);
  const idTokens = (count: number, agent = AGENT.clientId): readonly string[] => {
    const claims = signedIn.get(agent) ?? [];
    return Array.from({ length: count }, (_, one) => freshIdToken(claims[one % claims.length] ?? {}, key));
  };
  const base = { url: `${url}/token`, pid: server.pid, stop: async () => undefined };
  return {
    url,
    pid: server.pid,
    idTokens,
    subjects: {
      exchange: { ...base, name: "exchange", posts: async (count) => idTokens(count).map((one) => exchangeForm(one)) },
      "ten apps": { ...base, name: "ten apps", posts: async (count) => forTenApps(idTokens(Math.ceil(count / APPS))) },
      private_key_jwt: {
        ...base,
        name: "private_key_jwt",
        posts: async (count) => assertionForms(idTokens(count, KEY_AGENT), url, es256Key(agentKeys.privateJwk)),
      },
    },
    stop: server.stop,
  };
}

type Claims = Readonly<Record<string, unknown>>;

/** Signs people in to both agents, as a browser does. @returns by agent, the claims of their ID tokens. */
async function signIn(
  issuer: string,
  agentKey: PrivateJwk,
  people: number,
): Promise<ReadonlyMap<string, readonly Claims[]>> {
  const secret = { method: "client_secret_basic", ...AGENT } as const;
  const byKey = { method: "private_key_jwt", clientId: KEY_AGENT, signer: await importSigner(agentKey) } as const;
  const claims = new Map<string, Claims[]>();
  for (const client of [secret, byKey]) {
    const agent = createAgent({ idp: { issuer, client }, apps: [], development: true });
    const tokens: Claims[] = [];
    for (let person = 0; person < people; person++) {
      const started = await agent.startSignIn({ redirectUri: CALLBACK });
      const end = await openUserAgent({ email: emailOf(person), password: PASSWORD }).browse(started.url, CALLBACK);
      if ("html" in end) throw new BenchError(`the sign-in ended at ${end.url} with ${end.status}: ${end.html}`);
      tokens.push(decodeJws((await started.finish(end.url)).signIn().idToken)?.payload ?? {});
    }
    claims.set(client.clientId, tokens);
  }
  return claims;
}

function freshIdToken(claims: Claims, key: Es256Key): string {
  const now = Math.floor(Date.now() / 1_000);
  return signJwt("JWT", { ...claims, nonce: randomUUID(), iat: now, exp: now + 3_600 }, key);
}

function forTenApps(tokens: readonly string[]): readonly Post[] {
  const apps = Array.from({ length: APPS }, (_, app) => app);
  return tokens.flatMap((token) => apps.map((app) => exchangeForm(token, app)));
}

function assertionForms(tokens: readonly string[], issuer: string, key: Es256Key): readonly Post[] {
  const now = Math.floor(Date.now() / 1_000);
  return tokens.map((token) => {
    const claims = { iss: KEY_AGENT, sub: KEY_AGENT, aud: issuer, jti: randomUUID(), iat: now, exp: now + 300 };
    const form = new URLSearchParams(exchangeForm(token).body);
    form.set("client_id", KEY_AGENT);
    form.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    form.set("client_assertion", signJwt("JWT", claims, key));
    return { headers: FORM, body: form.toString() };
  });
}
