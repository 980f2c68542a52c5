/** (d) Redemption at an app that uses `@credence/resource` on node:http; each ID-JAG is fresh, and counts once. */
import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { generateSigningKey } from "@credence/protocol/jws";
import { buildJwtBearerRequest } from "@credence/protocol/jwt-bearer";
import { es256Key, signJwt } from "./es256.ts";
import { startServerProcess } from "./harness/child.ts";
import type { Subject } from "./harness/subject.ts";
import { FORM } from "./requests.ts";

export const IDP_ISSUER = "https://idp.acme.example";
export const SCOPES = { "ledger.read": "Read entries", "ledger.write": "Add entries" };
export const APP_CLIENT = {
  clientId: "ledger-assistant",
  method: "client_secret_basic",
  clientSecret: "a-secret-of-the-assistant-at-the-app",
} as const;

const APP_BASIC = { authorization: `Basic ${btoa(`${APP_CLIENT.clientId}:${APP_CLIENT.clientSecret}`)}` };

export async function startApp(folder: string): Promise<Subject> {
  const idp = await generateSigningKey("ES256");
  const key = es256Key(idp.privateJwk);
  const own = mkdtempSync(join(folder, "app-"));
  const { privateJwk: signingKey } = await generateSigningKey("ES256");
  const asked = { folder: own, jwks: { keys: [idp.publicJwk] }, signingKey };
  const server = await startServerProcess<{ url: string; resource: string }>("app.server.ts", asked, own);
  const { url, resource } = server.ready;
  return {
    name: "redemption",
    pid: server.pid,
    url: `${url}/token`,
    stop: server.stop,
    async posts(count) {
      return Array.from({ length: count }, () => {
        const assertion = signJwt("oauth-id-jag+jwt", idJagClaims(url, resource), key);
        return { headers: { ...FORM, ...APP_BASIC }, body: buildJwtBearerRequest({ assertion }).toString() };
      });
    },
  };
}

/** As our IdP makes them. */
function idJagClaims(audience: string, resource: string): object {
  const now = Math.floor(Date.now() / 1_000);
  return {
    iss: IDP_ISSUER,
    sub: "person-1",
    aud: audience,
    client_id: APP_CLIENT.clientId,
    jti: randomUUID(),
    iat: now,
    exp: now + 300,
    resource,
    scope: "ledger.read",
    auth_time: now,
    acr: "urn:credence:acr:password",
    amr: ["pwd"],
    email: "person-1@acme.example",
  };
}
