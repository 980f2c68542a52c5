import type { Confirmation } from "@credence/protocol/dpop";
import { describe, expect, test } from "vitest";
import type { Agent, Person } from "../directory/types.ts";
import { type LiveRefreshToken, verifyRefreshToken } from "./refresh-token.ts";

const NOW = 1_800_000_000;
const ALICE: Person = { id: "alice", email: "alice@acme.example", name: "Alice", groups: [], enabled: true };
const AGENT: Agent = {
  id: "assistant",
  name: "Assistant",
  enabled: true,
  auth: { method: "client_secret_basic", secret: { env: "ASSISTANT_SECRET" } },
  redirectUris: [],
  postLogoutRedirectUris: [],
  denialError: "access_denied",
  offlineMaxAge: 3_600,
};
const LIVE: LiveRefreshToken = {
  personId: "alice",
  agentId: "assistant",
  scope: ["openid", "offline_access"],
  authTime: NOW - 3_600,
  acr: "urn:credence:acr:password",
  amr: ["pwd"],
};

function verify(found: Partial<LiveRefreshToken> | undefined, binding?: Confirmation, agent = AGENT) {
  return verifyRefreshToken(
    {
      token: "r",
      type: "urn:ietf:params:oauth:token-type:refresh_token",
      client: { clientId: agent.id, agent },
      now: NOW,
      ...(binding === undefined ? {} : { binding }),
    },
    {
      store: { person: async (id) => (id === "alice" ? ALICE : undefined) },
      refreshTokenAlive: async () => (found === undefined ? undefined : { ...LIVE, ...found }),
    },
  );
}

describe("a refresh token as subject token", () => {
  test("stands for the person, and for how and when they signed in", async () => {
    expect(await verify({})).toEqual({
      ok: true,
      value: { person: ALICE, authTime: NOW - 3_600, acr: "urn:credence:acr:password", amr: ["pwd"] },
    });
  });

  test.each<[string, Partial<LiveRefreshToken> | undefined, Confirmation | undefined, string]>([
    ["that does not count", undefined, undefined, "sign-in-over"],
    ["of another agent", { agentId: "crawler" }, undefined, "subject-token-audience"],
    ["without openid", { scope: ["offline_access"] }, undefined, "subject-token-scope"],
    ["without offline_access", { scope: ["openid"] }, undefined, "subject-token-scope"],
    ["of nobody", { personId: "mallory" }, undefined, "person-unknown"],
    ["from too long ago", { authTime: NOW - 3_601 }, undefined, "offline-too-old"],
    ["bound to a key, of which nothing is proven", { binding: { jkt: "k" } }, undefined, "subject-token-binding"],
    ["bound to a key, and another is proven", { binding: { jkt: "k" } }, { jkt: "x" }, "subject-token-binding"],
    [
      "bound to a key, and a certificate of that name is shown",
      { binding: { jkt: "k" } },
      { "x5t#S256": "k" },
      "subject-token-binding",
    ],
    [
      "bound to a certificate, and another is shown",
      { binding: { "x5t#S256": "c" } },
      { "x5t#S256": "x" },
      "subject-token-binding",
    ],
  ])("%s is refused", async (_, found, binding, reason) => {
    expect(await verify(found, binding)).toMatchObject({ ok: false, refusal: { reason } });
  });

  test("that does not say when the person signed in is too old for an agent with a limit, and for no other", async () => {
    const { authTime: _, ...silent } = LIVE;
    const ask = (agent: Agent) =>
      verifyRefreshToken(
        { token: "r", type: "", client: { clientId: agent.id, agent }, now: NOW },
        { store: { person: async () => ALICE }, refreshTokenAlive: async () => silent },
      );
    expect(await ask(AGENT)).toMatchObject({ refusal: { reason: "offline-too-old" } });
    const { offlineMaxAge: __, ...unlimited } = AGENT;
    expect(await ask(unlimited)).toMatchObject({ ok: true });
  });

  test.each<[string, Confirmation]>([
    ["key", { jkt: "k" }],
    ["certificate", { "x5t#S256": "c" }],
  ])("bound to a %s counts with it", async (_, binding) => {
    expect(await verify({ binding }, binding)).toMatchObject({ ok: true });
  });
});
