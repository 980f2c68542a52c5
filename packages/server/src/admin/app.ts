import { CredenceError } from "@credence/protocol";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import type { Organization } from "../directory/types.ts";
import {
  applyOrganization,
  type ChangeOutcome,
  editOrganization,
  type OrganizationChanged,
  type OrganizationPorts,
  planOrganization,
} from "../organization/apply.ts";
import { exportOrganization, organizationDocument } from "../organization/export.ts";
import { summary } from "../organization/render.ts";
import type { Section } from "../organization/schema.ts";
import { FILE_LIMIT } from "../organization/yaml.ts";
import type { Store } from "../store/store.ts";
import { notFound, problem } from "./problem.ts";
import type { SessionsEnded } from "./sessions.ts";

/** What the admin API puts on record. */
export type AdminEvent =
  | OrganizationChanged
  | SessionsEnded
  | { readonly code: "factors.reset"; readonly person: { readonly id: string } };

/** What the admin API needs. */
export interface AdminPorts extends OrganizationPorts {
  readonly store: OrganizationPorts["store"] & Pick<Store, "person" | "resetFactors">;
  /** Resolves when durable. */
  readonly record: (event: AdminEvent) => Promise<void>;
  /** Told of what should not have happened; the answer says only that it did. */
  readonly onFault?: (error: unknown) => void;
}

/** Bytes of a small change. */
const EDIT_LIMIT = 16_384;

/**
 * The admin API: what the command, the console and a file under version control do to the organization. Whoever can
 * reach it may do everything: over a socket in a directory of the server's own user, that is who owns the data.
 *
 * @returns a Hono application, without a listener.
 */
export function adminApp(ports: AdminPorts): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.res.headers.set("cache-control", "no-store");
  });
  app.get("/v1/status", (c) => status(c, ports));
  app.get("/v1/organization", (c) => current(c, ports));
  app.post("/v1/organization/plan", limit(FILE_LIMIT), (c) => plan(c, ports));
  app.put("/v1/organization", limit(FILE_LIMIT), (c) => apply(c, ports));
  for (const section of ["people", "agents", "apps", "connections"] as const) {
    app.patch(`/v1/${section}/:id`, limit(EDIT_LIMIT), (c) => edit(c, section, c.req.param("id"), ports));
  }
  app.delete("/v1/people/:id/factors", (c) => resetFactors(c, c.req.param("id"), ports));
  app.notFound(() => problem(404, "not-found", "There is nothing here.", "See the documentation of the admin API."));
  app.onError((error) => fault(error, ports));
  return app;
}

async function status(c: Context, { store, now }: AdminPorts): Promise<Response> {
  const { revision, document } = await store.organization();
  const { name, demo, people, agents, apps, connections } = document;
  const counts = {
    people: people.length,
    agents: agents.length,
    apps: apps.length,
    connections: connections.length,
  };
  return c.json({ status: "ok", time: now(), organization: { name, demo, revision, ...counts } });
}

async function current(c: Context, { store }: AdminPorts): Promise<Response> {
  const { revision, document } = await store.organization();
  c.header("etag", `"${revision}"`);
  return c.json({ revision, text: exportOrganization(document), document: organizationDocument(document) });
}

async function plan(c: Context, ports: AdminPorts): Promise<Response> {
  const text = await bodyText(c);
  if (text === undefined) return notUtf8();
  const planned = await planOrganization(text, ports);
  if (planned.outcome === "problems") return unprocessable(planned.problems);
  const { revision, changes, warnings } = planned;
  return c.json({ revision, changes, warnings, summary: summary(changes) });
}

async function apply(c: Context, ports: AdminPorts): Promise<Response> {
  const expected = c.req.header("if-match");
  if (expected === undefined) {
    return problem(428, "revision-missing", "The revision is missing.", "Send If-Match with the revision of the plan.");
  }
  const revision = /^"?([0-9]{1,15})"?$/.exec(expected)?.[1];
  if (revision === undefined) {
    return problem(400, "revision-malformed", "If-Match holds no revision.", 'Send the revision of the plan, as "12".');
  }
  const text = await bodyText(c);
  if (text === undefined) return notUtf8();
  return changed(c, await applyOrganization(text, Number(revision), ports));
}

const editSchema = z.strictObject({ enabled: z.boolean() });

async function edit(c: Context, section: Section, id: string, ports: AdminPorts): Promise<Response> {
  const parsed = editSchema.safeParse(await bodyJson(c));
  if (!parsed.success) {
    return problem(
      400,
      "edit-malformed",
      "This is no change that can be made here.",
      'Send {"enabled": true} or false.',
    );
  }
  const outcome = await editOrganization((document) => withEnabled(document, section, id, parsed.data.enabled), ports);
  if (outcome === undefined) {
    return notFound(section);
  }
  return changed(c, outcome);
}

/**
 * Takes everything beside the password from somebody who has lost it, and ends what they are signed in by: whoever found it may
 * have used it. On record first: what can not be recorded does not happen.
 */
async function resetFactors(c: Context, id: string, { store, record }: AdminPorts): Promise<Response> {
  if ((await store.person(id)) === undefined) return notFound("people");
  await record({ code: "factors.reset", person: { id } });
  return c.json({ ...(await store.resetFactors(id)) });
}

function withEnabled(document: Organization, section: Section, id: string, enabled: boolean): Organization | undefined {
  if (!document[section].some((entry) => entry.id === id)) return undefined;
  return {
    ...document,
    [section]: document[section].map((entry) => (entry.id === id ? { ...entry, enabled } : entry)),
  };
}

function changed(c: Context, outcome: ChangeOutcome): Response {
  switch (outcome.outcome) {
    case "applied": {
      const { revision, changes, warnings } = outcome;
      c.header("etag", `"${revision}"`);
      return c.json({ revision, changes, warnings, summary: summary(changes) });
    }
    case "problems":
      return unprocessable(outcome.problems);
    case "conflict": {
      const { revision } = outcome;
      const detail = "Look at the plan anew, then apply it with its revision.";
      return problem(409, "conflict", "Somebody else changed the organization meanwhile.", detail, { revision });
    }
  }
}

function unprocessable(problems: readonly unknown[]): Response {
  const detail = "Nothing was changed. Mend each of the problems at its line and column.";
  return problem(422, "organization-invalid", "The organization file has problems.", detail, { problems });
}

function notUtf8(): Response {
  return problem(400, "not-utf-8", "The file is not UTF-8.", "Save it as UTF-8.");
}

/** Text that is not UTF-8 would be mended silently, and the organization be another than the file. */
async function bodyText(c: Context): Promise<string | undefined> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await c.req.arrayBuffer());
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export async function bodyJson(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function limit(bytes: number) {
  return bodyLimit({
    maxSize: bytes,
    onError: () => problem(413, "too-large", "The body is too large.", `At most ${bytes} bytes are taken.`),
  });
}

function fault(error: unknown, { onFault }: AdminPorts): Response {
  // Who goes away before their request has come to its end reads no answer, and nothing of ours has failed.
  if (error instanceof Error && error.message === "aborted" && "code" in error && error.code === "ECONNRESET") {
    return problem(400, "body-broken", "The body broke off.", "Send the whole of it.");
  }
  onFault?.(error);
  if (error instanceof CredenceError && error.code === "temporarily_unavailable") {
    return problem(
      503,
      "unavailable",
      "The store is not available; nothing was changed.",
      "Look into the server's log.",
    );
  }
  return problem(500, "fault", "Something failed that should not have.", "Look into the server's log.");
}
