/** What it means when a port fails: the app's own functions, its store, its keys. */
import { CredenceError, type Refusal } from "@credence/protocol";
import type { RefusalReason } from "@credence/protocol/reasons";

/** The reasons that a failing port may mean. */
type FaultReason = Extract<RefusalReason, "store-unavailable" | "signer-unavailable" | "internal-fault">;

/**
 * Wraps one of the app's own functions, so that what it throws says which it was, and the reason that its failure means.
 *
 * @returns the same function; it rejects with a CredenceError that {@link faultOf} reads.
 */
export function port<In extends readonly unknown[], Out>(
  reason: FaultReason,
  name: string,
  run: (...input: In) => Out | Promise<Out>,
): (...input: In) => Promise<Out> {
  return async (...input) => {
    try {
      return await run(...input);
    } catch (cause) {
      throw new CredenceError(`${name} failed`, { code: "temporarily_unavailable", reason, cause });
    }
  };
}

/** The refusal that something thrown means; whatever it is, nothing is issued. */
export function faultOf(thrown: unknown): { readonly refusal: Refusal; readonly cause: unknown } {
  if (thrown instanceof CredenceError) {
    const { reason, message, cause } = thrown;
    const detail = [message, ...told(cause)].join(": ");
    if (isFaultReason(reason)) return { refusal: { reason, detail }, cause: cause ?? thrown };
  }
  const detail = told(thrown).join(": ");
  return { refusal: { reason: "internal-fault", ...(detail === "" ? {} : { detail }) }, cause: thrown };
}

/**
 * What a failure tells by itself that may stand in a line of the record: this package's own messages, and the codes of systems
 * (`ECONNREFUSED`). The messages of others may hold anything, and stay in the cause.
 */
function told(cause: unknown): readonly string[] {
  if (!(cause instanceof Error)) return [];
  const own = cause instanceof CredenceError && (isFaultReason(cause.reason) || cause.code === "configuration");
  if (own) return [cause.message, ...told(cause.cause)];
  return "code" in cause && typeof cause.code === "string" && /^\w{1,64}$/.test(cause.code) ? [cause.code] : [];
}

function isFaultReason(reason: string | undefined): reason is FaultReason {
  return reason === "store-unavailable" || reason === "signer-unavailable" || reason === "internal-fault";
}
