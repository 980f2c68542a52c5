import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACME, acme, BROKEN, broken, NOW } from "./organization.testing.ts";
import { PROBLEM_LIMIT, type ReadResult, readOrganization } from "./read.ts";

const loopback = { issuerIsLoopback: true, now: NOW };

function problems(result: ReadResult) {
  return result.ok ? [] : result.problems;
}

describe("an organization file", () => {
  it("says how a password hash is written that lost its quotes, and repeats nothing of it", () => {
    const hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$5WvAcz4qfAm9V0iWy1o7Lx0mWy8p3lq0oN3Bf8E1o2c";
    const file = `people:\n  - { id: alice, email: alice@acme.example, name: Alice, password_hash: ${hash} }\n`;
    const found = problems(readOrganization(file, loopback));
    expect(found.map(({ path }) => path)).toContain("people[0].password_hash");
    expect(found.map(({ mend }) => mend).join("\n")).toContain("in quotes where it stands within { }");
    expect(JSON.stringify(found)).not.toMatch(/c2Fsd|5WvAcz/);
  });

  it("becomes the directory's nouns", () => {
    const { name, demo, people, agents, apps, connections } = acme();
    expect({ name, demo }).toEqual({ name: "Acme", demo: true });
    expect(people[0]).toMatchObject({ id: "alice", groups: ["finance", "staff"], enabled: true });
    expect(people[1]).toEqual({ id: "bob", email: "bob@acme.example", name: "Bob", groups: [], enabled: false });
    expect(agents[0]).toEqual({
      id: "assistant",
      name: "Assistant",
      enabled: true,
      auth: { method: "client_secret_basic", secret: { env: "ASSISTANT_SECRET" } },
      redirectUris: ["http://127.0.0.1/callback", "https://assistant.example/callback"],
      postLogoutRedirectUris: ["https://assistant.example/"],
      denialError: "invalid_grant",
    });
    expect(agents[1]?.auth).toEqual({ method: "client_secret_post", secret: { literal: "only for the demo" } });
    expect(agents[2]?.denialError).toBe("access_denied");
    expect(apps[0]).toMatchObject({ enabled: true, subject: "id", clients: { assistant: "ledger-assistant" } });
    expect(connections[0]).toEqual({
      id: "assistant-ledger",
      enabled: true,
      agent: "assistant",
      app: "ledger",
      people: ["group:finance", "person:bob"],
      scopes: ["ledger.write", "ledger.read"],
      defaultScopes: ["ledger.read"],
      resources: ["http://127.0.0.1:4001/mcp"],
      conditions: { maxAge: 28_800 },
      lifetime: 300,
      expires: Date.UTC(2030, 0, 31, 17) / 1000,
    });
  });

  it("may leave out what it does not need", () => {
    const result = readOrganization("name: Acme\n", loopback);
    expect(result).toMatchObject({
      ok: true,
      organization: { demo: false, people: [], connections: [] },
      warnings: [],
    });
  });

  it("may use anchors", () => {
    const text = broken("[ group:finance, person:bob ]", "&who [ group:finance ]").replace(
      "people: [everyone]",
      "people: *who",
    );
    expect(readOrganization(text, loopback)).toMatchObject({
      ok: true,
      organization: { connections: [{ people: ["group:finance"] }, { people: ["group:finance"] }] },
    });
  });
});

describe("a broken organization file is refused at its place", () => {
  it("advises quotes for a number only where the number would be right in them", () => {
    const mendOf = (text: string) => problems(readOrganization(text, loopback))[0]?.mend;
    const people = (name: string) => `name: Acme\npeople: [{ id: alice, email: alice@acme.example, name: ${name} }]\n`;
    const agents = `agents: [{ id: a, name: A, auth: { method: none }, offline_max_age: 30 }]\n`;
    expect(mendOf(people("42"))).toBe("Put quotes around it, so that it is text.");
    expect(mendOf(`name: Acme\n${agents}`)).toContain("8h, 30d");
  });

  it.each(BROKEN)("$why: $line:$column", ({ text, line, column, says }) => {
    const [first, ...more] = problems(readOrganization(text, loopback));
    expect(first).toMatchObject({ line, column, message: expect.stringMatching(says) });
    expect(first?.mend).not.toBe("");
    // After a flaw of the YAML itself, the next lines may not make sense either.
    if (!first?.message.includes("YAML")) expect(more).toEqual([]);
  });

  it("with as many problems as are told at once, however many there are", () => {
    const text = Array.from({ length: 150_000 }, (_, i) => `k${i}: 1`).join("\n");
    expect(problems(readOrganization(text, loopback))).toHaveLength(PROBLEM_LIMIT);
  }, 60_000);

  it("with every problem at once, in the order of the file", () => {
    const text = ACME.replace("email: alice@", "email: alice")
      .replace("app: ledger\n", "app: journal\n")
      .replace("8h", "eight");
    expect(problems(readOrganization(text, loopback)).map(({ path }) => path)).toEqual([
      "people[0].email",
      "connections[0].conditions.max_age",
    ]);
    // The connection can not be read, so its app is not looked for; mended, it is.
    expect(problems(readOrganization(text.replace("eight", "8h"), loopback)).map(({ path }) => path)).toEqual([
      "people[0].email",
      "connections[0].app",
    ]);
  });

  it("without calling somebody unknown whose own entry is broken", () => {
    expect(
      problems(readOrganization(broken("name: Bob", "nmae: Bob"), loopback)).map(({ message }) => message),
    ).toEqual([expect.stringContaining("name is missing"), expect.stringContaining('"nmae" is not known')]);
  });

  it("with a bounded number of problems", () => {
    const text = `people:\n${"  - { id: 1 }\n".repeat(5000)}`;
    expect(problems(readOrganization(text, loopback))).toHaveLength(PROBLEM_LIMIT);
  });

  it("when it holds secrets and the issuer is in the open", () => {
    const found = problems(readOrganization(ACME, { issuerIsLoopback: false, now: NOW }));
    expect(found.map(({ path, line }) => [path, line])).toEqual([
      ["demo", 2],
      ["agents[1].auth.secret", 17],
    ]);
  });

  it("when it keeps a literal secret without being a demo", () => {
    const text = broken('"only for the demo"', "{ unchanged: true }").replace("demo: true\n", "");
    expect(problems(readOrganization(text, { ...loopback, current: acme() }))).toMatchObject([
      { path: "agents[1].auth.secret" },
    ]);
  });

  it("without repeating a secret", () => {
    const text = broken('"only for the demo"', '"s3cret" s3cret').replace("$argon2id$v=19$", "$2b$s3cret");
    expect(JSON.stringify(readOrganization(text, loopback))).not.toContain("s3cret");
    const unreadable = broken("env: ASSISTANT_SECRET", "env: s3-cret value");
    expect(JSON.stringify(readOrganization(unreadable, loopback))).not.toContain("s3-cret");
  });
});

describe("a hostile organization file", () => {
  const laughs = (levels: number) =>
    Array.from({ length: levels }, (_, i) =>
      i === 0 ? "x0: &x0 [lol, lol]" : `x${i}: &x${i} [${`*x${i - 1}, `.repeat(9)}lol]`,
    ).join("\n");

  it.each([
    ["a billion laughs", laughs(12), /Anchors/],
    ["more than 4 MiB", `name: ${"x".repeat(4 * 1024 * 1024)}`, /too large/],
    ["a thousand levels", `people: ${"[".repeat(1000)}${"]".repeat(1000)}`, /nested too deeply/],
    ["a hundred thousand levels", "[".repeat(100_000), /nested too deeply|YAML/],
  ])("is refused quickly: %s", (_, text, says) => {
    expect(problems(readOrganization(text, loopback))[0]?.message).toMatch(says);
  });

  it("that contains itself is refused", () => {
    expect(readOrganization("people: &p [*p]\n", loopback).ok).toBe(false);
  });

  it("of hundreds of thousands of entries is refused entry by entry", () => {
    expect(problems(readOrganization(`people:\n${"- a\n".repeat(400_000)}`, loopback))[0]).toMatchObject({
      line: 2,
      message: "people[0] is not a mapping.",
    });
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.nat(ACME.length), fc.nat(40), fc.string({ maxLength: 12 }), (at, length, by) => {
        const text = ACME.slice(0, at) + by + ACME.slice(at + length);
        const result = readOrganization(text, loopback);
        for (const { line, column } of problems(result)) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("warnings", () => {
  const cases = [
    ["no name", broken("name: Acme\n", ""), 1, /no name/],
    ["addresses as subjects", broken("    clients: {", "    subject: email\n    clients: {"), 27, /reassigned/],
    ["an empty group", broken("group:finance", "group:finanse"), 32, /Nobody is in/],
    ["an agent unknown to the app", broken("demo-agent: ledger-demo", "worker: w"), 39, /every request is denied/],
    ["an expiry that has passed", broken("2030-01-31", "2020-01-31"), 38, /expired/],
    [
      "an agent that does not authenticate",
      broken('{ method: client_secret_post, secret: "only for the demo" }', "{ method: none }"),
      39,
      /every exchange is refused/,
    ],
  ] as const;

  it.each(cases)("%s", (_, text, line, says) => {
    const result = readOrganization(text, loopback);
    expect(result).toMatchObject({ ok: true, warnings: [{ line, message: expect.stringMatching(says) }] });
  });
});
