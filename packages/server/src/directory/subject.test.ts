import { describe, expect, it } from "vitest";
import { clientIdAt, subjectFor } from "./subject.ts";

const alice = { id: "alice", email: "alice@acme.example" };

describe("the subject of an ID-JAG", () => {
  it("is the person's stable id", () => {
    expect(subjectFor(alice, { subject: "id" })).toBe("alice");
  });

  it("is the email only where the app is registered so", () => {
    expect(subjectFor(alice, { subject: "email" })).toBe("alice@acme.example");
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
