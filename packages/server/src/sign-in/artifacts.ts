import { hash } from "node:crypto";
import { isObject } from "@credence/protocol";
import type { SealedPlace } from "../keys/seal.ts";
import type { Artifact, Store } from "../store/store.ts";

/** Seals what the store keeps, and opens it again. `open` rejects for a text that was altered or moved. */
export interface Sealing {
  seal(text: string, place: SealedPlace): string | Promise<string>;
  open(sealed: string, place: SealedPlace): string | Promise<string>;
}

/** What the artifacts of sign-in need from the house. */
export interface ArtifactPorts {
  readonly store: Pick<
    Store,
    "putArtifact" | "artifact" | "artifactByUid" | "artifactsOf" | "consumeArtifact" | "deleteArtifact" | "deleteGrant"
  >;
  readonly sealing: Sealing;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** An artifact as it is written: names already hashed by {@link hashed}. */
export interface NewArtifact {
  readonly model: string;
  readonly key: string;
  readonly uid?: string | undefined;
  readonly grantId?: string | undefined;
  readonly subject?: string | undefined;
  /** Seconds since the epoch. */
  readonly expiresAt?: number | undefined;
}

/**
 * The name under which the store keeps something: an id may be a bearer secret, and a copy of the store must not be one.
 * @returns base64url SHA-256.
 */
export function hashed(id: string): string {
  return hash("sha256", id, "base64url");
}

/** Seals a payload and stores it. */
export async function putSealed(
  { store, sealing }: ArtifactPorts,
  { model, key, uid, grantId, subject, expiresAt }: NewArtifact,
  payload: unknown,
): Promise<void> {
  await store.putArtifact({
    model,
    key,
    ...(uid === undefined ? {} : { uid }),
    ...(grantId === undefined ? {} : { grantId }),
    ...(subject === undefined ? {} : { subject }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    payload: await sealing.seal(JSON.stringify(payload), place(model, key)),
  });
}

/**
 * Opens an artifact.
 * @returns its payload; `undefined` when there is none, or when it has expired.
 */
export async function openArtifact(
  { sealing }: Pick<ArtifactPorts, "sealing">,
  artifact: Artifact | undefined,
  now: number,
): Promise<Record<string, unknown> | undefined> {
  return artifact === undefined || isExpired(artifact, now) ? undefined : contentOf(sealing, artifact);
}

/** What an artifact holds, whether its time is over or not; `undefined` where it is no object. */
export async function contentOf(
  sealing: Sealing,
  { payload, model, key }: Artifact,
): Promise<Record<string, unknown> | undefined> {
  const content: unknown = JSON.parse(await sealing.open(payload, place(model, key)));
  return isObject(content) ? content : undefined;
}

/** Whether an artifact's time is over. */
export function isExpired(artifact: Artifact, now: number): boolean {
  return artifact.expiresAt !== undefined && artifact.expiresAt <= now;
}

function place(model: string, key: string): SealedPlace {
  return { table: "artifacts", record: `${model}:${key}`, field: "payload" };
}
