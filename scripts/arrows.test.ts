import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { arrows, violationsOf } from "./arrows.ts";

describe("an import against the arrows is found", () => {
  it.each([
    ["a package above", "packages/protocol/src/jws.ts", `import { exchange } from "@credence/issuer";`],
    ["a sibling package", "packages/issuer/src/index.ts", `import { redeem } from "@credence/resource";`],
    ["the server, by the client", "packages/client/src/index.ts", `import type { Store } from "@credence/server";`],
    ["a path into another package", "packages/issuer/src/a.ts", `import { ok } from "../../protocol/src/result.ts";`],
    ["a package by its own name", "packages/protocol/src/jws.ts", `import { ok } from "@credence/protocol";`],
    ["a dependency of protocol beside jose", "packages/protocol/src/jws.ts", `import { z } from "zod";`],
    [
      "our protocol, by the conformance suite",
      "packages/conformance/src/a.ts",
      `import { ok } from "@credence/protocol";`,
    ],
    ["a package that has no arrows", "packages/extra/src/a.ts", `import { ok } from "@credence/protocol";`],
    ["Node in a portable library", "packages/resource/src/index.ts", `import { createHash } from "node:crypto";`],
    ["a test helper", "packages/issuer/src/index.ts", `import { make } from "./make.testing.ts";`],
    ["a folder of test helpers", "packages/client/src/index.ts", `import { peer } from "./testing/peer.ts";`],
    ["a room above", "packages/server/src/store/open.ts", `import { decide } from "../policy/decide.ts";`],
    ["a type of a room above", "packages/server/src/keys/a.ts", `import type { Audit } from "../audit/audit.ts";`],
    ["a room beside", "packages/server/src/idp/a.ts", `import { pages } from "../sign-in/pages.ts";`],
    ["main.ts from a room", "packages/server/src/http/a.ts", `import { main } from "../main.ts";`],
    ["the configuration from a room", "packages/server/src/idp/a.ts", `import { parse } from "../config/config.ts";`],
    ["a room without a height", "packages/server/src/attic/a.ts", `import { openStore } from "../store/open.ts";`],
    [
      "the nouns as a value, from below",
      "packages/server/src/store/a.ts",
      `import { x } from "../directory/types.ts";`,
    ],
    [
      "an inline type, which still loads the file",
      "packages/server/src/store/a.ts",
      `import { type A } from "../directory/types.ts";`,
    ],
    ["the store, by the policy", "packages/server/src/policy/a.ts", `import type { Store } from "../store/store.ts";`],
    ["a package of others, by the policy", "packages/server/src/policy/a.ts", `import { z } from "zod";`],
    ["Node, by the policy", "packages/server/src/policy/a.ts", `import { hash } from "node:crypto";`],
    ["the issuer, by the policy", "packages/server/src/policy/a.ts", `import type { Ports } from "@credence/issuer";`],
    ["the server's inside, by an example", "examples/story/src/main.ts", `import { x } from "@credence/server/store";`],
    [
      "a path into a package, by an example",
      "examples/story/src/main.ts",
      `import { x } from "../../../packages/server/src/main.ts";`,
    ],
    ["a re-export", "packages/server/src/store/a.ts", `export * from "../audit/audit.ts";`],
    ["a dynamic import", "packages/server/src/store/a.ts", `const a = await import("../audit/audit.ts");`],
    ["an import inside a type", "packages/server/src/store/a.ts", `type A = import("../audit/audit.ts").A;`],
  ])("%s", (_, file, source) => {
    expect(violationsOf(file, source)).toHaveLength(1);
  });
});

describe("an import along the arrows is let pass", () => {
  it.each([
    ["protocol, by the client", "packages/client/src/index.ts", `import { ok } from "@credence/protocol";`],
    [
      "issuer and resource, by the server",
      "packages/server/src/idp/a.ts",
      `import { a } from "@credence/issuer"; import { b } from "@credence/resource";`,
    ],
    ["jose, by protocol", "packages/protocol/src/jws.ts", `import { SignJWT } from "jose/jwt/sign";`],
    ["Node behind the node subpath", "packages/resource/src/node.ts", `import { lookup } from "node:dns";`],
    [
      "a type of Node in a portable library",
      "packages/resource/src/mcp.ts",
      `import type { Server } from "node:http";`,
    ],
    ["Node, by the server", "packages/server/src/keys/a.ts", `import { hash } from "node:crypto";`],
    ["a room below", "packages/server/src/idp/a.ts", `import { decide } from "../policy/decide.ts";`],
    ["two rooms below", "packages/server/src/http/a.ts", `import type { Store } from "../store/store.ts";`],
    [
      "the same room",
      "packages/server/src/http/a.ts",
      `import { b } from "./pages/b.ts"; import { c } from "../http/c.ts";`,
    ],
    [
      "the nouns as types, from below",
      "packages/server/src/store/a.ts",
      `import type { Agent } from "../directory/types.ts";`,
    ],
    [
      "the nouns as types, by the policy",
      "packages/server/src/policy/a.ts",
      `import type { Agent } from "../directory/types.ts";`,
    ],
    ["protocol, by the policy", "packages/server/src/policy/a.ts", `import { ok } from "@credence/protocol";`],
    [
      "the organization file, by the admin API",
      "packages/server/src/admin/a.ts",
      `import { read } from "../organization/read.ts";`,
    ],
    [
      "everyone, by main.ts",
      "packages/server/src/main.ts",
      `import { program } from "./cli/program.ts"; import { listen } from "./http/a.ts";`,
    ],
    [
      "everyone, by the command line",
      "packages/server/src/cli/serve.ts",
      `import { parse } from "../config/config.ts";`,
    ],
    ["another example", "examples/story/src/main.ts", `import { ledger } from "../../ledger/src/ledger.ts";`],
    [
      "an import that only stands in a text",
      "packages/server/src/store/a.ts",
      'const text = `import "../audit/audit.ts"`;',
    ],
  ])("%s", (_, file, source) => {
    expect(violationsOf(file, source)).toEqual([]);
  });
});

describe("the arrows of a repository", () => {
  it("names file and line, and exempts tests", () => {
    const root = mkdtempSync(join(tmpdir(), "credence-arrows-"));
    const put = (file: string, text: string) => {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    };
    put(
      "packages/server/src/store/open.ts",
      `// « Größe »\nimport { a } from "node:fs";\nimport { b } from "../audit/b.ts";\n`,
    );
    put("packages/server/src/store/open.test.ts", `import { b } from "../audit/b.ts";\n`);
    put("packages/server/src/store/testing/data.ts", `import { b } from "../../audit/b.ts";\n`);
    put("packages/server/src/store/suite.testing.ts", `import { b } from "../audit/b.ts";\n`);
    expect(arrows(root)).toEqual([
      {
        at: "packages/server/src/store/open.ts:3",
        specifier: "../audit/b.ts",
        why: "store/ stands below audit/: pass it in as an argument, from above.",
      },
    ]);
  });
});
