import type { AuditFailures, AuditReasonId } from "./event.ts";

/** A failure of a caller that nobody knows, or of a client. */
export interface Failure {
  readonly reason: AuditReasonId;
  /** Address that the request came from; of strangers alone. */
  readonly source?: string;
  /** Id of the agent, where it is known. */
  readonly agent?: string;
  /** What it looked like. Never a token or a secret. */
  readonly sample?: string;
}

/** Counts failures per reason and source or agent, in bounded memory. */
export interface FailureCounter {
  count(failure: Failure): void;
  /** Gives what was counted, and begins anew. */
  take(): readonly AuditFailures[];
  /** Adds counts that could not be recorded again. */
  giveBack(failures: readonly AuditFailures[]): void;
}

/**
 * @param places - How many pairs of reason and source or agent are told apart; all further ones are added up per reason, so that
 *   nobody fills memory or disk by coming from everywhere.
 */
export function createFailureCounter(places: number): FailureCounter {
  let counts = new Map<string, AuditFailures>();

  function add(failure: AuditFailures): void {
    const key = JSON.stringify([failure.reason, failure.source, failure.agent]);
    const known = counts.get(key);
    if (known) {
      counts.set(key, { ...known, count: known.count + failure.count });
    } else if ((failure.source ?? failure.agent) === undefined || counts.size < places) {
      counts.set(key, failure);
    } else {
      add({ reason: failure.reason, count: failure.count });
    }
  }

  return {
    count: (failure) => add({ ...failure, count: 1 }),
    take() {
      const taken = [...counts.values()];
      counts = new Map();
      return taken;
    },
    giveBack: (failures) => failures.forEach(add),
  };
}
