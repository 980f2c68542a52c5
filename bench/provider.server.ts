/** An oidc-provider with a grant of its own that does a bare exchange: one verification, one signature, nothing kept. */
import { createServer } from "node:http";
import type { PrivateJwk } from "@credence/protocol/jws";
import { importJWK, jwtVerify, SignJWT } from "jose";
import { type Adapter, type AdapterPayload, errors, Provider } from "oidc-provider";
import { es256Key, signJwt, verifyJwt } from "./es256.ts";
import { optionsOf, ready, urlOf } from "./harness/server.ts";
import { AGENT } from "./requests.ts";

/** What a grant of one's own signs and verifies with: jose, as oidc-provider itself does, or what is fastest on Node. */
export interface ProviderServerOptions {
  readonly jwk: PrivateJwk;
  readonly crypto: "jose" | "node";
}

interface Jwts {
  /** The claims of a JWT whose signature is good; `undefined` otherwise. */
  verify(token: string): Promise<object | undefined>;
  sign(claims: object): Promise<string>;
}

const TYP = "oauth-id-jag+jwt";
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const { jwk, crypto } = optionsOf<ProviderServerOptions>();
const jwts = crypto === "jose" ? await withJose() : withNodeCrypto();
let served = 0;

let serve: ReturnType<Provider["callback"]> | undefined;
const server = createServer((req, res) => void serve?.(req, res));
await ready(server, {});
serve = exchanger(urlOf(server)).callback();

function exchanger(issuer: string): Provider {
  const provider = new Provider(issuer, {
    // Its memory adapter forgets what is older than 1,000 entries.
    adapter: mapAdapter(),
    clients: [
      {
        client_id: AGENT.clientId,
        client_secret: AGENT.clientSecret,
        token_endpoint_auth_method: "client_secret_basic",
        id_token_signed_response_alg: "ES256",
        grant_types: [EXCHANGE],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys: [{ ...jwk }] },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ["a cookie key of this bench"] },
  });
  provider.registerGrantType(EXCHANGE, exchange, ["subject_token", "audience", "resource", "scope"], ["resource"]);
  return provider;
}

async function exchange(ctx: Parameters<Parameters<Provider["registerGrantType"]>[1]>[0]): Promise<void> {
  const claims = await jwts.verify(String(ctx.oidc.params?.subject_token));
  if (claims === undefined) throw new errors.InvalidGrant("the subject token is not good");
  const now = Math.floor(Date.now() / 1_000);
  const granted = { ...claims, jti: String(++served), iat: now, exp: now + 300 };
  ctx.body = { access_token: await jwts.sign(granted), token_type: "N_A", expires_in: 300 };
}

function mapAdapter(): (model: string) => Adapter {
  const kept = new Map<string, AdapterPayload>();
  return (model) => {
    const keyOf = (id: string): string => `${model} ${id}`;
    return {
      upsert: async (id, payload) => void kept.set(keyOf(id), payload),
      find: async (id) => kept.get(keyOf(id)),
      findByUid: async () => undefined,
      findByUserCode: async () => undefined,
      consume: async () => undefined,
      destroy: async (id) => void kept.delete(keyOf(id)),
      revokeByGrantId: async () => undefined,
    };
  };
}

async function withJose(): Promise<Jwts> {
  const { d: _, ...publicJwk } = { d: undefined, ...jwk };
  const [privateKey, publicKey] = [await importJWK({ ...jwk }, "ES256"), await importJWK(publicJwk, "ES256")];
  return {
    verify: async (token) => {
      try {
        return (await jwtVerify(token, publicKey)).payload;
      } catch {
        return undefined;
      }
    },
    sign: (claims) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", kid: jwk.kid, typ: TYP }).sign(privateKey),
  };
}

function withNodeCrypto(): Jwts {
  const key = es256Key(jwk);
  return { verify: async (token) => verifyJwt(token, key), sign: async (claims) => signJwt(TYP, claims, key) };
}
