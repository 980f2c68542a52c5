/**
 * A list of links with an API in Hono, on workers: Web APIs only. What an app developer copies is `createLinks`, with `store.ts`;
 * the links stand for whatever the app keeps.
 */
import { createResourceServer, type PrivateJwk, type ResourceStore } from "@credence/resource";
import { authorizationServer, protect } from "@credence/resource/hono";
import { Hono } from "hono";

export interface LinksOptions {
  /** Where the app is, and the issuer of its authorization server; the API is at `/links` below it. */
  readonly url: string;
  /** Issuer of the customer's IdP. */
  readonly idp: string;
  /** The agent, as it is registered here. */
  readonly client: { readonly id: string; readonly secret: string };
  /** Made once by `generateSigningKey`, and kept as a secret of the worker. */
  readonly signingKey: PrivateJwk;
  /** What was used and revoked, and who has an account: one for all the isolates that serve the app. */
  readonly store: ResourceStore;
  /** Allows `http:` on loopback addresses. */
  readonly development: boolean;
}

const READ = "links.read";
const LINKS = ["https://www.rfc-editor.org/rfc/rfc7523", "https://www.rfc-editor.org/rfc/rfc8693"];

/** Makes the app: authorization server, and API. */
export function createLinks({ url, idp, client, signingKey, store, development }: LinksOptions) {
  const server = createResourceServer({
    issuer: url,
    resources: { [`${url}/links`]: { name: "Links", scopes: { [READ]: "Read links" } } },
    customers: [{ id: "acme", issuers: [{ issuer: idp }] }],
    clients: [{ clientId: client.id, method: "client_secret_basic", clientSecret: client.secret }],
    // This app keeps nothing of people, so the subject's own key is the account's id.
    resolveSubject: ({ customer, iss, tenant, sub }) => ({ id: JSON.stringify([iss, tenant ?? null, sub]), customer }),
    signingKey,
    store,
    // To the worker's log. An app whose record must not lose a line keeps it where it keeps its data.
    record: ({ cause: _, ...event }) => console.log(JSON.stringify(event)),
    // Which addresses a worker reaches is the platform's own rule: it has no private network unless it is given one.
    development,
  });
  const app = new Hono();
  app.use(authorizationServer(server));
  app.get("/links", protect(server, { scopes: [READ] }), (c) => {
    const { sub, client_id: through } = c.get("access");
    return c.json({ for: sub, through, links: LINKS });
  });
  return app;
}
