import { ok, type Result, refuse } from "@credence/protocol";
import { type DecodedJws, decodeJws, singleAudience } from "@credence/protocol/jws";
import type { Agent, Person } from "../directory/types.ts";
import type { Store } from "../store/store.ts";
import type { SignatureCheck } from "./remembered.ts";

/** Whom an ID token stands for, and how they signed in. */
export interface SignedInPerson {
  readonly person: Person;
  /** Seconds since the epoch. */
  readonly authTime?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

/** What the check of an ID token needs. */
export interface SubjectPorts {
  readonly issuer: string;
  readonly store: Pick<Store, "person">;
  /**
   * Whether the session that an ID token's `sid` names still lives, and whose it is.
   * @param now - Seconds since the epoch.
   */
  readonly sessionAlive: (
    sid: string,
    agentId: string,
    now: number,
  ) => Promise<{ readonly alive: true; readonly personId: string } | { readonly alive: false }>;
  /** With our keys for ID tokens. */
  readonly checkSignature: SignatureCheck;
}

/**
 * Verifies an ID token as subject token: issued by us, to this agent, unexpired, and its sign-in still alive.
 *
 * @param now - Seconds since the epoch.
 * @returns the person; refused with a `subject-token-…` reason, `sign-in-over` or `person-unknown`.
 * @see ID-JAG draft §4.3.3, OpenID Connect Core §3.1.3.7
 */
export async function verifyIdToken(
  token: string,
  agent: Agent,
  now: number,
  ports: SubjectPorts,
): Promise<Result<SignedInPerson>> {
  const jws = decodeJws(token);
  if (jws === undefined) return refuse("subject-token-malformed");
  const typ = checkTyp(jws);
  if (!typ.ok) return typ;
  const fault = await ports.checkSignature(token, jws);
  if (fault) return refuse(fault === "signature" ? "subject-token-signature" : "subject-token-key", fault);
  const claims = checkClaims(jws.payload, ports.issuer, agent.id, now);
  if (!claims.ok) return claims;
  const { sub, sid, ...authentication } = claims.value;
  const session = await ports.sessionAlive(sid, agent.id, now);
  if (!session.alive || session.personId !== sub) return refuse("sign-in-over");
  const person = await ports.store.person(sub);
  return person === undefined ? refuse("person-unknown") : ok({ person, ...authentication });
}

/**
 * Our ID tokens say `JWT` or nothing; ID-JAGs and access tokens are signed with the same key and say what they are.
 * @see RFC 8725 §3.11
 */
function checkTyp({ header }: DecodedJws): Result<true> {
  return header.typ === undefined || header.typ.toUpperCase() === "JWT" ? ok(true) : refuse("subject-token-type-wrong");
}

/** Seconds by which our own clock may have been set back since. */
const CLOCK_SKEW = 60;

interface IdTokenClaims {
  readonly sub: string;
  readonly sid: string;
  readonly authTime?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

function checkClaims(
  payload: DecodedJws["payload"],
  issuer: string,
  agentId: string,
  now: number,
): Result<IdTokenClaims> {
  const { iss, aud, exp, iat, sub, sid, auth_time: authTime, acr, amr } = payload;
  if (iss !== issuer) return refuse("subject-token-issuer");
  // Exactly this agent: a token for several audiences was not issued by us.
  const audience = singleAudience(aud);
  if (audience !== agentId) return refuse("subject-token-audience");
  if (typeof exp !== "number" || typeof iat !== "number") return refuse("subject-token-malformed", "exp or iat");
  if (exp <= now) return refuse("subject-token-expired", "exp: it is old, or this server's clock is ahead");
  if (iat > now + CLOCK_SKEW) return refuse("subject-token-malformed", "iat: this server's clock was set back");
  if (typeof sub !== "string" || sub === "") return refuse("subject-token-malformed", "sub");
  // Without a session to ask, nobody can say that the sign-in is alive.
  if (typeof sid !== "string") return refuse("sign-in-over", "no sid");
  return ok({
    sub,
    sid,
    ...(typeof authTime === "number" ? { authTime } : {}),
    ...(typeof acr === "string" ? { acr } : {}),
    ...(Array.isArray(amr) ? { amr: amr.filter((method) => typeof method === "string") } : {}),
  });
}
