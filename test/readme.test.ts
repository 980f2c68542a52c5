/** What the documentation shows is true: its code runs, its files parse, its tables are complete, its links lead somewhere. */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, setStage } from "../examples/story/src/stage.ts";
import { parseConfig } from "../packages/server/src/config/config.ts";
import { deploymentSchema } from "../packages/server/src/config/schema.ts";
import { readOrganization } from "../packages/server/src/organization/read.ts";
import { organizationSchema, SECTIONS } from "../packages/server/src/organization/schema.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGES = globSync(["*.md", "docs/**/*.md", "packages/*/README.md"], { cwd: ROOT }).sort();
const ADMIN_PAGE = "docs/it-admin.md";
const OPERATOR_PAGE = "docs/operator.md";
/** Settings that are made from another one where nothing is said. */
const DERIVED: Readonly<Record<string, string>> = {
  issuer: "`http://127.0.0.1:PORT`",
  key_file: "`DATA.key`",
  store: "SQLite in `data`",
  keys: "see [Keys](#keys)",
  limits: "see [Limits](#limits)",
};
/** A desktop's browser, with somebody before it who types what `npm start` prints. */
const BROWSER = `
  import { openUserAgent } from "../examples/demo/src/user-agent.ts";
  const { EMAIL = "", PASSWORD = "" } = process.env;
  await openUserAgent({ email: EMAIL, password: PASSWORD }).browse(process.argv[2] ?? "");
`;

function page(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The fenced blocks with exactly this info string. */
function blocks(markdown: string, info: string): string[] {
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, said, text = ""]) =>
    said?.trim() === info ? [text] : [],
  );
}

describe.skipIf(process.platform === "win32")("the README's code, as it stands there", () => {
  let stage: Stage;
  let folder: string;

  beforeAll(async () => {
    stage = await setStage(true);
    // In the repository, where a reader would put it: there the packages are found.
    folder = mkdtempSync(join(ROOT, ".snippets-readme-"));
    writeFileSync(join(folder, "first-call.ts"), blocks(page("README.md"), "ts")[0] ?? "");
    writeFileSync(join(folder, "browser.ts"), BROWSER);
    // The desktop's way to open a browser.
    for (const name of ["xdg-open", "open"]) {
      const opener = join(folder, name);
      writeFileSync(opener, `#!/bin/sh\nexec "${process.execPath}" "${join(folder, "browser.ts")}" "$1"\n`);
      chmodSync(opener, 0o700);
    }
  });
  afterAll(async () => {
    if (folder) rmSync(folder, { recursive: true, force: true });
    await stage?.clear();
  });

  function run(): Promise<{ code: number; stdout: string; stderr: string }> {
    const env = {
      ...process.env,
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      EMAIL: stage.alice.email,
      PASSWORD: stage.alice.password,
      IDP: stage.places.idp,
      LEDGER: stage.places.ledger,
      ASSISTANT_SECRET: stage.secrets.assistant,
      LEDGER_SECRET: stage.secrets.assistantAtLedger,
    };
    return new Promise((resolve) => {
      const argv = ["-C", "@credence/source", join(folder, "first-call.ts")];
      execFile(process.execPath, argv, { env, cwd: ROOT, timeout: 20_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr });
      });
    });
  }

  test("signs a person in and calls the tool for them", async () => {
    const { code, stdout, stderr } = await run();
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("Office chairs");
  });

  test("is denied once the connection is off, as the README says", async () => {
    expect((await stage.credence("connection", "off", "assistant-ledger")).code).toBe(0);
    const { code, stdout, stderr } = await run();
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("access_denied");
  });
});

describe("the documentation's organization files", () => {
  const files = PAGES.flatMap((path) => blocks(page(path), "yaml organization").map((text) => ({ path, text })));
  // Long before the expiries that they show.
  const reading = { issuerIsLoopback: false, now: 1_800_000_000 };

  test("are there", () => expect(files.length).toBeGreaterThanOrEqual(2));

  test.each(files)("are taken as they stand, without a warning: $path", ({ text }) => {
    expect(readOrganization(text, reading)).toMatchObject({ ok: true, warnings: [] });
  });

  test("show every key there is", () => {
    const [, whole = ""] = blocks(page(ADMIN_PAGE), "yaml organization");
    const keys = new Set([...whole.matchAll(/([a-z_]+):(?=\s)/g)].map(([, key]) => key));
    const wanted = [organizationSchema, ...Object.values(SECTIONS)].flatMap(({ shape }) => Object.keys(shape));
    expect(wanted.filter((key) => !keys.has(key))).toEqual([]);
  });
});

describe("the operator's page", () => {
  test.each(Object.entries(deploymentSchema.shape))("states the setting %s with its default", (setting, schema) => {
    const row = page(OPERATOR_PAGE)
      .split("\n")
      .find((line) => line.startsWith(`| \`${setting}\` |`));
    const said = row?.split("|")[2]?.trim() ?? "(no row)";
    if (setting in DERIVED) return expect(said).toBe(DERIVED[setting]);
    const { success, data } = schema.safeParse(undefined);
    expect(success).toBe(true);
    if (data === undefined || (Array.isArray(data) && data.length === 0)) return expect(said).toBe("none");
    const shown = said.replaceAll("`", "");
    // A duration is written as people write it, and means the seconds of the default.
    const isDuration = /_lifetime$|^drain$/.test(setting);
    expect(isDuration ? schema.safeParse(shown).data : shown).toEqual(isDuration ? data : String(data));
  });

  test.each(blocks(page(OPERATOR_PAGE), "yaml deployment"))(
    "has a configuration that is taken as it stands",
    (text) => {
      expect(parseConfig({ config: "credence.yaml" }, {}, () => text)).toMatchObject({ ok: true, warnings: [] });
    },
  );
});

describe("every link of the documentation leads somewhere", () => {
  test.each(PAGES)("%s", (path) => {
    // Code may hold what looks like a link.
    const prose = page(path).replace(/^```[\s\S]*?^```$/gm, "");
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    expect(links.filter((link) => !leadsSomewhere(path, link))).toEqual([]);
  });

  function leadsSomewhere(from: string, link: string): boolean {
    if (/^https?:/.test(link)) return true;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? from : join(dirname(from), file);
    if (!existsSync(join(ROOT, target))) return false;
    return anchor === undefined || anchorsOf(page(target)).includes(anchor);
  }

  /** Headings as GitHub names them. */
  function anchorsOf(markdown: string): string[] {
    return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
  }
});

test("the picture is text, in light and dark, and asks nothing of anybody", () => {
  const picture = readFileSync(join(ROOT, "docs/flow.svg"), "utf8");
  expect(picture).toContain("prefers-color-scheme: dark");
  expect(picture).toContain("<desc");
  expect(picture).not.toMatch(/<script|<image|<foreignObject|@import|url\(http|href=/i);
});
