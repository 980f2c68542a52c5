import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import type { Agent, App, Connection, Person } from "../directory/types.ts";

/** Everything that a decision may look at: gathered before, so that deciding is a pure function. */
export interface Facts {
  /** The decision's id, made first; on a permit it becomes the grant's id and the ID-JAG's `jti`. */
  readonly id: string;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Lifetime in seconds where a connection states none. */
  readonly defaultLifetime: number;
  readonly agent: Pick<Agent, "id" | "enabled" | "denialError">;
  readonly person: Pick<Person, "id" | "groups" | "enabled">;
  readonly authentication: {
    /** Seconds since the epoch; absent when the sign-in does not say. */
    readonly authTime?: number;
    readonly acr?: string;
    readonly amr?: readonly string[];
  };
  /** What the request proves possession of; absent when of nothing. */
  readonly binding?: "dpop" | "certificate";
  /** Id of the agent that acts, where the request names one. */
  readonly actor?: string;
  readonly app: Pick<App, "id" | "enabled" | "resources" | "scopes" | "clients" | "authorizationDetailsTypes">;
  /** All from this agent to this app, in any order; others do not count. */
  readonly connections: readonly Connection[];
  readonly asked: {
    readonly resource: readonly string[];
    /** Absent or empty: no scope is named, and the connections' `default_scopes` are meant. */
    readonly scope?: readonly string[];
    /** Absent when none are asked for. */
    readonly authorizationDetails?: readonly AuthorizationDetail[];
  };
}
