import { type AuthorizationDetail, detailsWithin } from "@credence/protocol/authorization-details";
import type { RefusalReason } from "@credence/protocol/reasons";
import { ACR_VALUES, strengthOf } from "../directory/acr.ts";
import type { Connection } from "../directory/types.ts";
import type { Assessment } from "./conditions.ts";
import type { StepUp } from "./decision.ts";
import type { Facts } from "./facts.ts";

/** Scopes and authorization details. */
interface What {
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

/** What connections say to a request at one resource. */
export interface Outlook {
  /** `undefined`: the app as a whole. */
  readonly resource: string | undefined;
  /** All of them, sorted by id. */
  readonly assessments: readonly Assessment[];
  /** Those whose conditions all hold, and what they grant. */
  readonly granting: readonly Assessment[];
  readonly granted: What;
  /** Those for which signing in again is all that is missing, and what of theirs has to be waited for. */
  readonly away: readonly Assessment[];
  readonly missing: What;
}

/**
 * The sign-in that gives all that is missing, and loses nothing of what is granted. Each scope or detail takes the least
 * demanding of its connections: the weakest way to sign in, and of those the longest age, both of one connection, so that
 * whoever meets them gets it. All of them together take the most demanding. So one new sign-in is always enough.
 *
 * @param outlooks - At each resource that is asked for.
 * @returns what the sign-in must be like, and the connections that would then give what is missing.
 * @see RFC 9470 §3
 */
export function stepUp(
  outlooks: readonly Outlook[],
): { readonly needed: readonly Assessment[] } & Pick<StepUp, "maxAge" | "acrValues" | "refusal"> {
  const needed = outlooks.flatMap(({ away, missing }) => away.filter((one) => gives(one, missing)));
  const needs = outlooks.flatMap(needsOf);
  const maxAge = Math.min(...needs.map((need) => need.maxAge));
  const acr = ACR_VALUES[Math.max(...needs.map((need) => need.strength))];
  const asked = {
    ...(Number.isFinite(maxAge) ? { maxAge } : {}),
    ...(acr === undefined ? {} : { acrValues: [acr] }),
  };
  const wire = {
    ...(Number.isFinite(maxAge) ? { max_age: maxAge } : {}),
    ...(acr === undefined ? {} : { acr_values: acr }),
  };
  return { needed, ...asked, refusal: { reason: reasonOf(needed), wire } };
}

/** The facts as they are once the person has signed in as asked for, and no better. */
export function afterSignIn({ maxAge, acrValues = [] }: Pick<StepUp, "maxAge" | "acrValues">, facts: Facts): Facts {
  const [acr] = acrValues;
  const authentication = {
    ...facts.authentication,
    ...(maxAge === undefined ? {} : { authTime: facts.now - maxAge }),
    ...(acr === undefined ? {} : { acr }),
  };
  return { ...facts, authentication };
}

function needsOf({ granting, away, granted, missing }: Outlook): readonly Need[] {
  const all = [...granting, ...away];
  const units = [
    ...[...granted.scopes, ...missing.scopes].map((scope) => all.filter(({ scopes }) => scopes.includes(scope))),
    ...[...granted.details, ...missing.details].map((detail) =>
      all.filter(({ details }) => detailsWithin([detail], details)),
    ),
  ];
  return units.flatMap((givers) => leastDemanding(givers) ?? []);
}

function gives({ scopes, details }: Assessment, missing: What): boolean {
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
