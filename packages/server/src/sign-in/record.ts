import type { RefusalReason } from "@credence/protocol/reasons";
import type { Audit } from "../audit/audit.ts";
import type { RecordSignIn, SignInEvent, SignInFailure } from "./events.ts";

/** Why a sign-in failed, in the catalogue's words. */
const REASONS: Readonly<Record<SignInFailure, RefusalReason>> = {
  "person-unknown": "person-unknown",
  "person-disabled": "person-disabled",
  "password-missing": "password-missing",
  "password-wrong": "password-wrong",
  "code-wrong": "code-wrong",
  "code-used": "code-used",
  "passkey-unknown": "passkey-unknown",
  "passkey-refused": "passkey-refused",
  "passkey-counter": "passkey-counter",
  "too-many-attempts": "too-many-attempts",
  busy: "sign-in-busy",
};

const FACTOR_CODES = {
  "factor-added": "factor.added",
  "factor-changed": "factor.changed",
  "factor-removed": "factor.removed",
} as const;

/**
 * Puts sign-ins and sign-outs on record. Failures for somebody who is not in the directory are counted: whoever types
 * random addresses must not be able to fill the disk.
 */
export function signInRecorder(audit: Pick<Audit, "record" | "countFailure">): RecordSignIn {
  return async (event) => {
    const { source } = event;
    const agentId = "agentId" in event ? event.agentId : undefined;
    const common = {
      source,
      ...(agentId === undefined ? {} : { agent: agentId }),
      ...("reference" in event ? { decisionId: event.reference } : {}),
    };
    switch (event.type) {
      case "sign-in-succeeded":
        return audit.record({
          code: "sign-in.succeeded",
          ...common,
          person: { id: event.personId },
          methods: event.methods,
        });
      case "token-revoked":
        return audit.record({ code: "token.revoked", ...common, person: { id: event.personId } });
      case "signed-out":
        return audit.record({ code: "sign-out", ...common, person: { id: event.personId } });
      case "factor-added":
      case "factor-changed":
      case "factor-removed": {
        const code = FACTOR_CODES[event.type];
        return audit.record({ code, ...common, person: { id: event.personId }, factor: event.factor });
      }
      case "session-ended":
        return audit.record({ code: "session.ended", ...common, person: { id: event.personId } });
      case "grant-ended":
        return audit.record({ code: "grant.ended", ...common, person: { id: event.personId } });
      case "sign-in-failed":
        return recordFailure(event, common, audit);
      case "grant-refused": {
        const reason = { id: "grant-refused", detail: event.detail } as const;
        if (agentId === undefined) return audit.countFailure({ reason: reason.id, source, sample: event.detail });
        return audit.record({ code: "grant.refused", ...common, reasons: [reason] });
      }
    }
  };
}

async function recordFailure(
  { why, personId, detail }: Extract<SignInEvent, { type: "sign-in-failed" }>,
  common: { readonly source: string; readonly agent?: string },
  audit: Pick<Audit, "record" | "countFailure">,
): Promise<void> {
  const id = REASONS[why];
  const reason = detail === undefined ? { id } : { id, detail };
  // A flood of attempts is counted as well, whoever it is aimed at.
  if (personId === undefined || why === "too-many-attempts" || why === "busy") {
    return audit.countFailure({ reason: id, source: common.source });
  }
  return audit.record({ code: "sign-in.failed", ...common, person: { id: personId }, reasons: [reason] });
}
