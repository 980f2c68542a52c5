/** An oidc-provider with a grant of its own that does a bare exchange: one verification, one signature, nothing kept. */
import { createServer } from "node:http";
import type { PrivateJwk } from "@credence/protocol/jws";
import { type Adapter, type AdapterPayload, errors, Provider } from "oidc-provider";
import { es256Key, signJwt, verifyJwt } from "./es256.ts";
import { optionsOf, ready, urlOf } from "./harness/server.ts";
import { AGENT } from "./requests.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const { jwk } = optionsOf<{ jwk: PrivateJwk }>();
const key = es256Key(jwk);
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

function exchange(ctx: Parameters<Parameters<Provider["registerGrantType"]>[1]>[0]): void {
  const claims = verifyJwt(String(ctx.oidc.params?.subject_token), key);
  if (claims === undefined) throw new errors.InvalidGrant("the subject token is not good");
  const now = Math.floor(Date.now() / 1_000);
  const granted = { ...claims, jti: String(++served), iat: now, exp: now + 300 };
  ctx.body = { access_token: signJwt("oauth-id-jag+jwt", granted, key), token_type: "N_A", expires_in: 300 };
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
