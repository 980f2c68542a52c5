import { resolve } from "node:path";
import { JWS_ALGORITHMS } from "@credence/protocol/jws";
import { z } from "zod";
import { kekSchema, secretSchema, secureUrlSchema } from "../admin/kek-schema.ts";
import type { SecretRef } from "../directory/types.ts";
import { DEFAULT_JWKS_AGE, DEFAULT_KEY_TIMES } from "../keys/keyring.ts";
import type { KeySettings } from "../keys/settings.ts";
import { DURATION, parseDuration } from "../organization/duration.ts";
import { readYaml } from "../organization/yaml.ts";

const NOT_A_DURATION = "is not a duration: 30s, 15m, 8h, 7d";
const NOT_AN_AGE = "is neither a duration of at least 1d, nor never";
const DAY = 86_400;

function duration(least: number, most: number) {
  return z
    .string({ error: NOT_A_DURATION })
    .regex(DURATION, { error: NOT_A_DURATION })
    .transform((text) => parseDuration(text) ?? 0)
    .refine((seconds) => seconds >= least && seconds <= most, { error: `is out of bounds: ${least}s to ${most}s` });
}

/** What seals the store's secrets, and how the signing keys live; as one text, where there is only text, JSON or YAML. */
export const keysSchema = z
  .preprocess(
    fromText,
    z.strictObject(
      {
        /** Where the key-encryption key is; the key file by default. */
        kek: kekSchema.optional(),
        /** What ID tokens and ID-JAGs are signed with, the default first. */
        algorithms: z
          .array(z.enum(JWS_ALGORITHMS, { error: `is none of ${JWS_ALGORITHMS.join(", ")}` }), { error: "is no list" })
          .min(1, { error: "is empty" })
          .refine((all) => new Set(all).size === all.length, { error: "names one twice" })
          .optional(),
        /** How long a key signs. */
        rotate_every: z.union([z.literal("never"), duration(DAY, 3_650 * DAY)], { error: NOT_AN_AGE }).optional(),
        /** How long a key still verifies after it has signed for the last time. */
        overlap: duration(60, 365 * DAY).optional(),
        /** How long others may keep the JWKS; a key is published for longer before it signs. */
        jwks_max_age: duration(1, DAY / 2).optional(),
        /** A transit engine where the private keys of ID tokens and ID-JAGs are made and stay. */
        signer: z
          .strictObject(
            { url: secureUrlSchema, token: secretSchema },
            { error: "is not { url: URL, token: { env: NAME } }" },
          )
          .optional(),
      },
      { error: "is no mapping: rotate_every, overlap, algorithms, jwks_max_age, kek, signer" },
    ),
  )
  .default({})
  .transform(complete);

function fromText(said: unknown): unknown {
  if (typeof said !== "string") return said;
  const yaml = readYaml(said);
  return yaml.ok ? yaml.source.data : said;
}

function complete({ kek, algorithms, rotate_every: rotateEvery, ...said }: KeysSaid): KeySettings<SecretRef> {
  const { overlap, jwks_max_age: jwksAge, signer } = said;
  return {
    ...(kek === undefined ? {} : { kek: "file" in kek ? { file: resolve(kek.file) } : kek }),
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(rotateEvery === undefined ? {} : { rotateEvery }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(jwksAge === undefined ? {} : { jwksAge }),
    ...(signer === undefined ? {} : { signer }),
  };
}

/** Clocks and caches may be off by so much. Seconds. */
const SLACK = 60;
/** No ID-JAG lives longer. */
const ID_JAG_MOST = 3_600;

/** What does not fit together; `undefined` where it does. */
export function keysContradiction(
  { overlap = DEFAULT_KEY_TIMES.overlap, jwksAge = DEFAULT_JWKS_AGE }: KeySettings<SecretRef>,
  idTokenLifetime: number,
): string | undefined {
  const least = Math.max(idTokenLifetime, ID_JAG_MOST) + jwksAge + SLACK;
  if (overlap >= least) return undefined;
  return `overlap is shorter than what was signed just before a rotation may live: at least ${least}s, for id_token_lifetime, ID-JAGs (1h) and jwks_max_age.`;
}

type KeysSaid = Readonly<{
  kek?: NonNullable<KeySettings<SecretRef>["kek"]> | undefined;
  algorithms?: NonNullable<KeySettings<SecretRef>["algorithms"]> | undefined;
  rotate_every?: number | "never" | undefined;
  overlap?: number | undefined;
  jwks_max_age?: number | undefined;
  signer?: NonNullable<KeySettings<SecretRef>["signer"]> | undefined;
}>;
