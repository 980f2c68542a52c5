import { describe, expect, it } from "vitest";
import type { AuditEvent } from "../audit/event.ts";
import type { Failure } from "../audit/failures.ts";
import type { SignInEvent } from "./events.ts";
import { signInRecorder } from "./record.ts";

const AT = 1_800_000_000;
const where = { source: "192.0.2.7", at: AT } as const;
const trial = { agentId: "assistant", reference: "R", ...where } as const;

async function recorded(event: SignInEvent): Promise<{ events: AuditEvent[]; counted: Failure[] }> {
  const [events, counted]: [AuditEvent[], Failure[]] = [[], []];
  const record = signInRecorder({
    record: async (one) => void events.push(one),
    countFailure: (one) => void counted.push(one),
  });
  await record(event);
  return { events, counted };
}

describe("what people do to sign in is on record", () => {
  it.each<[string, SignInEvent, Partial<AuditEvent>]>([
    [
      "a sign-in, with what it took",
      { type: "sign-in-succeeded", personId: "alice", methods: ["password", "totp"], ...trial },
      { code: "sign-in.succeeded", agent: "assistant", decisionId: "R", methods: ["password", "totp"] },
    ],
    [
      "a wrong code",
      { type: "sign-in-failed", why: "code-wrong", personId: "alice", ...trial },
      { code: "sign-in.failed", reasons: [{ id: "code-wrong" }] },
    ],
    [
      "a refused passkey, with what exactly",
      { type: "sign-in-failed", why: "passkey-refused", detail: "signature", personId: "alice", ...trial },
      { code: "sign-in.failed", reasons: [{ id: "passkey-refused", detail: "signature" }] },
    ],
    [
      "an enrolment",
      { type: "factor-added", factor: "passkey", personId: "alice", ...where },
      { code: "factor.added", factor: "passkey" },
    ],
    [
      "a change",
      { type: "factor-changed", factor: "recovery-code", personId: "alice", ...where },
      { code: "factor.changed", factor: "recovery-code" },
    ],
    [
      "a removal",
      { type: "factor-removed", factor: "totp", personId: "alice", ...where },
      { code: "factor.removed", factor: "totp" },
    ],
    ["the end of a session", { type: "session-ended", personId: "alice", ...where }, { code: "session.ended" }],
    [
      "what was taken back from an agent",
      { type: "grant-ended", personId: "alice", agentId: "assistant", ...where },
      { code: "grant.ended", agent: "assistant" },
    ],
  ])("%s", async (_, event, expected) => {
    const { events, counted } = await recorded(event);
    expect(events).toEqual([{ ...expected, person: { id: "alice" }, source: "192.0.2.7", ...withReference(event) }]);
    expect(counted).toEqual([]);
  });

  it.each<[string, SignInEvent]>([
    ["a passkey that nobody has", { type: "sign-in-failed", why: "passkey-unknown", ...trial }],
    ["a flood of codes", { type: "sign-in-failed", why: "too-many-attempts", personId: "alice", ...trial }],
  ])("but counted, where strangers could fill the disk: %s", async (_, event) => {
    const { events, counted } = await recorded(event);
    expect(events).toEqual([]);
    expect(counted).toHaveLength(1);
  });
});

function withReference(event: SignInEvent) {
  return "reference" in event ? { agent: event.agentId, decisionId: event.reference } : {};
}
