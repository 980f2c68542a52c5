import { generateSigningKey, importSigner, type Signer, signJwt } from "@credence/protocol/jws";
import { nodeKeys } from "@credence/protocol/node";
import { beforeAll, describe, expect, test } from "vitest";
import type { Agent, Person } from "../directory/types.ts";
import { rememberingCheck } from "./remembered.ts";
import { type SubjectPorts, verifyIdToken } from "./subject.ts";

const ISSUER = "https://idp.acme.example";
const NOW = 1_800_000_000;
/** An agent's id may be a URL, and so may be an app's issuer: the two can be one and the same. */
const AGENT: Agent = {
  id: "https://agent.example",
  name: "Agent",
  enabled: true,
  auth: { method: "client_secret_basic", secret: { env: "AGENT_SECRET" } },
  redirectUris: [],
  postLogoutRedirectUris: [],
  denialError: "access_denied",
};
const ALICE: Person = { id: "alice", email: "alice@acme.example", name: "Alice", groups: [], enabled: true };
const ID_TOKEN = { iss: ISSUER, sub: "alice", aud: AGENT.id, iat: NOW - 60, exp: NOW + 240, sid: "s1" };

let signer: Signer;
let ports: SubjectPorts;
beforeAll(async () => {
  const key = await generateSigningKey("ES256");
  signer = await importSigner(key.privateJwk);
  ports = {
    issuer: ISSUER,
    checkSignature: rememberingCheck(["ES256"], nodeKeys({ keys: [key.publicJwk] })),
    // A person and a session for whoever asks: what is refused here is refused for the token's own sake.
    store: { person: async (id) => ({ ...ALICE, id }) },
    sessionAlive: async () => ({ alive: true, personId: "alice" }),
  };
});

test("an ID token that was good is looked at again, all of it but for its signature", async () => {
  const token = await signJwt("JWT", ID_TOKEN, signer);
  const verified = (agent: Agent, now: number, changed: Partial<SubjectPorts> = {}) =>
    verifyIdToken(token, agent, now, { ...ports, ...changed });
  const reasons = async () => [
    await verified(AGENT, NOW),
    await verified({ ...AGENT, id: "other" }, NOW),
    await verified(AGENT, NOW + 240),
    await verified(AGENT, NOW, { issuer: "https://idp.globex.example" }),
    await verified(AGENT, NOW, { sessionAlive: async () => ({ alive: false }) }),
    await verified(AGENT, NOW, { store: { person: async () => undefined } }),
  ];
  const expected = [
    "ok",
    "subject-token-audience",
    "subject-token-expired",
    "subject-token-issuer",
    "sign-in-over",
    "person-unknown",
  ];
  for (const round of [1, 2]) {
    const told = (await reasons()).map((one) => (one.ok ? "ok" : one.refusal.reason));
    expect(told, `round ${round}`).toEqual(expected);
  }
});

async function outcome(claims: object, typ = "JWT", changed: Partial<SubjectPorts> = {}): Promise<string> {
  const token = await signJwt(typ, { ...ID_TOKEN, ...claims }, signer);
  const verified = await verifyIdToken(token, AGENT, NOW, { ...ports, ...changed });
  return verified.ok ? verified.value.person.id : verified.refusal.reason;
}

test("an ID token of ours for this agent stands for its person", async () => {
  expect(await outcome({})).toBe("alice");
  expect(await outcome({ aud: [AGENT.id] })).toBe("alice");
});

describe("signed with our own key and with all claims of an ID token, no subject token is", () => {
  test.each([
    ["an ID-JAG that we issued", "oauth-id-jag+jwt"],
    ["an access token", "at+jwt"],
    ["a logout token", "logout+jwt"],
    ["a client assertion", "client-authentication+jwt"],
  ])("%s", async (_, typ) => {
    expect(await outcome({}, typ)).toBe("subject-token-type-wrong");
  });

  test.each<[string, object, string]>([
    ["an ID token of another client", { aud: "https://other.example" }, "subject-token-audience"],
    ["one whose audience only begins like the client", { aud: `${AGENT.id}/x` }, "subject-token-audience"],
    ["one for several audiences, the client first", { aud: [AGENT.id, "x"] }, "subject-token-audience"],
    ["one of another issuer", { iss: "https://idp.globex.example" }, "subject-token-issuer"],
    ["one whose issuer only begins like ours", { iss: `${ISSUER}/` }, "subject-token-issuer"],
    ["one that expired this second", { exp: NOW }, "subject-token-expired"],
    ["one without expiry", { exp: undefined }, "subject-token-malformed"],
    ["one without a session", { sid: undefined }, "sign-in-over"],
    ["one of a person in another's session", { sub: "bob" }, "sign-in-over"],
  ])("%s", async (_, claims, reason) => {
    expect(await outcome(claims)).toBe(reason);
  });

  test("one whose session is over", async () => {
    expect(await outcome({}, "JWT", { sessionAlive: async () => ({ alive: false }) })).toBe("sign-in-over");
  });

  test("one of a person who is gone", async () => {
    expect(await outcome({}, "JWT", { store: { person: async () => undefined } })).toBe("person-unknown");
  });
});
