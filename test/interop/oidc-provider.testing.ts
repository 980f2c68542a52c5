/**
 * ID-JAG as somebody else writes it: both grants by hand, with oidc-provider and jose and nothing of ours, so that what is
 * ours is tried against something that shares no line with it. As small as such code is: it is no model to copy.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import { type Configuration, errors, type Provider } from "oidc-provider";
import {
  findAccount,
  newJwk,
  type ProviderKey,
  REDIRECT,
  type RunningProvider,
  signsPeopleIn,
  startProvider,
} from "../oidc-provider.testing.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
const SCOPE = "ledger.read";

export const AGENT = { clientId: "assistant", clientSecret: "assistant-secret-at-the-idp" };
export const AT_LEDGER = { clientId: "ledger-assistant", clientSecret: "assistant-secret-at-the-ledger" };

/** Whom an IdP lets the agent act for, and where. */
export interface Rule {
  readonly people: readonly string[];
  /** Issuer of the app. */
  readonly app: string;
}

/** The configuration of an IdP that signs people in to the agent, before it knows of ID-JAG. */
export function idpConfiguration(key: ProviderKey): Configuration {
  return {
    ...signsPeopleIn(key),
    clients: [
      {
        client_id: AGENT.clientId,
        client_secret: AGENT.clientSecret,
        application_type: "native",
        redirect_uris: [REDIRECT],
        grant_types: ["authorization_code", "refresh_token", EXCHANGE],
      },
    ],
    features: { devInteractions: { enabled: false }, dPoP: { enabled: true } },
    findAccount,
  };
}

/** The configuration of an app's authorization server that knows the agent. */
export function appConfiguration(key: ProviderKey, grants: readonly string[] = [JWT_BEARER]): Configuration {
  return {
    ...signsPeopleIn(key),
    clients: [
      {
        client_id: AT_LEDGER.clientId,
        client_secret: AT_LEDGER.clientSecret,
        redirect_uris: [],
        response_types: [],
        grant_types: [...grants],
      },
    ],
    features: { devInteractions: { enabled: false }, dPoP: { enabled: true } },
  };
}

/** An IdP: oidc-provider, and the exchange by hand. */
export async function startPlainIdp(rule: Rule): Promise<RunningProvider> {
  const key = await newJwk("plain-idp");
  const configuration: Configuration = {
    ...idpConfiguration(key),
    discovery: { identity_chaining_requested_token_types_supported: [ID_JAG] },
  };
  return startProvider(
    () => configuration,
    (provider) => addExchange(provider, key, rule),
  );
}

function addExchange(provider: Provider, key: ProviderKey, rule: Rule): void {
  const parameters = ["requested_token_type", "subject_token", "subject_token_type", "audience", "resource", "scope"];
  provider.registerGrantType<Record<string, string>>(
    EXCHANGE,
    async (ctx) => {
      const { client, params } = ctx.oidc;
      if (params.requested_token_type !== ID_JAG) throw new errors.InvalidRequest("no such token type");
      const { payload } = await provider.IdToken.validate(params.subject_token ?? "", client).catch(() => {
        throw new errors.InvalidGrant("the ID token does not count");
      });
      const now = Math.floor(Date.now() / 1_000);
      if (Number(payload.exp) <= now) throw new errors.InvalidGrant("the ID token has expired");
      if (params.audience !== rule.app) throw new errors.InvalidTarget();
      if (!rule.people.includes(String(payload.sub))) throw new errors.AccessDenied("not for this person");
      const jkt = await proofKey(ctx.get("dpop"), "POST", provider.urlFor("token"));
      const claims = {
        client_id: AT_LEDGER.clientId,
        ...(params.resource === undefined ? {} : { resource: params.resource }),
        scope: SCOPE,
        ...(jkt === undefined ? {} : { cnf: { jkt } }),
      };
      ctx.body = {
        access_token: await new SignJWT(claims)
          .setProtectedHeader({ alg: "ES256", kid: key.kid, typ: "oauth-id-jag+jwt" })
          .setIssuer(provider.issuer)
          .setAudience(rule.app)
          .setSubject(String(payload.sub))
          .setJti(crypto.randomUUID())
          .setIssuedAt(now)
          .setExpirationTime(now + 300)
          .sign(await importJWK(key)),
        issued_token_type: ID_JAG,
        token_type: "N_A",
        expires_in: 300,
        scope: SCOPE,
      };
    },
    parameters,
  );
}

/** An app: oidc-provider, the redemption by hand, and an API at `/mcp`. */
export async function startPlainApp(idp: () => string): Promise<RunningProvider> {
  const key = await newJwk("plain-app");
  let app: Provider | undefined;
  return startProvider(
    () => ({
      ...appConfiguration(key),
      discovery: { authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"] },
    }),
    (provider, issuer) => {
      app = provider;
      addRedemption(provider, `${issuer}/mcp`, idp);
    },
    (issuer) => async (req, res) => app !== undefined && serveApi(req, res, app, issuer),
  );
}

function addRedemption(provider: Provider, resource: string, idp: () => string): void {
  provider.registerGrantType<Record<string, string>>(
    JWT_BEARER,
    async (ctx) => {
      const { client, params } = ctx.oidc;
      const assertion = params.assertion ?? "";
      const keys = createRemoteJWKSet(new URL(`${idp()}/jwks`));
      const expected = { issuer: idp(), audience: provider.issuer, typ: "oauth-id-jag+jwt", maxTokenAge: "10m" };
      const verified = await jwtVerify(assertion, keys, expected).catch(() => undefined);
      if (verified === undefined) throw new errors.InvalidGrant("the ID-JAG does not count");
      const { sub = "", client_id, jti = "", exp = 0, scope, cnf } = verified.payload;
      if (client_id !== client.clientId) throw new errors.InvalidGrant("another client's");
      if (verified.payload.resource !== resource) throw new errors.InvalidTarget();
      const jkt = await proofKey(ctx.get("dpop"), "POST", provider.urlFor("token"));
      const bound = (cnf as { jkt?: string } | undefined)?.jkt;
      if (bound !== undefined && bound !== jkt) throw new errors.InvalidGrant("bound to another key");
      if (!(await provider.ReplayDetection.unique(idp(), jti, exp))) throw new errors.InvalidGrant("redeemed before");
      const grant = new provider.Grant({ accountId: sub, clientId: client.clientId });
      const token = new provider.AccessToken({
        accountId: sub,
        client,
        grantId: await grant.save(),
        gty: JWT_BEARER,
        scope: String(scope),
        resourceServer: new provider.ResourceServer(resource, { scope: SCOPE, accessTokenTTL: 300 }),
      });
      if (jkt !== undefined) token.setThumbprint("jkt", jkt);
      ctx.body = {
        access_token: await token.save(),
        token_type: token.tokenType,
        expires_in: token.expiration,
        scope: token.scope,
        resource,
      };
    },
    ["assertion", "resource", "scope"],
  );
}

/** The API: who calls, by a token of the provider's; else the challenge. */
async function serveApi(
  req: IncomingMessage,
  res: ServerResponse,
  provider: Provider,
  issuer: string,
): Promise<boolean> {
  const resource = `${issuer}/mcp`;
  const metadata = "/.well-known/oauth-protected-resource/mcp";
  const json = (status: number, body: object, headers: Record<string, string> = {}): true => {
    res.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
    return true;
  };
  if (req.url === metadata) return json(200, { resource, authorization_servers: [issuer], scopes_supported: [SCOPE] });
  if (req.url !== "/mcp") return false;
  const [scheme = "", value = ""] = (req.headers.authorization ?? "").split(" ");
  const token = await provider.AccessToken.find(value);
  const { dpop } = req.headers;
  const jkt = typeof dpop === "string" ? await proofKey(dpop, req.method ?? "GET", resource, value) : undefined;
  const good = token?.aud === resource && token.jkt === jkt && scheme === token.tokenType;
  if (good) return json(200, { account: token.accountId, scope: token.scope, bound: token.jkt !== undefined });
  const challenge = `${token?.jkt === undefined ? "Bearer" : "DPoP"} resource_metadata="${issuer}${metadata}", scope="${SCOPE}"`;
  return json(401, { error: "invalid_token" }, { "www-authenticate": challenge });
}

/** The thumbprint of the key that a DPoP proof proves; `undefined` without a proof. @see RFC 9449 §4.3 */
async function proofKey(proof: string, method: string, url: string, accessToken?: string): Promise<string | undefined> {
  if (proof === "") return undefined;
  const verified = await jwtVerify(proof, EmbeddedJWK, { typ: "dpop+jwt", maxTokenAge: "60s" }).catch(() => undefined);
  const { htm, htu, ath } = verified?.payload ?? {};
  const hash = accessToken === undefined ? undefined : createHash("sha256").update(accessToken).digest("base64url");
  if (verified === undefined || htm !== method || htu !== url || ath !== hash)
    throw new errors.InvalidDpopProof("no good");
  return calculateJwkThumbprint(verified.protectedHeader.jwk as JWK);
}
