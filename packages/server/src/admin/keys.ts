import { CredenceError } from "@credence/protocol";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import type { SecretRef } from "../directory/types.ts";
import type { KeyKeeper } from "../keys/keeper.ts";
import type { KekSource } from "../keys/kek.ts";
import type { KeyEncryption } from "../keys/key-encryption.ts";
import type { KeyEvent, KeyInfo } from "../keys/keyring.ts";
import type { KeyOrder, OrderRefusal } from "../keys/life.ts";
import { bodyJson } from "./app.ts";
import { kekSchema } from "./kek-schema.ts";
import { problem } from "./problem.ts";

/** What these operations need. */
export interface KeyPorts {
  readonly keeper: Pick<KeyKeeper, "list" | "order" | "rewrap">;
  /** Opens another key-encryption key; `mayCreate` makes a key file that is missing. @throws CredenceError */
  readonly openKek: (source: KekSource<SecretRef>, mayCreate: boolean) => KeyEncryption;
}

const BODY_LIMIT = 16_384;

/** Operations on the keys, below `/v1/keys` of the admin API. What was done is on record when they answer. */
export function keyRoutes(ports: KeyPorts): Hono {
  const app = new Hono();
  const small = bodyLimit({
    maxSize: BODY_LIMIT,
    onError: () => problem(413, "too-large", "The body is too large.", `At most ${BODY_LIMIT} bytes are taken.`),
  });
  app.get("/", (c) => c.json({ keys: ports.keeper.list().map(keyJson) }));
  app.post("/rotate", small, (c) => rotate(c, ports));
  app.post("/rewrap", small, (c) => rewrap(c, ports));
  for (const act of ["retire", "revoke"] as const) {
    app.post(`/:kid/${act}`, small, (c) => order(c, { do: act, kid: c.req.param("kid") ?? "" }, ports));
  }
  return app;
}

const rotateSchema = z.strictObject({
  use: z.enum(["idp", "audit"]).default("idp"),
  alg: z.enum(JWS_ALGORITHMS).optional(),
  now: z.boolean().default(false),
});

async function rotate(c: Context, ports: KeyPorts): Promise<Response> {
  const parsed = rotateSchema.safeParse(await bodyJson(c));
  if (!parsed.success) return malformed('Send {"use": "idp"}, with "alg" and "now": true where they are meant.');
  const { use, alg, now } = parsed.data;
  return order(c, { do: "rotate", use, now, ...(alg === undefined ? {} : { alg }) }, ports);
}

async function rewrap(c: Context, { keeper, openKek }: KeyPorts): Promise<Response> {
  const parsed = z.strictObject({ kek: kekSchema }).safeParse(await bodyJson(c));
  if (!parsed.success) return malformed(`"kek" ${parsed.error.issues[0]?.message ?? "is missing"}.`);
  try {
    return c.json({ events: await keeper.rewrap(openKek(parsed.data.kek, true)) });
  } catch (error) {
    if (!(error instanceof CredenceError) || error.code === "temporarily_unavailable") throw error;
    return problem(
      422,
      "key-encryption-key",
      "That key-encryption key can not be used; nothing was changed.",
      error.message,
    );
  }
}

async function order(c: Context, wanted: KeyOrder, { keeper }: KeyPorts): Promise<Response> {
  const outcome = await keeper.order(wanted);
  if ("reason" in outcome) return refused(outcome);
  return c.json({ events: outcome satisfies readonly KeyEvent[], keys: keeper.list().map(keyJson) });
}

function refused(refusal: OrderRefusal): Response {
  switch (refusal.reason) {
    case "key-unknown":
      return problem(404, "not-found", "There is no such key.", "credence keys list shows what there is.");
    case "key-signs":
      return problem(409, "key-signs", "This key signs.", "Rotate first (credence keys rotate), or revoke it.");
    case "key-gone":
      return problem(409, "key-gone", `This key is ${refusal.state} already.`, "Nothing is left to be done.");
    case "next-key-missing":
      return problem(409, "next-key-missing", "The next key is still being made.", "Try again in a few seconds.");
    case "next-key-too-new": {
      const from = new Date(refusal.from * 1_000).toISOString();
      const detail = `Who keeps the JWKS may not have it before ${from}. Wait until then; or use --now, and apps may refuse ID-JAGs for some minutes.`;
      return problem(409, "next-key-too-new", "The next key was published too lately.", detail, { from: refusal.from });
    }
  }
}

function malformed(detail: string): Response {
  return problem(400, "order-malformed", "This is no order that can be carried out.", detail);
}

function keyJson({ createdAt, activatedAt, retiringAt, endsAt, ...key }: KeyInfo) {
  return {
    ...key,
    created_at: createdAt,
    ...(activatedAt === undefined ? {} : { activated_at: activatedAt }),
    ...(retiringAt === undefined ? {} : { retiring_at: retiringAt }),
    ...(endsAt === undefined ? {} : { ends_at: endsAt }),
  };
}
