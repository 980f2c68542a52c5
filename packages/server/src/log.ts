import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/** How much the operator's log says. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Members that no line of the log ever shows, wherever an error or a request carries them. */
const SECRETS = [
  "authorization",
  "cookie",
  "password",
  "client_secret",
  "client_assertion",
  "assertion",
  "subject_token",
];

/**
 * Opens the operator's log: a line of JSON per event, on stderr. The record (audit) is something else, and durable.
 */
export function openLog(level: LogLevel): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino({ level, redact: { paths, censor: "[secret]" }, base: null }, pino.destination({ dest: 2, sync: true }));
}

/**
 * An error as the log may show it: what it is and where it arose. Its message stands there only when it is ours, or the
 * system's or database's own (those have a code); any other may quote what came from outside, as JSON's does.
 */
export function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { error: typeof error };
  const { name, stack, cause } = error;
  return {
    error: name,
    ...("code" in error ? { message: error.message.slice(0, 300) } : {}),
    ...("code" in error ? { code: error.code } : {}),
    ...("reason" in error ? { reason: error.reason } : {}),
    // Where, without the message that stands at its head.
    at: stack
      ?.split("\n")
      .filter((line) => line.startsWith("    at "))
      .slice(0, 6),
    ...(cause === undefined ? {} : { cause: describeError(cause) }),
  };
}
