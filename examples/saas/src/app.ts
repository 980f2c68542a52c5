/**
 * One app of many customers, on Fastify: each customer's own IdP vouches for its own people, and nobody's for another's. What
 * an app developer copies is `createProjects`, with `customers.ts`; the projects stand for whatever the app keeps.
 */
import { createResourceServer, type PrivateJwk, type ReceiverEvent, type ResourceStore } from "@credence/resource";
import { accessOf, authorizationServer, protect } from "@credence/resource/fastify";
import { nodeFetch } from "@credence/resource/node";
import fastify, { type FastifyInstance } from "fastify";
import type { Customers, Person } from "./customers.ts";

export interface ProjectsOptions {
  /** Where the app is, and the issuer of its authorization server; the API is at `/api` below it. */
  readonly url: string;
  readonly customers: Customers;
  /** The agent, as it is registered here: once, for all customers that use it. */
  readonly client: { readonly id: string; readonly secret: string };
  /** Made once by `generateSigningKey`, and kept where secrets are kept. */
  readonly signingKey: PrivateJwk;
  /** What was used and revoked, shared by all processes of the app. */
  readonly store: ResourceStore;
  /** Takes what happened, with the exact reason of a refusal. */
  readonly record: (event: ReceiverEvent) => void | Promise<void>;
  /** Allows `http:` on loopback addresses. */
  readonly development?: boolean;
}

const READ = "projects.read";
const WRITE = "projects.write";

/** Makes the app: one authorization server, one API, and the projects of each customer. */
export function createProjects(options: ProjectsOptions): FastifyInstance {
  const { url, customers, client, development = false } = options;
  const server = createResourceServer<Person>({
    issuer: url,
    resources: { [`${url}/api`]: { name: "Projects", scopes: { [READ]: "See projects", [WRITE]: "Start projects" } } },
    // A look-up and no list: customers come and go while the app runs.
    customers: customers.find,
    clients: [{ clientId: client.id, method: "client_secret_basic", clientSecret: client.secret }],
    resolveSubject: customers.resolve,
    provision: customers.provision,
    signingKey: options.signingKey,
    store: options.store,
    record: options.record,
    fetch: nodeFetch({ allowLoopback: development }),
    development,
  });

  const projects = new Map<string, string[]>();
  const projectsOf = (customer: string): string[] => projects.get(customer) ?? [];

  const app = fastify();
  app.register(authorizationServer(server));
  // The customer comes from the access token: no path and no parameter of a request can name another one.
  app.get("/api/projects", { onRequest: protect(server, { scopes: [READ] }) }, async (request) => {
    const { customer } = accessOf(request);
    return { customer, projects: projectsOf(customer) };
  });
  app.post<{ Body: { name: string } }>(
    "/api/projects",
    { onRequest: protect(server, { scopes: [READ, WRITE] }), schema: { body: NEW_PROJECT } },
    async (request, reply) => {
      const { customer, sub: by } = accessOf(request);
      projects.set(customer, [...projectsOf(customer), request.body.name]);
      return reply.code(201).send({ name: request.body.name, by });
    },
  );
  return app;
}

const NEW_PROJECT = {
  type: "object",
  required: ["name"],
  properties: { name: { type: "string", minLength: 1, maxLength: 100 } },
};
