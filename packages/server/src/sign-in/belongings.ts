import { isObject } from "@credence/protocol";
import type { Artifact } from "../store/store.ts";
import { subjectKey } from "../store/subject-key.ts";
import { type ArtifactPorts, hashed, openArtifact } from "./artifacts.ts";
import { ACCOUNT_CLIENT_ID } from "./clients.ts";
import { type Device, deviceOf } from "./devices.ts";
import { endGrant, endSession } from "./endings.ts";

/**
 * What is somebody's at this IdP, for themselves to see and to end: sessions in browsers, and what agents hold to act for
 * them without one.
 */

/** What looking and ending need from the house. */
export interface BelongingPorts extends ArtifactPorts {
  /** Seconds that a session lives at most. */
  readonly sessionLifetime: number;
  /** Seconds that a grant lives at most. */
  readonly grantLifetime: number;
}

/** One sign-in in one browser. Times in seconds since the epoch. */
export interface OwnSession {
  /** Names it; of no use for anything else. */
  readonly key: string;
  readonly since: number;
  readonly until: number;
  /** Ids of the agents and apps that it was used for. */
  readonly clients: readonly string[];
  readonly device?: Device;
}

/** What one agent may do without a session. Times in seconds since the epoch. */
export interface OwnGrant {
  /** Names it; of no use for anything else. */
  readonly key: string;
  readonly client: string;
  readonly since: number;
  /** When the agent renewed it last. */
  readonly renewed: number;
}

/** A person's sessions, the latest first. */
export async function sessionsOf(ports: ArtifactPorts, person: string): Promise<readonly OwnSession[]> {
  const artifacts = await ports.store.artifactsOf(subjectKey(person), "Session");
  const sessions = await Promise.all(artifacts.map((artifact) => openSession(ports, artifact, person)));
  // While a session changes its id there are two rows for a moment.
  const byKey = new Map(sessions.flatMap((session) => (session === undefined ? [] : [[session.key, session]])));
  return [...byKey.values()].sort((a, b) => b.since - a.since);
}

async function openSession(ports: ArtifactPorts, artifact: Artifact, person: string): Promise<OwnSession | undefined> {
  const { uid, accountId, loginTs, exp, authorizations } = (await openArtifact(ports, artifact, ports.now())) ?? {};
  if (typeof uid !== "string" || accountId !== person) return undefined;
  if (typeof loginTs !== "number" || typeof exp !== "number" || exp <= ports.now()) return undefined;
  const key = hashed(uid);
  const device = await deviceOf(ports, key);
  const clients = Object.keys(isObject(authorizations) ? authorizations : {}).filter((id) => id !== ACCOUNT_CLIENT_ID);
  return { key, since: loginTs, until: exp, clients, ...(device === undefined ? {} : { device }) };
}

/** What agents hold for a person, the latest first. */
export async function grantsOf(ports: ArtifactPorts, person: string): Promise<readonly OwnGrant[]> {
  const artifacts = await ports.store.artifactsOf(subjectKey(person), "RefreshToken");
  const tokens = await Promise.all(artifacts.map((artifact) => openToken(ports, artifact, person)));
  const byGrant = new Map<string, OwnGrant>();
  for (const token of tokens) {
    if (token !== undefined && token.renewed >= (byGrant.get(token.key)?.renewed ?? 0)) byGrant.set(token.key, token);
  }
  return [...byGrant.values()].sort((a, b) => b.since - a.since);
}

async function openToken(ports: ArtifactPorts, artifact: Artifact, person: string): Promise<OwnGrant | undefined> {
  const { accountId, clientId, iat, iiat } = (await openArtifact(ports, artifact, ports.now())) ?? {};
  if (artifact.grantId === undefined || accountId !== person) return undefined;
  if (typeof clientId !== "string" || typeof iat !== "number") return undefined;
  return { key: artifact.grantId, client: clientId, since: typeof iiat === "number" ? iiat : iat, renewed: iat };
}

/** Ends one of a person's sessions, for good: what ID tokens of it buy ends at once. @returns whether there was one. */
export async function endOwnSession(ports: BelongingPorts, person: string, key: string): Promise<boolean> {
  for (const artifact of await ports.store.artifactsOf(subjectKey(person), "Session")) {
    const { uid } = (await openArtifact(ports, artifact, ports.now())) ?? {};
    if (typeof uid !== "string" || hashed(uid) !== key) continue;
    await endSession(ports, uid, ports.sessionLifetime);
    return true;
  }
  return false;
}

/** Takes back what an agent holds for a person, for good. @returns what it was; `undefined` when there was nothing. */
export async function endOwnGrant(ports: BelongingPorts, person: string, key: string): Promise<OwnGrant | undefined> {
  const grant = (await grantsOf(ports, person)).find((one) => one.key === key);
  if (grant !== undefined) await endGrant(ports, key, ports.grantLifetime);
  return grant;
}
