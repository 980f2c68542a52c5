import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkSnippets, snippetsOf } from "./snippets.ts";

const FENCE = "```";

describe("the blocks of a Markdown file", () => {
  it("are those marked ts or typescript, with the line of their first line of code", () => {
    const markdown = [
      "# Title",
      `${FENCE}ts`,
      "const a = 1;",
      FENCE,
      `${FENCE}sh`,
      "npm test",
      FENCE,
      `${FENCE}typescript`,
      "let b",
      FENCE,
    ];
    expect(snippetsOf("a.md", markdown.join("\n"))).toEqual([
      { file: "a.md", line: 3, code: "const a = 1;", ignored: false },
      { file: "a.md", line: 9, code: "let b", ignored: false },
    ]);
  });

  it.each([
    ["in a list", ["- text", `  ${FENCE}ts`, "  if (a) {", "    b();", "  }", `  ${FENCE}`], "if (a) {\n  b();\n}"],
    ["in a quotation", [`> ${FENCE}ts`, "> a();", `> ${FENCE}`], "a();"],
    [
      "with a longer fence around a shorter one",
      ["````ts", "const a = `", FENCE, "`;", "````"],
      `const a = \`\n${FENCE}\n\`;`,
    ],
    ["with tildes", ["~~~ts", "a();", "~~~"], "a();"],
  ])("are read %s", (_, lines, code) => {
    expect(snippetsOf("a.md", lines.join("\n")).map((snippet) => snippet.code)).toEqual([code]);
  });
});

describe("checking the blocks", () => {
  let root: string;
  beforeEach(() => {
    // Inside the repository, where the installed packages are found.
    root = mkdtempSync(join(import.meta.dirname, "..", ".snippets-test-"));
    mkdirSync(join(root, "docs"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const readme = (...lines: string[]) => writeFileSync(join(root, "README.md"), lines.join("\n"));

  it("finds an error and names the line of the Markdown file", async () => {
    readme("# Title", "", `${FENCE}ts`, "const fine: number = 1;", "const wrong: number = 'one';", FENCE);
    writeFileSync(join(root, "docs", "page.md"), `${FENCE}ts\nmissing();\n${FENCE}\n`);
    expect(await checkSnippets(root)).toEqual([
      expect.stringMatching(/^README\.md:5: error TS2322/),
      expect.stringMatching(/^docs\/page\.md:2: error TS2304/),
    ]);
  });

  it("lets each block stand for itself, with await at its top", async () => {
    readme(`${FENCE}ts`, "const a = await Promise.resolve(1);", FENCE, `${FENCE}ts`, "const a = 'again';", FENCE);
    expect(await checkSnippets(root)).toEqual([]);
  });

  it("finds a package that is not there", async () => {
    readme(`${FENCE}ts`, 'import { a } from "@credence/nowhere";', FENCE);
    expect(await checkSnippets(root)).toEqual([expect.stringContaining("@credence/nowhere")]);
  });

  it("passes an ignored block only with its reason", async () => {
    readme(`${FENCE}ts ignore`, "// Pseudo code: the names are the reader's.", "nothing of this;", FENCE);
    expect(await checkSnippets(root)).toEqual([]);
    readme(`${FENCE}ts ignore`, "nothing of this;", FENCE);
    expect(await checkSnippets(root)).toEqual([expect.stringMatching(/^README\.md:2: .*says why/)]);
  });

  it("leaves nothing behind", async () => {
    readme(`${FENCE}ts`, "const wrong: number = 'one';", FENCE);
    await checkSnippets(root);
    expect(readdirSync(root).sort()).toEqual(["README.md", "docs"]);
  });
});
