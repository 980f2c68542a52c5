import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processSecrets, resolveSecret, type SecretSources, secretResolver } from "./secrets.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "secrets-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(text: string, mode = 0o600): string {
  const path = join(directory, "secret");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const sources = { ...processSecrets, env: { ASSISTANT_SECRET: "from the environment", EMPTY: "" } };

describe("a secret", () => {
  it("comes from the environment, a file, or the demo itself", () => {
    expect(resolveSecret({ env: "ASSISTANT_SECRET" }, sources)).toBe("from the environment");
    expect(resolveSecret({ file: file("from a file\n") }, sources)).toBe("from a file");
    expect(resolveSecret({ literal: "demo" }, sources)).toBe("demo");
  });

  it.each([
    ["a variable that is not set", { env: "MISSING" }, /MISSING is not set/],
    ["a variable that is empty", { env: "EMPTY" }, /EMPTY is not set, or empty/],
    ["a variable named like a member of every object", { env: "constructor" }, /not set/],
    ["a file that is not there", { file: "/nonexistent/secret" }, /\/nonexistent\/secret can not be read/],
  ])("is missing: %s", (_, ref, says) => {
    expect(() => resolveSecret(ref, sources)).toThrow(says);
  });

  it("is not taken from a file that others may open", () => {
    const path = file("s3cret", 0o644);
    expect(() => resolveSecret({ file: path }, sources)).toThrow(/chmod 600/);
    expect(() => resolveSecret({ file: path }, sources)).not.toThrow(/s3cret/);
  });

  it("is not taken from an empty file", () => {
    expect(() => resolveSecret({ file: file("\n") }, sources)).toThrow(/is empty/);
  });
});

describe("the secrets of a running server", () => {
  let reads: number;
  let seconds: number;
  let resolve: ReturnType<typeof secretResolver>;
  beforeEach(() => {
    reads = 0;
    seconds = 1_000;
    const counting: SecretSources = {
      ...sources,
      readFile(path) {
        reads += 1;
        return processSecrets.readFile(path);
      },
    };
    resolve = secretResolver(counting, () => seconds);
  });

  it("are read from a file once a second, and what is written into it counts then", () => {
    const ref = { file: file("first") };
    for (const after of [0, 0.5, 0.999]) {
      seconds = 1_000 + after;
      expect(resolve(ref)).toBe("first");
      file("second");
    }
    expect(reads).toBe(1);
    seconds = 1_001;
    expect(resolve(ref)).toBe("second");
  });

  it("are gone with their file within the second, and back with it at once", () => {
    const ref = { file: file("here") };
    expect(resolve(ref)).toBe("here");
    seconds += 1;
    rmSync(ref.file);
    for (const _ of [1, 2]) expect(() => resolve(ref)).toThrow(/can not be read/);
    file("back");
    expect(resolve(ref)).toBe("back");
    expect(reads).toBe(4);
  });

  it("are told apart by their files, and come from elsewhere as ever", () => {
    expect(resolve({ file: file("one") })).toBe("one");
    const other = join(directory, "other");
    writeFileSync(other, "two", { mode: 0o600 });
    expect(resolve({ file: other })).toBe("two");
    expect(resolve({ env: "ASSISTANT_SECRET" })).toBe("from the environment");
    expect(resolve({ literal: "demo" })).toBe("demo");
  });
});
