import type { AuthenticationMethod } from "../../directory/acr.ts";
import type { Person } from "../../directory/types.ts";
import { type AttemptStore, createAttempts } from "../attempts.ts";
import type { RecordSignIn, SignInFailure } from "../events.ts";
import { newReference, type Report } from "../fault.ts";
import type { FactorPorts } from "./factors.ts";
import { checkPasskey, type PasskeyPlace } from "./passkeys.ts";
import { checkCode } from "./totp.ts";

/** What checking codes and passkeys needs from the house. */
export interface FactorCheckPorts extends FactorPorts {
  readonly store: FactorPorts["store"] & AttemptStore & { person(id: string): Promise<Person | undefined> };
  readonly place: PasskeyPlace | undefined;
  readonly record: RecordSignIn;
  /** Told of failures that could not be put on record. */
  readonly report: Report;
}

/** Where something was tried. */
export interface Trial {
  /** The agent that asked for the sign-in. */
  readonly agentId: string;
  /** What the page names, for people who report it. */
  readonly reference: string;
  /** The client's address. */
  readonly source: string;
}

/** Why it is not taken, no more exact than the page may say. `wait` in seconds. */
export type FactorRefusal =
  | { readonly ok: false; readonly why: "wrong" | "used" | "passkey" }
  | { readonly ok: false; readonly why: "wait"; readonly wait: number };

/** Checks codes and passkeys, and puts failures on record. */
export interface FactorChecks {
  /** A code of the authenticator app of somebody whose password was right, or a recovery code. */
  code(person: Person, typed: string, trial: Trial): Promise<{ readonly ok: true } | FactorRefusal>;
  /**
   * A passkey, of whoever it is.
   *
   * @param holder - Id of the sign-in.
   * @param text - What the browser gave, as JSON.
   * @param expected - Id of the person who is known already: then nobody else's is taken.
   */
  passkey(
    holder: string,
    text: string,
    trial: Trial,
    expected: string | undefined,
  ): Promise<{ readonly ok: true; readonly person: Person; readonly method: AuthenticationMethod } | FactorRefusal>;
}

/** Longest code in characters, recovery codes with whatever stands between among them. */
const CODE_MAX = 64;

/** Makes the checks. */
export function createFactorChecks(ports: FactorCheckPorts): FactorChecks {
  const codes = createAttempts(ports.store, "code");
  const passkeys = createAttempts(ports.store, "passkey");

  function failed(
    why: SignInFailure,
    trial: Trial,
    who: { person?: string | undefined; detail?: string | undefined } = {},
  ) {
    const personId = who.person === undefined ? {} : { personId: who.person };
    const detail = who.detail === undefined ? {} : { detail: who.detail };
    ports
      .record({ type: "sign-in-failed", why, ...personId, ...detail, ...trial, at: ports.now() })
      .catch((error: unknown) => ports.report({ reference: newReference(), code: "record_failed", error }));
  }

  return {
    async code(person, typed, trial) {
      const attempt = await codes.begin(person.id, trial.source, ports.now());
      if (!("succeeded" in attempt)) {
        failed("too-many-attempts", trial, { person: person.id });
        return { ok: false, why: "wait", wait: attempt.wait };
      }
      const outcome = typed.length > CODE_MAX ? "wrong" : await checkCode(ports, person.id, typed);
      if (outcome !== "fits") {
        failed(outcome === "used" ? "code-used" : "code-wrong", trial, { person: person.id });
        return { ok: false, why: outcome };
      }
      await attempt.succeeded();
      return { ok: true };
    },

    async passkey(holder, text, trial, expected) {
      const attempt = await passkeys.begin(holder, trial.source, ports.now());
      if (!("succeeded" in attempt)) {
        failed("too-many-attempts", trial);
        return { ok: false, why: "wait", wait: attempt.wait };
      }
      const place = ports.place;
      const outcome = place === undefined ? undefined : await checkPasskey(ports, place, holder, text);
      if (outcome === undefined || !outcome.ok) {
        const { why = "passkey-refused", ...who } = outcome ?? {};
        failed(why, trial, who);
        return { ok: false, why: "passkey" };
      }
      const { person: personId, deviceBound } = outcome.passkey;
      if (expected !== undefined && personId !== expected) {
        failed("passkey-refused", trial, { person: personId, detail: "another person" });
        return { ok: false, why: "passkey" };
      }
      const person = await ports.store.person(personId);
      if (person === undefined || !person.enabled) {
        failed(person === undefined ? "person-unknown" : "person-disabled", trial, { person: person?.id });
        return { ok: false, why: "passkey" };
      }
      await attempt.succeeded();
      return { ok: true, person, method: deviceBound ? "device-bound-passkey" : "passkey" };
    },
  };
}
