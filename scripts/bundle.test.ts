import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle, faultsOf } from "./bundle.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "credence-bundle-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bundles a package of one's own. */
async function bundled(files: Readonly<Record<string, string>>) {
  const path = join(folder, "node_modules", "mine");
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "package.json"), JSON.stringify({ name: "mine", type: "module", exports: "./index.js" }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return bundle("mine", "protocol", folder);
}

describe("a bundle", () => {
  it("that uses a module of Node, by either name, is told with the imports that lead there", async () => {
    const made = await bundled({
      "index.js": 'export { a } from "./middle.js";',
      "middle.js": 'export { a } from "./deep.js";',
      "deep.js": 'import { readFileSync } from "fs"; export const a = () => readFileSync("x");',
    });
    expect(faultsOf("mine", made, { bytes: 1_000 })).toEqual([
      expect.stringMatching(/^mine uses node:fs:\n.*an app\n.*index\.js\n.*middle\.js\n.*deep\.js\n.*node:fs$/),
    ]);
    expect(faultsOf("mine", made, { bytes: 1_000, node: ["node:fs"] })).toEqual([]);
  });

  it("that no longer uses the module of Node that it may use is told", async () => {
    const made = await bundled({ "index.js": "export const a = 1;" });
    expect(faultsOf("mine", made, { bytes: 1_000, node: ["node:fs"] })).toEqual([
      expect.stringContaining("no longer uses node:fs"),
    ]);
  });

  it.each([
    ["Buffer", "export const a = () => Buffer.from('x');", "Node's Buffer"],
    ["process", "export const a = () => process.env.HOME;", "Node's process"],
    ["require", "export const a = (x) => require(x);", "a global of Node"],
    ["eval", "export const a = (x) => eval(x);", "code made of text"],
    ["Math.random", "export const a = () => Math.random();", "randomness that can be guessed"],
    ["console", "export const a = () => console.log(1);", "a trace of debugging"],
    ["a path of this machine", "export const a = '/home/me/credence/src/index.ts';", "a path of the machine"],
  ])("with %s in it is told", async (_, source, what) => {
    expect(faultsOf("mine", await bundled({ "index.js": source }), { bytes: 1_000 })).toEqual([
      expect.stringContaining(what),
    ]);
  });

  it("with what only looks like it is let pass", async () => {
    const source = "export const a = (x) => [ArrayBuffer.isView(x), x.Buffer, x.process.env, x.global.y];";
    expect(faultsOf("mine", await bundled({ "index.js": source }), { bytes: 1_000 })).toEqual([]);
  });

  it("that is larger than its budget is told, with both sizes", async () => {
    const made = await bundled({ "index.js": "export const a = 1;" });
    expect(faultsOf("mine", made, { bytes: 10 })).toEqual([
      `mine has ${made.bytes} bytes under gzip, more than its 10`,
    ]);
  });
});
