/**
 * What every answer says, whoever gives it.
 *
 * @param issuer - Where the outside is TLS, browsers are told to use nothing else.
 * @see RFC 6797 §6.1
 */
export function securityHeaders(issuer: string): readonly (readonly [string, string])[] {
  const always = [
    ["x-content-type-options", "nosniff"],
    ["referrer-policy", "no-referrer"],
    ["x-frame-options", "DENY"],
  ] as const;
  return issuer.startsWith("https:")
    ? [...always, ["strict-transport-security", "max-age=31536000; includeSubDomains"]]
    : always;
}
