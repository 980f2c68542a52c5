import { readAuthorizationDetails } from "@credence/protocol/authorization-details";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { z } from "zod";
import { ACR_VALUES } from "../directory/acr.ts";
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
  URN,
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

const FORMER_SECRET = "The secret before, as a source like secret: it counts, too, until it is taken out.";

/** A secret that never stands in the file. */
const secretElsewhere = z.union(
  [z.strictObject({ env: z.string().regex(ENVIRONMENT_NAME) }), z.strictObject({ file: z.string().min(1).max(4096) })],
  { error: "is not a secret's source" },
);

const publicJwk = z
  .record(z.string(), z.unknown())
  .refine(isPublicSigningKey, { error: "is not a public signing key" })
  .describe("A public JWK: kty RSA, EC or OKP, and no private member (d, p, q, k …).");

const jwks = z
  .strictObject({ keys: z.array(publicJwk).min(1, { error: "is empty" }).max(20, { error: "is too long" }) })
  .describe("Public keys: { keys: [ … ] }.");

const byKeys = z
  .strictObject({
    method: z.literal("private_key_jwt"),
    jwks: jwks.optional(),
    jwks_uri: z
      .string()
      .refine(isIssuer, { error: "is not an https URL" })
      .optional()
      .describe("Where the public keys are: an absolute https URL (http only on loopback), no query."),
  })
  .refine((one) => (one.jwks === undefined) !== (one.jwks_uri === undefined), {
    error: "needs either jwks or jwks_uri",
  });

const none = z.strictObject({ method: z.literal("none") });

const auth = z
  .discriminatedUnion(
    "method",
    [
      z.strictObject({
        method: z.literal(["client_secret_basic", "client_secret_post"]),
        secret,
        former_secret: secret.optional().describe(FORMER_SECRET),
      }),
      byKeys,
      z.strictObject({ method: z.literal("client_id_metadata_document") }),
      none,
    ],
    { error: "is no way to authenticate" },
  )
  .describe(
    "method: client_secret_basic, client_secret_post (both with secret, and former_secret while that is replaced), private_key_jwt (with jwks or jwks_uri), client_id_metadata_document (the id is the URL of the agent's metadata) or none.",
  );

/** An app's own client: its secret is always by reference. */
const appAuth = z
  .discriminatedUnion(
    "method",
    [
      z.strictObject({
        method: z.literal(["client_secret_basic", "client_secret_post"]),
        secret: secretElsewhere,
        former_secret: secretElsewhere.optional().describe(FORMER_SECRET),
      }),
      byKeys,
      none,
    ],
    { error: "is no way to authenticate" },
  )
  .describe(
    "method: client_secret_basic, client_secret_post (both with secret: { env } or { file }), private_key_jwt or none.",
  );

const idTokenAlg = z
  .enum(JWS_ALGORITHMS, { error: `is none of ${JWS_ALGORITHMS.join(", ")}` })
  .optional()
  .describe("What its ID tokens are signed with: one of the server's algorithms, the first of them when left out.");

const acr = z
  .enum(ACR_VALUES, { error: "is no way to sign in" })
  .describe(`The weakest way to sign in that is enough: ${ACR_VALUES.join(", ")}.`);

const detail = z
  .looseObject({ type: z.string().min(1, { error: "is empty" }).max(256, { error: "is too long" }) })
  .refine((value) => readAuthorizationDetails([value]).ok, { error: "is no authorization detail" })
  .describe(
    "A limit: its lists (actions, locations, datatypes, privileges) are the most that is granted; other members must be equal.",
  );

const naming = z.enum(["id", "pairwise", "own", "email"], { error: "is no name of people" });

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
  id_token_signed_response_alg: idTokenAlg,
  dpop_bound_access_tokens: z
    .boolean()
    .optional()
    .describe("true: every exchange needs a DPoP proof; only then may an agent with auth: none exchange."),
  offline_max_age: duration(
    1,
    31_536_000,
    "How long after a sign-in the agent may act without the person, by refresh token: 8h, 30d (at most 365d).",
  ).optional(),
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
  subject: naming
    .default("id")
    .describe(
      "What the app knows people by: id (default), pairwise (an id that only this app sees), own (the app's own, see people), or email (addresses are reassigned).",
    ),
  people: z
    .record(id, z.string().min(1, { error: "is empty" }).max(255, { error: "is too long" }))
    .optional()
    .describe("Person id to the app's own id of them."),
  aliases: list(z.string().regex(URN, { error: "is not a URN" }))
    .optional()
    .describe("Other names of the issuer that agents may ask for: URNs, like urn:acme:ledger."),
  aud_tenant: z
    .string()
    .min(1, { error: "is empty" })
    .max(255, { error: "is too long" })
    .optional()
    .describe("The organization's tenant at the app."),
  claims: list(z.enum(["email", "auth_time", "acr", "amr"], { error: "is no claim that can be left out" }))
    .optional()
    .describe("Which of email, auth_time, acr, amr the app is told; all of them when left out."),
  saml_name_id: z
    .strictObject({
      issuer: z.string().min(1).max(1024).describe("Entity id of the SAML IdP."),
      name_id: naming.describe("Which name of the person is the NameID."),
      format: z.string().min(1).max(1024).optional().describe("The NameID's Format."),
      name_qualifier: z.string().min(1).max(1024).optional(),
      sp_name_qualifier: z.string().min(1).max(1024).optional(),
    })
    .optional()
    .describe("For apps that know people by their SAML NameID: it is sent as sub_id."),
  authorization_details_types: z
    .record(z.string().min(1).max(256), z.string().max(500))
    .optional()
    .describe("Type of authorization details to what it allows, for people to read."),
  sso: z
    .strictObject({
      client_id: agentId.describe("The app's client id here, for signing people in."),
      auth: appAuth,
      redirect_uris: list(redirectUri).min(1, { error: "is empty" }).describe("Where sign-ins return to."),
      post_logout_redirect_uris: list(redirectUri).default([]).describe("Where signing out may return to."),
      id_token_signed_response_alg: idTokenAlg,
    })
    .optional()
    .describe("The app as a relying party: people sign in to it here, under the same name as in ID-JAGs."),
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
      acr: acr.optional(),
      bound: z
        .boolean()
        .optional()
        .describe("true: only ID-JAGs that are bound to a DPoP key or a client certificate are granted."),
    })
    .default({})
    .describe("What must hold besides: max_age, acr, bound."),
  authorization_details: z
    .array(detail)
    .max(50, { error: "is too long" })
    .optional()
    .describe("Authorization details that it grants, each a limit to those asked for."),
  actors: list(clientId)
    .optional()
    .describe("Ids of agents that may be named as actor (actor_token); nobody when left out."),
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
  tenant: z
    .string()
    .min(1, { error: "is empty" })
    .max(255, { error: "is too long" })
    .optional()
    .describe("The organization's tenant at this IdP: only where its issuer is shared with other organizations."),
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
