import { type Context, Hono } from "hono";
import type { Store } from "../store/store.ts";
import { notFound } from "./problem.ts";

/** What somebody is signed in by. Times in seconds since the epoch. */
export interface SignedIn {
  readonly sessions: readonly { readonly since: number; readonly until: number; readonly clients: readonly string[] }[];
  /** What agents may do for them without a session. */
  readonly grants: readonly { readonly client: string; readonly since: number; readonly renewed: number }[];
}

/** For the record: an admin has ended all that somebody was signed in by. */
export interface SessionsEnded {
  readonly code: "sessions.ended";
  readonly person: { readonly id: string };
}

/** What these operations need. */
export interface SessionPorts {
  readonly store: Pick<Store, "person" | "endSignIns">;
  /** What a person is signed in by, the latest first. */
  readonly signedIn: (person: string) => Promise<SignedIn>;
  /** Resolves when durable. */
  readonly record: (event: SessionsEnded) => Promise<void>;
}

/** What people are signed in by, below `/v1/sessions` of the admin API: to see it, and to end it. */
export function sessionRoutes(ports: SessionPorts): Hono {
  const app = new Hono();
  app.get("/:person", (c) => list(c, c.req.param("person"), ports));
  app.delete("/:person", (c) => end(c, c.req.param("person"), ports));
  return app;
}

async function list(c: Context, person: string, { store, signedIn }: SessionPorts): Promise<Response> {
  if ((await store.person(person)) === undefined) return notFound("people");
  const { sessions, grants } = await signedIn(person);
  return c.json({
    sessions: sessions.map(({ since, until, clients }) => ({ since, until, clients })),
    grants: grants.map(({ client, since, renewed }) => ({ client, since, renewed })),
  });
}

/** On record first: what can not be recorded does not happen. */
async function end(c: Context, person: string, { store, record }: SessionPorts): Promise<Response> {
  if ((await store.person(person)) === undefined) return notFound("people");
  await record({ code: "sessions.ended", person: { id: person } });
  return c.json({ ...(await store.endSignIns(person)) });
}
