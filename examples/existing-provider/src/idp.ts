/** An IdP that runs oidc-provider already, and gains the issuing half of ID-JAG by `registerTokenExchange`. */

import type { IssuerDecision, Question } from "@credence/issuer";
import { registerTokenExchange, type SignedInAccount } from "@credence/issuer/oidc-provider";
import type { PrivateJwk } from "@credence/protocol/jws";
import { type Client, type Configuration, Provider } from "oidc-provider";
import { accountsOf, addSignInPage, loadExistingGrant, type Person, withoutConsent } from "./sign-in.ts";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

/** Who may use which app through which agent: what the organization decides. */
export interface Rule {
  readonly agent: string;
  /** Issuer of the app's authorization server, and the agent's client id there. */
  readonly app: { readonly issuer: string; readonly clientId: string };
  readonly resources: readonly string[];
  readonly people: readonly string[];
  readonly scopes: readonly string[];
}

export interface IdpOptions {
  readonly issuer: string;
  readonly people: readonly Person[];
  readonly agent: { readonly id: string; readonly secret: string; readonly redirectUri: string };
  readonly rules: readonly Rule[];
  /** Signs ID tokens, and ID-JAGs. */
  readonly key: PrivateJwk;
  readonly cookieKey: string;
  /** Takes every outcome: nothing is granted before it has resolved. */
  readonly record: (line: object) => Promise<void>;
  /** Marks a DPoP proof as used, for all processes, in one atomic step. */
  readonly markUsed: (key: string, expiresAt: number) => Promise<"first" | "again">;
}

/** Makes the IdP. A real one has an adapter to its database. */
export function createIdp({ issuer, people, agent, rules, key, markUsed, ...options }: IdpOptions): Provider {
  const findAccount = accountsOf(people);
  const configuration: Configuration = {
    jwks: { keys: [key] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    clients: [
      {
        client_id: agent.id,
        client_secret: agent.secret,
        application_type: "native",
        redirect_uris: [agent.redirectUri],
        // The agent may exchange: the one thing that its registration gains.
        grant_types: ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
      },
    ],
    responseTypes: ["code"],
    findAccount,
    loadExistingGrant,
    interactions: { policy: withoutConsent(), url: (_ctx, { uid }) => `/sign-in/${uid}` },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: [options.cookieKey] },
    // Seconds.
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 30 * 86_400,
      IdToken: 3_600,
      Interaction: 600,
      RefreshToken: 14 * 86_400,
      Session: 12 * 3_600,
    },
  };
  const provider = new Provider(issuer, configuration);
  addSignInPage(provider, people);

  // All that is new.
  registerTokenExchange(provider, {
    findAccount,
    signingKey: key,
    dpop: { markUsed },
    decide: async (question) => decide(question, rules),
    record: ({ decisionId, time, outcome, reasons, client, subject }) =>
      options.record({
        decisionId,
        time,
        outcome,
        reasons,
        agent: client?.clientId,
        person: subject?.account.accountId,
      }),
    onFault: (error, id) => console.error(id, error),
  });
  return provider;
}

/** The organization's policy, as short as it can be: one rule for an agent at an app. */
function decide(
  { client, subject, audience, resource, scope }: Question<Client, SignedInAccount>,
  rules: readonly Rule[],
): IssuerDecision {
  const basis = { connections: [] };
  const rule = rules.find(({ agent, app }) => agent === client.clientId && app.issuer === audience);
  const deny = (reason: "no-connection" | "person-not-covered" | "resource-unknown" | "scope-not-covered") =>
    ({ ...basis, effect: "deny", reasons: [{ id: reason }], refusal: { reason } }) as const;
  if (rule === undefined) return deny("no-connection");
  if (!rule.people.includes(subject.account.accountId)) return deny("person-not-covered");
  if (!resource.every((one) => rule.resources.includes(one))) return deny("resource-unknown");
  const granted = (scope ?? rule.scopes).filter((one) => rule.scopes.includes(one));
  if (granted.length === 0) return deny("scope-not-covered");
  return {
    ...basis,
    effect: "permit",
    reasons: [{ id: "connection-permits" }],
    // What the app would see of this person in single sign-on.
    app: { ...rule.app, sub: subject.account.accountId },
    resource: resource.length === 1 ? (resource[0] ?? "") : resource,
    scope: granted,
    lifetime: 300,
    claims: subject.authTime === undefined ? {} : { auth_time: subject.authTime },
  };
}
