/** The worker: its bindings, and the app made of them. What `main` of a `wrangler.toml` names. */
import { createLinks } from "./app.ts";
import { type DurableObjects, durableStore } from "./store.ts";

export { StoreObject } from "./store.ts";

/** The worker's variables, secrets and bindings. */
interface Env {
  readonly URL: string;
  readonly IDP: string;
  readonly CLIENT_ID: string;
  /** A secret. */
  readonly CLIENT_SECRET: string;
  /** A secret: a private JWK, as JSON. */
  readonly SIGNING_KEY: string;
  /** The class {@link StoreObject}, with storage in SQLite. */
  readonly STORE: DurableObjects;
  readonly DEVELOPMENT?: boolean;
}

/** One for each isolate, so that the IdP's keys are not fetched for every request. */
let app: ReturnType<typeof createLinks> | undefined;

export default {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    app ??= createLinks({
      url: env.URL,
      idp: env.IDP,
      client: { id: env.CLIENT_ID, secret: env.CLIENT_SECRET },
      signingKey: JSON.parse(env.SIGNING_KEY),
      store: durableStore(env.STORE),
      development: env.DEVELOPMENT ?? false,
    });
    return app.fetch(request);
  },
};
