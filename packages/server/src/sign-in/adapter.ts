import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from "oidc-provider";
import { documentRefusal } from "../directory/client-documents.ts";
import { subjectKey } from "../store/subject-key.ts";
import { type ArtifactPorts, hashed, openArtifact, putSealed } from "./artifacts.ts";
import { type ClientPorts, findClient } from "./clients.ts";
import { endGrant, isGrantEnded, isSessionEnded } from "./endings.ts";
import { putSessionPointers } from "./liveness.ts";
import { type OpenSignIns, SIGN_IN_MODEL } from "./open-sign-ins.ts";

/** What the adapter needs from the house. */
export interface AdapterPorts extends ArtifactPorts, ClientPorts {
  readonly store: ArtifactPorts["store"] & ClientPorts["store"];
  /** Seconds that a grant lives at most. */
  readonly grantLifetime: number;
  readonly openSignIns: OpenSignIns;
}

/** What dies with its grant. */
const OF_A_GRANT: ReadonlySet<string> = new Set(["AuthorizationCode", "RefreshToken", "AccessToken"]);

/**
 * oidc-provider's storage, over ours.
 *
 * Ids are stored hashed and payloads sealed without them, so a copy of the store holds no code and no token. `consume` is
 * one conditional update: of any number of simultaneous uses of a code or refresh token exactly one passes, and each
 * other one revokes the grant (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
 *
 * @returns a factory by model name.
 */
export function createAdapter(ports: AdapterPorts): AdapterFactory {
  return (model) => (model === "Client" ? clientAdapter(ports) : artifactAdapter(model, ports));
}

function artifactAdapter(model: string, ports: AdapterPorts): Adapter {
  const { store, now, grantLifetime, openSignIns } = ports;

  async function restore(id: string | undefined, artifact: Awaited<ReturnType<typeof store.artifact>>) {
    const payload = await openArtifact(ports, artifact, now());
    if (payload === undefined) return undefined;
    const consumed = artifact?.consumedAt === undefined ? {} : { consumed: artifact.consumedAt };
    // What is opened here was sealed by `upsert`: the seal says that it is an AdapterPayload.
    return { ...payload, ...(id === undefined ? {} : { jti: id }), ...consumed } as AdapterPayload;
  }

  return {
    async upsert(id, payload, expiresIn) {
      const key = hashed(id);
      const { jti: _bearer, ...kept } = payload;
      const end = expiresIn === undefined ? undefined : now() + expiresIn;
      // It is saved first when it is begun, and again when somebody has answered.
      const begun = model === SIGN_IN_MODEL && end !== undefined && (await store.artifact(model, key)) === undefined;
      if (begun) checkSize(payload);
      const expiresAt = begun ? openSignIns.until(now(), end) : end;
      const uid = model === "Session" && payload.uid !== undefined ? hashed(payload.uid) : undefined;
      const grantId = model === "Grant" ? key : grantOf(model, payload);
      await putSealed(ports, { model, key, uid, grantId, subject: subjectOf(model, payload), expiresAt }, kept);
      if (begun && expiresAt !== undefined) await openSignIns.begun(key, expiresAt);
      if (uid !== undefined) await putSessionPointers(ports, payload, expiresAt);
      if (await hasEnded(ports, sessionOf(model, payload), grantId)) await store.deleteArtifact(model, key);
    },

    async find(id) {
      const key = hashed(id);
      if (model === "Grant" && (await isGrantEnded(ports, key))) return undefined;
      const payload = await restore(id, await store.artifact(model, key));
      // A code on its way while its session ends would outlive it by a refresh token. (One that comes again still tells.)
      const isCode = model === "AuthorizationCode" && payload !== undefined && payload.consumed === undefined;
      return isCode && (await hasEnded(ports, sessionOf(model, payload), undefined)) ? undefined : payload;
    },

    async findByUid(uid) {
      return restore(undefined, await store.artifactByUid(model, hashed(uid)));
    },

    // The device flow is off: nothing has a user code.
    findByUserCode: async () => undefined,

    async consume(id) {
      const key = hashed(id);
      if ((await store.consumeArtifact(model, key, now())) === "first") return;
      // When the artifact is gone already, whoever deleted it has revoked the grant.
      const grant = (await store.artifact(model, key))?.grantId;
      if (grant !== undefined) await endGrant(ports, grant, grantLifetime);
      throw new errors.InvalidGrant("already used");
    },

    async destroy(id) {
      if (model === "Grant") await endGrant(ports, hashed(id), grantLifetime);
      else await store.deleteArtifact(model, hashed(id));
    },

    revokeByGrantId: (grantId) => endGrant(ports, hashed(grantId), grantLifetime),
  };
}

/** Anybody may begin a sign-in, and what they ask with is kept: some thousand characters are enough for anybody. */
function checkSize({ params }: AdapterPayload): void {
  if (JSON.stringify(params ?? {}).length <= REQUEST_MAX) return;
  throw new errors.InvalidRequest(`the request is too long: ${REQUEST_MAX} characters are taken`);
}

/** Characters of an authorization request. */
const REQUEST_MAX = 4_096;

function grantOf(model: string, payload: AdapterPayload): string | undefined {
  return OF_A_GRANT.has(model) && payload.grantId !== undefined ? hashed(payload.grantId) : undefined;
}

/** What ends with whatever a person is signed in by. */
const OF_A_PERSON: ReadonlySet<string> = new Set([
  "Session",
  "Grant",
  "AuthorizationCode",
  "RefreshToken",
  "AccessToken",
]);

function subjectOf(model: string, { accountId, result }: AdapterPayload): string | undefined {
  // A sign-in that somebody has finished, and whose browser has not come back yet, is theirs, too.
  const person = model === SIGN_IN_MODEL ? result?.login?.accountId : OF_A_PERSON.has(model) ? accountId : undefined;
  return person === undefined ? undefined : subjectKey(person);
}

/**
 * The hashed uid of the session with which something ends: of a session itself, of a code, and of what a code becomes. A
 * refresh token that took another's place is for the time after the session.
 */
function sessionOf(model: string, { uid, sessionUid, rotations }: AdapterPayload): string | undefined {
  if (model === "Session") return uid === undefined ? undefined : hashed(uid);
  const ofItsCode = model === "AuthorizationCode" || (model === "RefreshToken" && !rotations);
  return ofItsCode && sessionUid !== undefined ? hashed(sessionUid) : undefined;
}

async function hasEnded(
  ports: ArtifactPorts,
  session: string | undefined,
  grant: string | undefined,
): Promise<boolean> {
  if (session !== undefined && (await isSessionEnded(ports, session))) return true;
  return grant !== undefined && isGrantEnded(ports, grant);
}

/**
 * An agent whose document can not be had, or is not good, is answered as OAuth has it: nothing failed on our side. Both are an
 * `InvalidClient` to oidc-provider, because that is what its sign-out passes over: a person must be able to sign out of an
 * agent that is no more.
 */
function refuseDocument(error: unknown): never {
  const refusal = documentRefusal(error);
  if (refusal === undefined) throw error;
  const invalid = refusal.reason === "client-metadata-invalid";
  const [status, code] = invalid ? [401, "invalid_client"] : [503, "temporarily_unavailable"];
  const fault = new errors.InvalidClient("the agent's metadata can not be used", refusal.detail ?? refusal.reason);
  throw Object.assign(fault, { status, statusCode: status, error: code, message: code, cause: error });
}

/** Clients are the directory's agents; sign-in never writes them. */
function clientAdapter(ports: ClientPorts): Adapter {
  const never = async () => {
    throw new errors.InvalidRequest("clients are kept by the directory");
  };
  return {
    find: (clientId) => findClient(ports, clientId).catch(refuseDocument),
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    upsert: never,
    consume: never,
    destroy: never,
    revokeByGrantId: never,
  };
}
