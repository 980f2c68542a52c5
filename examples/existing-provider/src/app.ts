/** An app whose authorization server is oidc-provider already, and a small API: both gain ID-JAG by `registerJwtBearer`. */
import type { RequestListener } from "node:http";
import type { PrivateJwk, ReceiverEvent } from "@credence/resource";
import { accessOf, authorizationServer, nodeFetch, protect } from "@credence/resource/node";
import { idJagTokenClaims, type ProviderResourceServer, registerJwtBearer } from "@credence/resource/oidc-provider";
import { type Configuration, Provider } from "oidc-provider";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

export interface AppOptions {
  /** Issuer of the authorization server; the API is at `/notes` below it. */
  readonly issuer: string;
  /** Issuer of the customer's IdP. */
  readonly idp: string;
  /** The agent, as it is registered here. */
  readonly agent: { readonly id: string; readonly secret: string };
  readonly key: PrivateJwk;
  readonly record: (event: ReceiverEvent) => void | Promise<void>;
  /** Allows `http:` on loopback addresses. */
  readonly development?: boolean;
}

/** Makes the app. A real one has an adapter to its database, and `store` of `@credence/resource/postgresql` or another. */
export function createApp({ issuer, idp, agent, key, record, development = false }: AppOptions): RequestListener {
  const configuration: Configuration = {
    jwks: { keys: [key] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    clients: [
      {
        client_id: agent.id,
        client_secret: agent.secret,
        redirect_uris: [],
        response_types: [],
        // The agent redeems ID-JAGs here, and nothing else.
        grant_types: [JWT_BEARER],
      },
    ],
    features: {
      devInteractions: { enabled: false },
      introspection: {
        enabled: true,
        // A token whose ID-JAG was revoked is not active any more.
        allowedPolicy: async (_ctx, client, token) =>
          client.clientId === token.clientId && (token.kind !== "AccessToken" || (await idJags.isAlive(token))),
      },
    },
    // By these claims a revocation finds a token.
    extraTokenClaims: idJagTokenClaims,
  };
  const provider = new Provider(issuer, configuration);

  const idJags: ProviderResourceServer = registerJwtBearer(provider, {
    resources: { [`${issuer}/notes`]: { name: "Notes", scopes: { "notes.read": "Read notes" } } },
    customers: [{ id: "acme", issuers: [{ issuer: idp }] }],
    // By issuer and subject, never by email: here one customer's people have the same ids as at their IdP.
    resolveSubject: ({ customer, sub }) => ({ id: sub, customer }),
    record,
    fetch: nodeFetch({ allowLoopback: development }),
    development,
  });

  // The API's metadata and its check stand before oidc-provider, which answers everything else.
  const metadata = authorizationServer(idJags);
  const guard = protect(idJags, { scopes: ["notes.read"] });
  const provide = provider.callback();
  return (req, res) => {
    metadata(req, res, () => {
      if (req.url !== "/notes") return void provide(req, res);
      guard(req, res, () => {
        const { sub } = accessOf(req);
        res.writeHead(200, { "content-type": "application/json" });
        res.end(JSON.stringify({ notes: [`Something that ${sub} wrote down`] }));
      });
    });
  };
}
