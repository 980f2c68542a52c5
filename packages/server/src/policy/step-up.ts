import { type AuthorizationDetail, detailsWithin } from "@credence/protocol/authorization-details";
import type { RefusalReason } from "@credence/protocol/reasons";
import { ACR_VALUES, strengthOf } from "../directory/acr.ts";
import type { Connection } from "../directory/types.ts";
import type { Assessment } from "./conditions.ts";
import type { StepUp } from "./decision.ts";

/** What a new sign-in would add to what is granted already. */
export interface Missing {
  readonly scopes: readonly string[];
  readonly details: readonly AuthorizationDetail[];
}

/** What a sign-in must be like. */
interface Need {
  /** Seconds; infinite where any age will do. */
  readonly maxAge: number;
  /** Index in {@link ACR_VALUES}; -1 where any way will do. */
  readonly strength: number;
}

/**
 * The sign-in that gives all that is missing. Each missing scope or detail takes the least demanding of its connections: the
 * weakest way to sign in, and of those the longest age, both of one connection, so that whoever meets them gets it. All of
 * them together take the most demanding. So one new sign-in is always enough.
 *
 * @param away - Connections for which signing in again is all that is missing.
 * @see RFC 9470 §3
 */
export function neededSignIn(
  away: readonly Assessment[],
  missing: Missing,
): { readonly needed: readonly Assessment[] } & Pick<StepUp, "maxAge" | "acrValues" | "refusal"> {
  const needed = away.filter((one) => gives(one, missing));
  const units = [
    ...missing.scopes.map((scope) => needed.filter(({ scopes }) => scopes.includes(scope))),
    ...missing.details.map((detail) => needed.filter(({ details }) => detailsWithin([detail], details))),
  ];
  const needs = units.flatMap((givers) => leastDemanding(givers) ?? []);
  const maxAge = Math.min(...needs.map((need) => need.maxAge));
  const acr = ACR_VALUES[Math.max(...needs.map((need) => need.strength))];
  const asked = {
    ...(Number.isFinite(maxAge) ? { maxAge } : {}),
    ...(acr === undefined ? {} : { acrValues: [acr] }),
  };
  const wire = {
    ...(asked.maxAge === undefined ? {} : { max_age: asked.maxAge }),
    ...(asked.acrValues === undefined ? {} : { acr_values: asked.acrValues.join(" ") }),
  };
  return { needed, ...asked, refusal: { reason: reasonOf(needed), wire } };
}

function gives({ scopes, details }: Assessment, missing: Missing): boolean {
  return (
    missing.scopes.some((scope) => scopes.includes(scope)) ||
    missing.details.some((detail) => detailsWithin([detail], details))
  );
}

function leastDemanding(givers: readonly Assessment[]): Need | undefined {
  const [least] = givers
    .map(({ connection }) => needOf(connection))
    .sort((a, b) => a.strength - b.strength || b.maxAge - a.maxAge);
  return least;
}

/** An `acr` that is unknown here is met by nobody, so its connection is never one sign-in away. */
function needOf({ conditions: { maxAge = Number.POSITIVE_INFINITY, acr } }: Connection): Need {
  return { maxAge, strength: acr === undefined ? -1 : strengthOf(acr) };
}

/** The reason that says most: that the sign-in is too weak, too old, or does not say when it was. */
function reasonOf(needed: readonly Assessment[]): RefusalReason {
  const order = ["acr-too-weak", "sign-in-too-old", "auth-time-missing"] as const;
  return order.find((reason) => needed.some(({ failed }) => failed.includes(reason))) ?? "auth-time-missing";
}
