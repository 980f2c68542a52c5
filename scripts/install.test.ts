import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ensureInstalled, isCurrent } from "./lib/install.mjs";

let root: string;
let told: string[];
const tell = (line: string) => told.push(line);

/** A project with one dependency and one tool, both from its own folder: npm needs no network for them. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "credence-install-"));
  told = [];
  for (const name of ["dependency", "tool"]) write(`${name}/package.json`, { name, version: "1.0.0" });
  const manifest = {
    name: "project",
    version: "1.0.0",
    dependencies: { dependency: "file:dependency" },
    devDependencies: { tool: "file:tool" },
  };
  write("package.json", manifest);
  write("package-lock.json", {
    ...{ name: "project", version: "1.0.0", lockfileVersion: 3, requires: true },
    packages: {
      "": manifest,
      dependency: { version: "1.0.0" },
      tool: { version: "1.0.0", dev: true },
      "node_modules/dependency": { resolved: "dependency", link: true },
      "node_modules/tool": { resolved: "tool", link: true },
      "node_modules/elsewhere": { version: "1.0.0", optional: true, os: "plan9", cpu: ["mips"] },
    },
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

function write(path: string, content: unknown): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), JSON.stringify(content));
}

function wantAnother(): void {
  const entry = { version: "2.0.0", integrity: "sha512-AA==" };
  write("package-lock.json", { lockfileVersion: 3, packages: { "node_modules/another": entry } });
}

describe("dependencies", () => {
  it("are installed when missing, and then left alone", async () => {
    expect(isCurrent(root)).toBe(false);
    await ensureInstalled(root, tell);
    expect(isCurrent(root)).toBe(true);
    await ensureInstalled(root, tell);
    expect(told).toEqual([expect.stringMatching(/^Installing dependencies/)]);
  });

  it("include the tools with NODE_ENV=production and with install scripts disabled", async () => {
    vi.stubEnv("NODE_ENV", "production");
    vi.stubEnv("npm_config_omit", "dev");
    vi.stubEnv("npm_config_ignore_scripts", "true");
    await ensureInstalled(root, tell);
    expect(existsSync(join(root, "node_modules", "tool", "package.json"))).toBe(true);
  });

  it("are installed once by two launches at once", async () => {
    await Promise.all([ensureInstalled(root, tell), ensureInstalled(root, tell)]);
    expect(told.filter((line) => line.startsWith("Installing"))).toHaveLength(1);
    expect(told.filter((line) => line.startsWith("Waiting"))).toHaveLength(1);
  });

  it("are installed though a killed launch has left its lock", async () => {
    writeFileSync(join(root, ".install.lock"), "somebody");
    const before = new Date(Date.now() - 60_000);
    utimesSync(join(root, ".install.lock"), before, before);
    await ensureInstalled(root, tell);
    expect(isCurrent(root)).toBe(true);
    expect(existsSync(join(root, ".install.lock"))).toBe(false);
  });

  it("that cannot be installed are told with how to mend it, and leave no lock", async () => {
    wantAnother();
    await expect(ensureInstalled(root, tell)).rejects.toThrow(
      /could not be installed[\s\S]*To mend it: package-lock\.json does not fit/,
    );
    expect(existsSync(join(root, ".install.lock"))).toBe(false);
  });
});

describe("node_modules is current", () => {
  beforeEach(() => ensureInstalled(root, tell));

  it("when it was installed by hand", () => {
    rmSync(join(root, "node_modules", ".credence-installed"));
    expect(isCurrent(root)).toBe(true);
  });

  it("whatever the times of the files are", () => {
    const later = new Date(Date.now() + 3_600_000);
    utimesSync(join(root, "package-lock.json"), later, later);
    expect(isCurrent(root)).toBe(true);
  });

  it.each([
    ["the lock file asks for something else", () => wantAnother()],
    ["npm has changed it since", () => write("node_modules/.package-lock.json", { packages: {} })],
    ["it is gone", () => rmSync(join(root, "node_modules"), { recursive: true })],
    ["its own lock file is broken", () => writeFileSync(join(root, "node_modules", ".package-lock.json"), "{")],
  ])("no longer when %s", (_, change) => {
    change();
    expect(isCurrent(root)).toBe(false);
  });
});
