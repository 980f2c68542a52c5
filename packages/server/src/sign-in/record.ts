import type { RefusalReason } from "@credence/protocol/reasons";
import type { Audit } from "../audit/audit.ts";
import type { RecordSignIn, SignInEvent, SignInFailure } from "./events.ts";

/** Why a sign-in failed, in the catalogue's words. */
const REASONS: Readonly<Record<SignInFailure, RefusalReason>> = {
  "person-unknown": "person-unknown",
  "person-disabled": "person-disabled",
  "password-missing": "password-missing",
  "password-wrong": "password-wrong",
  "too-many-attempts": "too-many-attempts",
  busy: "sign-in-busy",
};

/**
 * Puts sign-ins and sign-outs on record. Failures for somebody who is not in the directory are counted: whoever types
 * random addresses must not be able to fill the disk.
 */
export function signInRecorder(audit: Pick<Audit, "record" | "countFailure">): RecordSignIn {
  return async (event) => {
    const { agentId, source } = event;
    const common = {
      source,
      ...(agentId === undefined ? {} : { agent: agentId }),
      ...("reference" in event ? { decisionId: event.reference } : {}),
    };
    switch (event.type) {
      case "sign-in-succeeded":
        return audit.record({ code: "sign-in.succeeded", ...common, person: { id: event.personId } });
      case "signed-out":
        return audit.record({ code: "sign-out", ...common, person: { id: event.personId } });
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
  { why, personId }: Extract<SignInEvent, { type: "sign-in-failed" }>,
  common: { readonly source: string; readonly agent?: string },
  audit: Pick<Audit, "record" | "countFailure">,
): Promise<void> {
  const id = REASONS[why];
  // A flood of attempts is counted as well, whoever it is aimed at.
  if (personId === undefined || why === "too-many-attempts" || why === "busy") {
    return audit.countFailure({ reason: id, source: common.source });
  }
  return audit.record({ code: "sign-in.failed", ...common, person: { id: personId }, reasons: [{ id }] });
}
