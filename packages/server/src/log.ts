import { type Logger, type LoggerOptions, pino } from "pino";

export type { Logger } from "pino";

/** How much the operator's log says. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Members that no line of the log ever shows, however deep something carries them. A second net: nothing that is logged
 * should hold one in the first place.
 */
const SECRET_MEMBER =
  /^(?:(?:proxy-)?authorization|(?:set-)?cookie2?|dpop|client-cert|pass(?:word|phrase|wd)(?:_?hash)?|.*secret.*|.*token|.*assertion|code_verifier|device_code|user_code|otp|totp|private_?(?:key|jwk)|key_?file_?key|d|k)$/i;
/** An error's code is a word of a program's, an authorization code or one of an authenticator app is not. */
const ERROR_CODE = /^(?:[A-Za-z][A-Za-z_]{1,39}|ERR_\w{1,60}|[0-9A-Z]{5}|-?\d{1,4})$/;
/** What looks like a secret, in the middle of a text. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  // A JWT: its header is JSON, which begins like this in base64url.
  [/\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*/g, "[secret]"],
  [/\b(Bearer|DPoP|Basic) +[\w.~+/-]{8,}=*/gi, "$1 [secret]"],
  [/\b([\w-]*(?:secret|token|assertion|password)|code(?:_verifier)?|user_code|device_code)=[^&\s"']+/gi, "$1=[secret]"],
];
const CENSORED = "[secret]";
/** How deep a line goes, and how many of a list it shows. */
const DEPTH = 8;
const ITEMS = 100;

/**
 * Opens the operator's log: a line of JSON per event, on stderr. The record (audit) is something else, and durable.
 *
 * @param bindings - Members of every line: which of several processes it is.
 */
export function openLog(level: LogLevel, bindings: Readonly<Record<string, string | number>> = {}): Logger {
  const hooks: LoggerOptions["hooks"] = {
    logMethod(args, method) {
      // What pino is told, in its own order: members, message, values for the message.
      method.apply(this, args.map((one) => withoutSecrets(one)) as typeof args);
    },
  };
  return pino({ level, hooks, base: bindings }, pino.destination({ dest: 2, sync: true }));
}

/** The same value, where nothing shows that is, or looks like, a secret. */
function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === "string") {
    return SECRET_TEXT.reduce((text, [pattern, shown]) => text.replace(pattern, shown), value);
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return withoutSecrets(describeError(value), depth);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value) || depth > DEPTH) return CENSORED;
  if (Array.isArray(value)) return value.slice(0, ITEMS).map((one) => withoutSecrets(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, isSecret(name, one) ? CENSORED : withoutSecrets(one, depth + 1)]),
  );
}

function isSecret(name: string, value: unknown): boolean {
  return SECRET_MEMBER.test(name) || (name === "code" && !ERROR_CODE.test(String(value)));
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
