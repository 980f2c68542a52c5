/** docs/interop.md is held to what there is: each row's test, and each version. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { document, readTable } from "./document.testing.ts";

const rows = await readTable("Clients and servers");
const text = await readFile(document, "utf8");

/** The version that is installed; not every package exports its package.json. */
async function installed(name: string): Promise<string> {
  const file = join(dirname(document), "..", "node_modules", name, "package.json");
  return String(JSON.parse(await readFile(file, "utf8")).version);
}

describe("the table of clients and servers", () => {
  test("has a row for each client that the project speaks of", () => {
    const clients = new Set(rows.map(([client = ""]) => client.replaceAll("`", "")));
    expect([...clients].sort()).toEqual([
      "@credence/client",
      "@modelcontextprotocol/client",
      "@modelcontextprotocol/sdk",
      "oauth4webapi",
      "openid-client",
    ]);
  });

  test.each(rows.map((row) => [row[5] ?? "", row] as const))("names a test that is there: %s", async (cell, row) => {
    expect(row).toHaveLength(6);
    const [, file = "", name = ""] = /\]\((\.\.\/[^)]+)\) › "(.+)"$/.exec(cell) ?? [];
    const source = await readFile(join(dirname(document), file), "utf8");
    const titles = [...source.matchAll(/(?:(?:test|it|describe)[^"\n]*|\](?: as const)?\))\(\s*"([^"]+)"/g)].map(
      ([, title]) => title,
    );
    expect(titles).toContain(name);
  });

  test.each(rows.filter(([, version]) => version !== "ours"))(
    "%s %s is what is installed",
    async (client = "", version) => {
      expect(await installed(client.replaceAll("`", ""))).toBe(version);
    },
  );
});

test("the version of the conformance suite is what is installed", async () => {
  const version = await installed("@modelcontextprotocol/conformance");
  expect(text).toContain(`\`@modelcontextprotocol/conformance\` ${version},`);
});
