/**
 * A notebook with a REST API in Express, that agents use on behalf of people. What an app developer copies is `createNotebook`;
 * the notes stand for whatever the app keeps.
 */
import { createResourceServer, type PrivateJwk, type ReceiverEvent, type SubjectKey } from "@credence/resource";
import { accessOf, authorizationServer, protect } from "@credence/resource/express";
import { nodeFetch } from "@credence/resource/node";
import { sqliteStore } from "@credence/resource/sqlite";
import express, { type Express } from "express";

export interface NotebookOptions {
  /** Where the notebook is, and the issuer of its authorization server; the API is at `/notes` below it. */
  readonly url: string;
  /** Issuer of the customer's IdP. */
  readonly idp: string;
  /** The agent, as it is registered here. */
  readonly client: { readonly id: string; readonly secret: string };
  /** Made once by `generateSigningKey`, and kept where secrets are kept. */
  readonly signingKey: PrivateJwk;
  /** File of what was used and revoked: every process of this machine may share it. */
  readonly store: string;
  /** Takes what happened, with the exact reason of a refusal. */
  readonly record: (event: ReceiverEvent) => void | Promise<void>;
  /** Allows `http:` on loopback addresses. */
  readonly development?: boolean;
}

interface Note {
  readonly text: string;
}

const READ = "notes.read";
const WRITE = "notes.write";

/** Makes the notebook: authorization server, and API. */
export function createNotebook({ url, idp, client, development = false, ...options }: NotebookOptions): Express {
  const people = new Map<string, { readonly id: string; readonly customer: string }>();
  const notes = new Map<string, Note[]>();
  const notesOf = (account: string): Note[] => notes.get(account) ?? [];

  const server = createResourceServer({
    issuer: url,
    resources: { [`${url}/notes`]: { name: "Notes", scopes: { [READ]: "Read notes", [WRITE]: "Write notes" } } },
    customers: [{ id: "acme", issuers: [{ issuer: idp, jit: true }] }],
    clients: [{ clientId: client.id, method: "client_secret_basic", clientSecret: client.secret }],
    resolveSubject: (subject) => people.get(keyOf(subject)),
    provision: (subject) => {
      const account = { id: crypto.randomUUID(), customer: subject.customer };
      people.set(keyOf(subject), account);
      return account;
    },
    signingKey: options.signingKey,
    store: sqliteStore(options.store),
    record: options.record,
    fetch: nodeFetch({ allowLoopback: development }),
    development,
  });

  const app = express();
  app.disable("x-powered-by");
  // Before every body parser: the token endpoint reads its form itself.
  app.use(authorizationServer(server));
  app.get("/notes", protect(server, { scopes: [READ] }), (req, res) => {
    res.json({ notes: notesOf(accessOf(req).sub) });
  });
  // All that the call needs: a client asks for exactly what the challenge names.
  app.post("/notes", protect(server, { scopes: [READ, WRITE] }), express.json(), (req, res) => {
    const note = readNote(req.body);
    if (note === undefined) return void res.status(400).json({ error: "text is missing, or not a text" });
    const account = accessOf(req).sub;
    notes.set(account, [...notesOf(account), note]);
    res.status(201).json(note);
  });
  return app;
}

/** People are known by issuer, tenant and subject: never by their email address. */
function keyOf({ iss, tenant, sub }: SubjectKey): string {
  return JSON.stringify([iss, tenant ?? null, sub]);
}

function readNote(body: unknown): Note | undefined {
  const text = typeof body === "object" && body !== null && "text" in body ? body.text : undefined;
  return typeof text === "string" && text !== "" ? { text } : undefined;
}
