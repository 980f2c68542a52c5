/** The requests that all subjects of an exchange get: the same form around an ID token of the same size. */
import { randomUUID } from "node:crypto";
import { buildTokenExchangeRequest } from "@credence/protocol/token-exchange";
import type { Post } from "./harness/wrk.ts";

/** The agent of the bench. */
export const AGENT = { clientId: "assistant", clientSecret: "a-secret-of-the-assistant-at-the-idp" };
/** An app of the bench, by number. */
export const appIssuer = (app: number): string => `https://app-${app}.example`;
const appResource = (app: number): string => `${appIssuer(app)}/mcp`;

export const FORM = { "content-type": "application/x-www-form-urlencoded" };
const BASIC = { authorization: `Basic ${btoa(`${AGENT.clientId}:${AGENT.clientSecret}`)}` };

/** An exchange with client_secret_basic. */
export function exchangeForm(idToken: string, app = 0): Post {
  const form = buildTokenExchangeRequest({
    subjectToken: idToken,
    audience: appIssuer(app),
    resource: appResource(app),
    scope: "ledger.read",
  });
  return { headers: { ...FORM, ...BASIC }, body: form.toString() };
}

/** Claims as of our ID tokens, for servers that only verify them. */
export function idTokenClaims(issuer = "http://127.0.0.1:8787"): object {
  const now = Math.floor(Date.now() / 1_000);
  return {
    sub: "person-1",
    sid: "Yq2mQvR3cXw0Zb1sTn4uKd5e",
    auth_time: now,
    acr: "urn:credence:acr:password",
    amr: ["pwd"],
    nonce: randomUUID(),
    at_hash: "kXbN1vQ2mZc4tYw7sRd8Kg",
    aud: AGENT.clientId,
    exp: now + 3_600,
    iat: now,
    iss: issuer,
  };
}
