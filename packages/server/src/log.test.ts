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

test("the log never shows a member that is a secret, however deep an error or request carries it", () => {
  const script = `
    import { openLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    openLog("info").info({ password: "s3cret", headers: { authorization: "s3cret" }, a: { b: { subject_token: "s3cret" } }, shown: 1 });
  `;
  const argv = ["-C", "@credence/source", "--input-type=module", "-e", `${script}`];
  const line = execFileSync("sh", ["-c", '"$0" "$@" 2>&1 >/dev/null', process.execPath, ...argv], { encoding: "utf8" });
  expect(JSON.parse(line)).toMatchObject({ shown: 1, password: "[secret]" });
  expect(line).not.toContain("s3cret");
});
