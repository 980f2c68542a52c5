/** Why the admin API did not do it. @see RFC 9457 */
export interface ProblemDetails {
  /** Stable; what a program switches on. */
  readonly type: `urn:credence:problem:${string}`;
  readonly title: string;
  readonly status: number;
  /** How to mend it. */
  readonly detail: string;
  readonly [member: string]: unknown;
}

/** Answers with a problem. */
export function problem(
  status: number,
  type: string,
  title: string,
  detail: string,
  members: Readonly<Record<string, unknown>> = {},
): Response {
  const body: ProblemDetails = { type: `urn:credence:problem:${type}`, title, status, detail, ...members };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

/** There is no such id in a section of the organization. */
export function notFound(section: string): Response {
  return problem(404, "not-found", `There is no such id in ${section}.`, "credence export shows what there is.");
}
