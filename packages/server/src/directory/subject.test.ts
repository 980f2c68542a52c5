import { describe, expect, it } from "vitest";
import { clientIdAt, ownIdAt, subjectFor } from "./subject.ts";
import type { App } from "./types.ts";

const alice = { id: "alice", email: "alice@acme.example" };
const secrets = { pairwise: "a secret of this server" };
const app = (changes: Partial<Pick<App, "id" | "subject" | "people">>) => ({
  id: "ledger",
  subject: "id" as const,
  ...changes,
});

describe("the subject of an ID-JAG", () => {
  it("is the person's stable id", () => {
    expect(subjectFor(alice, app({}), secrets)).toBe("alice");
  });

  it("is the email only where the app is registered so", () => {
    expect(subjectFor(alice, app({ subject: "email" }), secrets)).toBe("alice@acme.example");
  });

  it("is the app's own id, and nothing else where it has none", () => {
    const own = app({ subject: "own", people: { alice: "4711" } });
    expect(subjectFor(alice, own, secrets)).toBe("4711");
    expect(subjectFor({ id: "bob", email: "bob@acme.example" }, own, secrets)).toBeUndefined();
    expect(ownIdAt(own, "constructor")).toBeUndefined();
  });

  it("is pairwise: the same at one app, another at each other app, person and server, and tells nothing", () => {
    const at = (id: string, who = alice, pairwise = secrets.pairwise) =>
      subjectFor(who, app({ id, subject: "pairwise" }), { pairwise });
    const name = at("ledger");
    expect(name).toMatch(/^[\w-]{43}$/);
    expect(at("ledger")).toBe(name);
    const bob = { id: "bob", email: alice.email };
    expect(new Set([name, at("wiki"), at("ledger", bob), at("ledger", alice, "another")]).size).toBe(4);
  });
});

describe("the client id at an app", () => {
  it("is the one that the app gave the agent", () => {
    expect(clientIdAt({ clients: { assistant: "ledger-assistant" } }, "assistant")).toBe("ledger-assistant");
  });

  it.each(["other", "constructor", "__proto__"])("is none for %s, which the app does not know", (agent) => {
    expect(clientIdAt({ clients: { assistant: "ledger-assistant" } }, agent)).toBeUndefined();
  });
});
