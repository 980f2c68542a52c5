import { z } from "zod";
import { PASSWORD_HASH, parsePasswordHash } from "../directory/password-hash.ts";
import { DURATION, parseDuration } from "./duration.ts";
import {
  CLIENT_ID,
  EMAIL,
  ENVIRONMENT_NAME,
  ID,
  isIssuer,
  isObjectMember,
  isRedirectUri,
  isResource,
  PEOPLE,
  SCOPE,
} from "./rules.ts";

/**
 * The organization file, exactly as it is written. Descriptions serve twice: editors show them (JSON schema), and a
 * problem's mending is the description of the place where it is.
 */

const id = z
  .string()
  .regex(ID, { error: "is not an id" })
  .describe("Letters, digits and . _ ~ @ + -, beginning with a letter or digit; at most 128 characters. Never reused.");
const clientId = z
  .string()
  .regex(CLIENT_ID, { error: "is not a client id" })
  .describe("A client id: printable ASCII without spaces, beginning with a letter or digit; it may be an https URL.");
const agentId = clientId
  .refine((value) => !isObjectMember(value), { error: "is a word that is taken" })
  .describe("The agent's client id here: printable ASCII without spaces; it may be an https URL. Never reused.");
const name = z
  .string()
  .regex(/^[^\p{Cc}]*$/u, { error: "has control characters" })
  .min(1, { error: "is empty" })
  .max(200, { error: "is too long" })
  .describe("A name for people to read, at most 200 characters.");
const enabled = z.boolean().default(true).describe("false switches it off without forgetting it; true by default.");
const scope = z.string().regex(SCOPE, { error: "is not a scope" }).describe("One scope of the app, without spaces.");
const resource = z
  .string()
  .refine(isResource, { error: "is not a resource identifier" })
  .describe("An absolute URI without a fragment, https (http only on loopback); compared letter by letter.");
const redirectUri = z
  .string()
  .refine(isRedirectUri, { error: "is not a redirect URI" })
  .describe("https, http on 127.0.0.1 or [::1] (any port), or a private scheme like com.example.app:/callback.");

function duration(least: number, most: number, text: string) {
  return z
    .string()
    .regex(DURATION, { error: "is not a duration" })
    .refine((value) => within(parseDuration(value), least, most), { error: "is out of bounds" })
    .describe(text);
}

function within(value: number | undefined, least: number, most: number): boolean {
  return value !== undefined && value >= least && value <= most;
}

/** A list in which nothing stands twice. */
function list<T extends z.ZodType<string>>(item: T) {
  return z
    .array(item)
    .max(10_000, { error: "is too long" })
    .refine((values) => new Set(values).size === values.length, { error: "has something twice" });
}

export const personSchema = z.strictObject({
  id,
  email: z
    .string()
    .max(254, { error: "is too long" })
    .regex(EMAIL, { error: "is not an email address" })
    .describe("An address like alice@acme.example; unique, whatever the case. People sign in with it."),
  name,
  groups: list(id).default([]).describe("Names of groups; a group exists by its members."),
  enabled,
  password_hash: z
    .string()
    .regex(PASSWORD_HASH, { error: "is not an argon2id hash" })
    .refine((value) => parsePasswordHash(value) !== undefined, { error: "has a cost out of bounds" })
    .optional()
    .describe(
      "What `credence password-hash` prints, in quotes where it stands within { }, because it has commas. Without it, the person can not sign in with a password.",
    ),
});

const secret = z
  .union(
    [
      z.strictObject({
        env: z.string().regex(ENVIRONMENT_NAME).describe("Name of an environment variable of the server."),
      }),
      z.strictObject({ file: z.string().min(1).max(4096).describe("Path of a file on the server, mode 0600.") }),
      z.strictObject({ unchanged: z.literal(true).describe("Keeps the agent's secret as the server has it.") }),
      z.string().min(1).max(1024).describe("The secret itself; only with demo: true, on a loopback issuer."),
    ],
    { error: "is not a secret's source" },
  )
  .describe("{ env: NAME } or { file: PATH }; { unchanged: true } keeps what the server has.");

const publicJwk = z
  .record(z.string(), z.unknown())
  .refine(isPublicSigningKey, { error: "is not a public signing key" })
  .describe("A public JWK: kty RSA, EC or OKP, and no private member (d, p, q, k …).");

const auth = z
  .discriminatedUnion(
    "method",
    [
      z.strictObject({ method: z.literal(["client_secret_basic", "client_secret_post"]), secret }),
      z.strictObject({
        method: z.literal("private_key_jwt"),
        jwks: z
          .strictObject({ keys: z.array(publicJwk).min(1, { error: "is empty" }).max(20, { error: "is too long" }) })
          .describe("The agent's public keys: { keys: [ … ] }."),
      }),
      z.strictObject({ method: z.literal("none") }),
    ],
    { error: "is no way to authenticate" },
  )
  .describe("method: client_secret_basic, client_secret_post (both with secret), private_key_jwt (with jwks) or none.");

export const agentSchema = z.strictObject({
  id: agentId,
  name,
  enabled,
  auth,
  redirect_uris: list(redirectUri)
    .default([])
    .describe("Where sign-ins return to; none for an agent that signs nobody in."),
  post_logout_redirect_uris: list(redirectUri).default([]).describe("Where signing out may return to."),
  denial_error: z
    .enum(["access_denied", "invalid_grant"], { error: "is no error of a denial" })
    .default("access_denied")
    .describe(
      "What a denial by policy is called: access_denied (default), or invalid_grant for peers that know no other.",
    ),
});

export const appSchema = z.strictObject({
  id,
  name,
  enabled,
  issuer: z
    .string()
    .refine(isIssuer, { error: "is not an issuer" })
    .describe(
      "Issuer of the app's authorization server: an absolute https URL (http only on loopback), no query, no fragment.",
    ),
  resources: list(resource).default([]).describe("What the app protects, as its metadata names it."),
  scopes: z
    .record(z.string().regex(SCOPE, { error: "is not a scope" }), z.string().max(500))
    .default({})
    .describe("Scope to what it allows, for people to read; a scope has no spaces."),
  clients: z
    .record(clientId, clientId)
    .default({})
    .describe("Agent id to the client id that the app gave to that agent."),
  subject: z
    .enum(["id", "email"], { error: "is no name of people" })
    .default("id")
    .describe("What the app knows people by: id (default), or email (addresses are reassigned)."),
});

export const connectionSchema = z.strictObject({
  id,
  enabled,
  agent: clientId.describe("Id of an agent of this file."),
  app: id.describe("Id of an app of this file."),
  people: list(z.string().regex(PEOPLE, { error: "names nobody" }).describe("person:ID, group:NAME or everyone."))
    .min(1, { error: "is empty" })
    .describe("For whom: person:ID, group:NAME or everyone."),
  scopes: list(scope).min(1, { error: "is empty" }).describe("The scopes of the app that it grants."),
  default_scopes: list(scope).default([]).describe("Granted when a request names no scope; some of `scopes`."),
  resources: list(resource)
    .min(1, { error: "is empty" })
    .optional()
    .describe("Only these resources of the app; all of the app when left out."),
  conditions: z
    .strictObject({
      max_age: duration(
        1,
        31_536_000,
        "The sign-in may be at most this old: 30s, 15m, 8h, 7d (at most 365d).",
      ).optional(),
    })
    .default({})
    .describe("What must hold besides: max_age."),
  lifetime: duration(1, 3600, "Lifetime of the ID-JAG: 1s to 1h; the server's default when left out.").optional(),
  expires: z.iso
    .datetime({ offset: true, error: "is not a date and time" })
    .optional()
    .describe("When it ends, with the zone: 2027-01-31T18:00:00Z."),
});

/** The schema of each section, by its key. */
export const SECTIONS = {
  people: personSchema,
  agents: agentSchema,
  apps: appSchema,
  connections: connectionSchema,
} as const;

/** A section's key. */
export type Section = keyof typeof SECTIONS;

export const headSchema = z.object({
  name: name.optional().describe("The organization's name, as the sign-in page shows it."),
  demo: z.boolean().default(false).describe("true allows secrets in this file, on a loopback issuer only."),
});

/** The whole file. */
export const organizationSchema = z.strictObject({
  ...headSchema.shape,
  people: z.array(personSchema).default([]).describe("Who agents act for."),
  agents: z.array(agentSchema).default([]).describe("OAuth clients that act for people."),
  apps: z.array(appSchema).default([]).describe("Resource apps that agents reach."),
  connections: z.array(connectionSchema).default([]).describe("Which agent reaches which app, for whom, for what."),
});

export type FilePerson = z.infer<typeof personSchema>;
export type FileAgent = z.infer<typeof agentSchema>;
export type FileApp = z.infer<typeof appSchema>;
export type FileConnection = z.infer<typeof connectionSchema>;
export type FileSecret = z.infer<typeof secret>;

/** A private key in the file would be a secret in the open; a symmetric one, too. @see RFC 7518 §6 */
function isPublicSigningKey(jwk: Readonly<Record<string, unknown>>): boolean {
  const { kty } = jwk;
  if (kty !== "RSA" && kty !== "EC" && kty !== "OKP") return false;
  return !["d", "p", "q", "dp", "dq", "qi", "oth", "k"].some((member) => Object.hasOwn(jwk, member));
}
