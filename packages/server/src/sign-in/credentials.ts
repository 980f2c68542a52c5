import type { Person } from "../directory/types.ts";
import { type AttemptStore, createAttempts } from "./attempts.ts";
import type { RecordSignIn, SignInFailure } from "./events.ts";
import { newReference, type Report } from "./fault.ts";
import { verifyAgainstNobody, verifyPassword } from "./password.ts";

/** What checking a password needs from the house. */
export interface CredentialPorts {
  readonly store: AttemptStore & { personByEmail(email: string): Promise<Person | undefined> };
  readonly record: RecordSignIn;
  /** Told of failures that could not be put on record. */
  readonly report: Report;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** What a person typed, and where. */
export interface TypedCredentials {
  readonly email: string;
  readonly password: string;
  /** The agent that asked for the sign-in. */
  readonly agentId: string;
  /** What the page names, for people who report it. */
  readonly reference: string;
  /** The client's address. */
  readonly source: string;
}

/** Who it is; or why not, no more exact than the page may say. `wait` in seconds. */
export type CredentialOutcome =
  | { readonly ok: true; readonly person: Person }
  | { readonly ok: false; readonly why: "wrong" }
  | { readonly ok: false; readonly why: "wait"; readonly wait: number };

/** Checks what a person typed, and puts a failure on record. */
export type CheckCredentials = (typed: TypedCredentials) => Promise<CredentialOutcome>;

/** Longest email in characters. @see RFC 5321 §4.5.3.1 */
export const EMAIL_MAX = 320;
/** Passwords that are hashed at once: each takes 19 MiB and a thread of the pool that files and DNS need too. */
const AT_ONCE = 2;
/** Passwords that may wait for their turn. */
const WAITING = 50;

/**
 * Makes the check of a typed email and password. Somebody unknown, disabled or without a password costs the same time as
 * a wrong password and gets the same answer. A failure is on record, but answered without waiting for that, because only
 * failures of people who exist go to disk, and waiting would tell who does. (A success is on record once the sign-in is done:
 * more may be asked for.)
 */
export function createCredentialCheck(ports: CredentialPorts): CheckCredentials {
  const attempts = createAttempts(ports.store, "password");
  const turn = createTurns(AT_ONCE, WAITING);

  return async (typed) => {
    const { agentId, reference, source } = typed;
    const at = ports.now();
    const email = typed.email.trim().normalize("NFC").slice(0, EMAIL_MAX);
    const failed = (why: SignInFailure, person?: Person): void => {
      const who = person === undefined ? {} : { personId: person.id };
      ports
        .record({ type: "sign-in-failed", why, ...who, agentId, reference, source, at })
        .catch((error: unknown) => ports.report({ reference: newReference(), code: "record_failed", error }));
    };

    const attempt = await attempts.begin(email, source, at);
    if (!("succeeded" in attempt)) {
      failed("too-many-attempts");
      return { ok: false, why: "wait", wait: attempt.wait };
    }
    const person = email === "" ? undefined : await ports.store.personByEmail(email);
    const fits = await turn(() => passwordFits(person, typed.password));
    if (fits === "busy") {
      failed("busy", person);
      return { ok: false, why: "wait", wait: 5 };
    }
    const why = failure(person, fits);
    if (why !== undefined || person === undefined) {
      failed(why ?? "person-unknown", person);
      return { ok: false, why: "wrong" };
    }
    await attempt.succeeded();
    return { ok: true, person };
  };
}

function passwordFits(person: Person | undefined, password: string): Promise<boolean> {
  return person?.passwordHash === undefined
    ? verifyAgainstNobody(password)
    : verifyPassword(person.passwordHash, password);
}

function failure(person: Person | undefined, fits: boolean): SignInFailure | undefined {
  if (person === undefined) return "person-unknown";
  if (person.passwordHash === undefined) return "password-missing";
  if (!fits) return "password-wrong";
  return person.enabled ? undefined : "person-disabled";
}

/** Lets a few pieces of work run at once and some more wait; turns the rest away. */
function createTurns(atOnce: number, waiting: number): <T>(work: () => Promise<T>) => Promise<T | "busy"> {
  const queue: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= atOnce) {
      if (queue.length >= waiting) return "busy";
      await new Promise<void>((resolve) => queue.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
