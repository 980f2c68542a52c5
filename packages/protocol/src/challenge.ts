/** One challenge of a `WWW-Authenticate` header: a scheme and its parameters. @see RFC 9110 §11.6.1 */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`^\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))\\s*`);
const SCHEME = new RegExp(`^[\\s,]*(${TOKEN})(?=\\s|,|$)\\s*`);

/**
 * Parses a `WWW-Authenticate` header.
 *
 * @param header - At most 8,192 characters are read.
 * @returns its challenges; what can not be read is left out.
 * @see RFC 9110 §11.6.1, RFC 6750 §3
 */
export function parseChallenges(header: string | null | undefined): readonly Challenge[] {
  let rest = (header ?? "").slice(0, 8_192);
  const challenges: Challenge[] = [];
  for (let scheme = SCHEME.exec(rest); scheme?.[1]; scheme = SCHEME.exec(rest)) {
    rest = rest.slice(scheme[0].length);
    const parameters: Record<string, string> = Object.create(null);
    for (let one = PARAMETER.exec(rest); one?.[1]; one = PARAMETER.exec(rest)) {
      parameters[one[1].toLowerCase()] ??= one[2]?.replaceAll(/\\(.)/g, "$1") ?? one[3] ?? "";
      rest = rest.slice(one[0].length);
      if (!rest.startsWith(",")) break;
      rest = rest.slice(1);
    }
    challenges.push({ scheme: scheme[1].toLowerCase(), parameters });
  }
  return challenges;
}

/**
 * Builds one challenge. Parameters that are `undefined` are left out; values are quoted.
 *
 * @param scheme - `Bearer` or `DPoP`.
 * @see RFC 6750 §3, RFC 9728 §5.1
 */
export function buildChallenge(scheme: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value.replaceAll(/[\\"]/g, "\\$&")}"`],
  );
  return written.length === 0 ? scheme : `${scheme} ${written.join(", ")}`;
}
