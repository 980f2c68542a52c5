import { execFileSync } from "node:child_process";
import { CredenceError } from "@credence/protocol";
import { describe, expect, test } from "vitest";
import { describeError } from "./log.ts";

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("an error in the log", () => {
  test("has our own message, code and reason, and those of what caused it", () => {
    const cause = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    const error = new CredenceError("The store is gone.", {
      code: "temporarily_unavailable",
      reason: "store-unavailable",
      cause,
    });
    expect(describeError(error)).toMatchObject({
      error: "CredenceError",
      message: "The store is gone.",
      code: "temporarily_unavailable",
      reason: "store-unavailable",
      cause: { message: "no space left on device", code: "ENOSPC" },
    });
  });

  test("does not have a message that quotes what came from outside", () => {
    const error = thrownBy(() => JSON.parse("s3cret-token"));
    expect(String(error)).toContain("s3cret");
    const shown = describeError(error);
    expect(JSON.stringify(shown)).not.toContain("s3cret");
    expect(shown).toMatchObject({ error: "SyntaxError", at: expect.arrayContaining([expect.stringContaining("at ")]) });
  });

  test("is cut, and need not be an error at all", () => {
    const long = new CredenceError("x".repeat(1_000), { code: "network" });
    expect(JSON.stringify(describeError(long)).length).toBeLessThan(2_500);
    expect(describeError("thrown text")).toEqual({ error: "string" });
  });
});

/** What a log says of some calls, which a script makes in a process of its own: the log writes to stderr itself. */
function logged(calls: string): Record<string, unknown>[] {
  const script = `
    import { openLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    const log = openLog("debug", { process: "worker" });
    ${calls}
  `;
  const argv = ["-C", "@credence/source", "--input-type=module", "-e", `${script}`];
  const lines = execFileSync("sh", ["-c", '"$0" "$@" 2>&1 >/dev/null', process.execPath, ...argv], {
    encoding: "utf8",
  });
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("the log", () => {
  test("never shows a member that is a secret, however deep an error or request carries it, and in whatever case", () => {
    const names = [
      ...[
        "authorization",
        "Proxy-Authorization",
        "cookie",
        "Set-Cookie",
        "DPoP",
        "password",
        "passwordHash",
        "clientSecret",
      ],
      ...[
        "client_secret",
        "subject_token",
        "access_token",
        "refreshToken",
        "id_token",
        "client_assertion",
        "assertion",
      ],
      ...[
        "code_verifier",
        "device_code",
        "user_code",
        "otp",
        "privateJwk",
        "private_key",
        "d",
        "k",
        "code",
        "formerSecret",
      ],
    ];
    const members = Object.fromEntries(names.map((name) => [name, "s3cret-s3cret-s3cret"]));
    const [line] = logged(`
      const members = ${JSON.stringify(members)};
      log.info({ ...members, headers: members, a: { b: { c: [members, { d1: members }] } }, shown: 1 }, "message");
    `);
    expect(line).toMatchObject({ shown: 1, password: "[secret]", process: "worker", msg: "message" });
    expect(JSON.stringify(line)).not.toContain("s3cret");
  });

  test("shows no token or secret in the middle of a text, wherever that stands", () => {
    const texts = [
      "eyJhbGciOiJub25lIn0.czNjcmV0.czNjcmV0",
      "Bearer czNjcmV0czNjcmV0",
      "dpop czNjcmV0czNjcmV0==",
      "Basic czNjcmV0OnMzY3JldA==",
      "/callback?code=czNjcmV0&state=1",
      "grant_type=x&client_secret=czNjcmV0&subject_token=czNjcmV0",
      "password=czNjcmV0",
    ];
    const lines = logged(`
      for (const text of ${JSON.stringify(texts)}) {
        log.warn("before " + text + " after");
        log.error({ error: { message: text, cause: { list: [text] } } }, text);
        log.info("%s and %o", text, { text });
        log.error(Object.assign(new Error(text), { code: "E" }));
        log.debug({ error: Object.assign(new Error("outer"), { cause: new Error(text) }) });
      }
    `);
    expect(lines).toHaveLength(texts.length * 5);
    expect(JSON.stringify(lines)).not.toMatch(/czNjcmV0/);
    expect(lines[0]?.msg).toBe("before [secret] after");
  });

  test("shows what helps: codes of errors, of the system and of the database, ids and times", () => {
    const codes = ["ENOSPC", "temporarily_unavailable", "ERR_SQLITE_ERROR", "57P01", "ERR_TLS_CERT_ALTNAME_INVALID"];
    const lines = logged(
      `for (const code of ${JSON.stringify(codes)}) log.error({ code, decision: "Zm9v", ms: 1.5 });`,
    );
    expect(lines.map(({ code }) => code)).toEqual(codes);
    expect(lines[0]).toMatchObject({ decision: "Zm9v", ms: 1.5 });
  });

  test.each(["123456", "kR9bU3vQ4mXnZ7sT2wY5aB8cD1eF6gH0iJkLmNoPqRs", "ABCD-EFGH-JKLM"])(
    "does not take %s for an error's code",
    (code) => {
      expect(logged(`log.warn({ code: ${JSON.stringify(code)} });`)).toMatchObject([{ code: "[secret]" }]);
    },
  );

  test("ends with what refers to itself", () => {
    expect(logged("const a = { name: 1 }; a.a = a; log.info({ a });")).toMatchObject([{ a: { name: 1 } }]);
  });
});
