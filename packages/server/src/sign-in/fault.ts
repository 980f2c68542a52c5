/** Something that a person was shown an error page for. For the operator's log; the page gives the reference alone. */
export interface Fault {
  readonly reference: string;
  /** The protocol's own code, or ours. */
  readonly code: string;
  readonly error: unknown;
}

/** Takes a fault to the operator's log. */
export type Report = (fault: Fault) => void;
