/** Checks access tokens in a process that does nothing else, and tells how long it took. */
import { generateSigningKey } from "@credence/protocol/jws";
import { nodeSigner } from "@credence/protocol/node";
import { type AccessTokenClaims, createResourceServer, memoryStore, signAccessToken } from "@credence/resource";
import { nodeCrypto } from "@credence/resource/node";
import { sqliteStore } from "@credence/resource/sqlite";
import { importJWK, jwtVerify } from "jose";
import { median } from "./harness/rounds.ts";
import { optionsOf, tellReady } from "./harness/server.ts";
import { IDP_ISSUER, SCOPES } from "./redemption.ts";

/** Microseconds of one check each: the median of the rounds. */
export interface CheckTimes {
  /** On the wall clock. */
  readonly seen: number;
  readonly seenSqlite: number;
  /** Of CPU. */
  readonly first: number;
  readonly jose: number;
}

const { folder, rounds, tokens: count } = optionsOf<{ folder: string; rounds: number; tokens: number }>();
const ISSUER = "https://ledger.example";
const RESOURCE = `${ISSUER}/mcp`;
const { privateJwk, publicJwk } = await generateSigningKey("ES256");
const signer = nodeSigner(privateJwk);
const joseKey = await importJWK(publicJwk, "ES256");
const times: Record<keyof CheckTimes, number[]> = { seen: [], seenSqlite: [], first: [], jose: [] };
const inMemory = serverOn(memoryStore());
const inSqlite = serverOn(sqliteStore(`${folder}/check.db`));
for (let round = 0; round <= rounds; round++) {
  const tokens = await Promise.all(
    Array.from({ length: count }, (_, number) => signAccessToken(claimsOf(number), signer)),
  );
  const first = await microseconds(tokens, (token) => expectGood(inMemory, token));
  const jose = await microseconds(tokens, (token) =>
    jwtVerify(token, joseKey, { issuer: ISSUER, audience: RESOURCE, typ: "at+jwt", algorithms: ["ES256"] }),
  );
  const seen = await microseconds(tokens, (token) => expectGood(inMemory, token));
  await microseconds(tokens, (token) => expectGood(inSqlite, token));
  const seenSqlite = await microseconds(tokens, (token) => expectGood(inSqlite, token));
  // The first round warms up.
  if (round === 0) continue;
  for (const [name, value] of Object.entries({
    first: first.cpu,
    jose: jose.cpu,
    seen: seen.wall,
    seenSqlite: seenSqlite.wall,
  }))
    times[name as keyof CheckTimes].push(value);
}
const { seen, seenSqlite, first, jose } = times;
tellReady({ seen: median(seen), seenSqlite: median(seenSqlite), first: median(first), jose: median(jose) });
process.disconnect();

function serverOn(store: ReturnType<typeof memoryStore>) {
  return createResourceServer({
    issuer: ISSUER,
    resources: { [RESOURCE]: { scopes: SCOPES } },
    customers: [],
    clients: [],
    resolveSubject: () => undefined,
    signingKey: privateJwk,
    store,
    crypto: nodeCrypto,
    record: () => undefined,
  });
}

async function expectGood(server: ReturnType<typeof serverOn>, token: string): Promise<void> {
  const checked = await server.check(token, { scopes: ["ledger.read"] });
  if (!checked.ok) throw new Error(checked.refusal.reason);
}

/** Of one, one after the other: on the wall clock, and of CPU, that of WebCrypto's threads included. */
async function microseconds(
  tokens: readonly string[],
  check: (token: string) => Promise<unknown>,
): Promise<{ readonly wall: number; readonly cpu: number }> {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  for (const token of tokens) await check(token);
  const { user, system } = process.cpuUsage(used);
  return { wall: ((performance.now() - begun) * 1_000) / tokens.length, cpu: (user + system) / tokens.length };
}

function claimsOf(person: number): AccessTokenClaims {
  const now = Math.floor(Date.now() / 1_000);
  return {
    iss: ISSUER,
    aud: RESOURCE,
    sub: `acme/person-${person}`,
    client_id: "ledger-assistant",
    jti: crypto.randomUUID(),
    iat: now,
    exp: now + 3_600,
    scope: "ledger.read",
    customer: "acme",
    acr: "urn:credence:acr:password",
    auth_time: now,
    root: { iss: IDP_ISSUER, jti: crypto.randomUUID(), iat: now, sub: `person-${person}`, auth_time: now },
  };
}
