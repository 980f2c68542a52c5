import type { Provider } from "oidc-provider";
import { z } from "zod";
import { type AuthenticationMethod, methodsOf } from "../directory/acr.ts";
import { subjectKey } from "../store/subject-key.ts";
import { type ArtifactPorts, hashed, openArtifact, putSealed } from "./artifacts.ts";

/** A sign-in under way, as oidc-provider keeps it. */
export type Interaction = Awaited<ReturnType<Provider["interactionDetails"]>>;

/** How far a sign-in has come. */
export interface Progress {
  /** Who it is; absent until something has shown it. */
  readonly personId?: string;
  /** What has shown it. */
  readonly methods: readonly AuthenticationMethod[];
  /** When the first of these was used, in seconds since the epoch: the `auth_time` to be. */
  readonly at: number;
  /** Whether this comes from the session that the browser has, and only more is asked for. */
  readonly kept: boolean;
}

/** What asks for a stronger sign-in, among the reasons of an interaction. */
export const ACR_CHECK = "acr_values";

const MODEL = "SignInProgress";
/** Seconds between the first step that shows who it is, and the last. */
const LIFETIME = 600;

const progressSchema = z.strictObject({
  personId: z.string(),
  methods: z.array(z.enum(["password", "totp", "passkey", "device-bound-passkey"])),
  at: z.number(),
});

/** Reads how far a sign-in has come: by its own steps, or by the session when that is fresh enough and only too weak. */
export async function progressOf(ports: ArtifactPorts, interaction: Interaction): Promise<Progress> {
  const { store, now } = ports;
  const own = await openArtifact(ports, await store.artifact(MODEL, hashed(interaction.uid)), now());
  if (own !== undefined) return { ...progressSchema.parse(own), kept: false };
  return (await progressOfSession(ports, interaction)) ?? { methods: [], at: now(), kept: false };
}

/** Keeps how far a sign-in has come, sealed. */
export async function keepProgress(
  ports: ArtifactPorts,
  { uid }: Interaction,
  progress: Required<Pick<Progress, "personId" | "methods" | "at">>,
): Promise<void> {
  const { personId, methods, at } = progress;
  const place = { model: MODEL, key: hashed(uid), subject: subjectKey(personId), expiresAt: ports.now() + LIFETIME };
  await putSealed(ports, place, { personId, methods, at });
}

/** Forgets it: the sign-in is done, or begins anew. */
export async function dropProgress({ store }: ArtifactPorts, { uid }: Interaction): Promise<void> {
  await store.deleteArtifact(MODEL, hashed(uid));
}

/** The `acr_values` of the request, any of which is enough; `undefined` when it names none. */
export function wantedAcr({ params }: Pick<Interaction, "params">): readonly string[] | undefined {
  return acrValues(params.acr_values);
}

/** Splits the parameter. @see OpenID Connect Core §3.1.2.1 */
export function acrValues(parameter: unknown): readonly string[] | undefined {
  const values = typeof parameter === "string" ? parameter.split(" ").filter((value) => value !== "") : [];
  return values.length > 0 ? values : undefined;
}

/**
 * What the session of this browser has shown already. It counts when a stronger sign-in is all that is asked for, and it
 * still is as young as the request wants it, at this moment and not only when the sign-in began.
 */
async function progressOfSession(ports: ArtifactPorts, interaction: Interaction): Promise<Progress | undefined> {
  const { prompt, session, params } = interaction;
  if (session?.uid === undefined || prompt.reasons.some((reason) => reason !== ACR_CHECK)) return undefined;
  const found = await ports.store.artifactByUid("Session", hashed(session.uid));
  const { accountId, loginTs, amr } = (await openArtifact(ports, found, ports.now())) ?? {};
  if (typeof accountId !== "string" || typeof loginTs !== "number" || !Array.isArray(amr)) return undefined;
  if (params.max_age !== undefined && ports.now() - loginTs > Number(params.max_age)) return undefined;
  return { personId: accountId, methods: methodsOf(amr), at: loginTs, kept: true };
}
