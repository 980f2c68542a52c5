/** Subject tokens as a real oidc-provider keeps and verifies them, without the HTTP around it. */
import type { Confirmation } from "@credence/protocol/dpop";
import { importSigner, signJwt } from "@credence/protocol/jws";
import { TOKEN_TYPES } from "@credence/protocol/token-exchange";
import { type Client, type KoaContextWithOIDC, Provider } from "oidc-provider";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { findAccount, gone, newJwk, REDIRECT, signsPeopleIn } from "../../../../test/oidc-provider.testing.ts";
import { includeSid, pointToSession, sessionOf } from "./sessions.ts";
import { verifyProviderSubject } from "./subject.ts";

const NOW = Math.floor(Date.now() / 1_000);
const key = await newJwk("of-the-idp");
const client = (client_id: string, more: object = {}) => ({
  client_id,
  client_secret: `secret-of-${client_id}`,
  redirect_uris: [REDIRECT],
  application_type: "native" as const,
  grant_types: ["authorization_code", "refresh_token"],
  ...more,
});
const provider = new Provider("https://idp.example", {
  ...signsPeopleIn(key),
  clients: [client("assistant"), client("other"), client("private", { subject_type: "pairwise" })],
  subjectTypes: ["public", "pairwise"],
  pairwiseIdentifier: async () => "a name for this client alone",
});
let assistant: Client;
beforeAll(async () => {
  assistant = await clientOf("assistant");
});
afterEach(() => gone.clear());

async function clientOf(id: string): Promise<Client> {
  const found = await provider.Client.find(id);
  if (found === undefined) throw new Error(`There is no client ${id}`);
  return found;
}

/** What verification gives: the account's id and how it signed in, or the reason against it, with its detail. */
async function verified(token: string, type: string, change: { client?: Client; binding?: Confirmation } = {}) {
  const request = { token, type, client: assistant, now: NOW, ...change };
  // All that is done with a context is to hand it on to findAccount.
  const outcome = await verifyProviderSubject(request, {} as KoaContextWithOIDC, { provider, findAccount });
  if (!outcome.ok) return [outcome.refusal.reason, outcome.refusal.detail];
  const { account, ...signIn } = outcome.value;
  return { id: account.accountId, ...signIn };
}

/** A session as a sign-in leaves it, with its pointer; `sid` is what its ID tokens name it by. */
async function sessionFor(clientId: string, members: object = {}, ttl = 600): Promise<string> {
  const session = new provider.Session();
  Object.assign(session, { accountId: "alice", loginTs: NOW - 60, acr: "phr", amr: ["swk"] }, members);
  session.sidFor(clientId, `sid-${session.uid}`);
  await session.save(ttl);
  await pointToSession({ session, client: await clientOf(clientId) }, provider, NOW);
  return session.sidFor(clientId) ?? "";
}

describe("an ID token", () => {
  const claims = (sid: string) => ({
    iss: provider.issuer,
    aud: "assistant",
    sub: "alice",
    iat: NOW,
    exp: NOW + 60,
    sid,
  });
  const signed = async (payload: object, typ = "JWT") => signJwt(typ, { ...payload }, await importSigner(key));
  const outcome = async (payload: object, change = {}) => verified(await signed(payload), TOKEN_TYPES.idToken, change);

  test("stands for the account of its session, which signed in as it says", async () => {
    const sid = await sessionFor("assistant");
    const token = { ...claims(sid), auth_time: NOW - 9, acr: "urn:weaker", amr: ["pwd", 7, "otp"] };
    expect(await outcome(token)).toEqual({ id: "alice", authTime: NOW - 9, acr: "urn:weaker", amr: ["pwd", "otp"] });
  });

  test("stands for one that signed in as the session says, where it says nothing, or nonsense", async () => {
    const sid = await sessionFor("assistant");
    const known = { id: "alice", authTime: NOW - 60, acr: "phr", amr: ["swk"] };
    expect(await outcome(claims(sid))).toEqual(known);
    expect(await outcome({ ...claims(sid), auth_time: "yesterday", acr: 4, amr: "pwd" })).toEqual(known);
  });

  test("says nothing of what neither of them knows", async () => {
    const sid = await sessionFor("assistant", { acr: undefined, amr: undefined, loginTs: undefined });
    expect(await outcome(claims(sid))).toStrictEqual({ id: "alice" });
  });

  test.each<[string, object, readonly unknown[]]>([
    ["without an expiry", { exp: undefined }, ["subject-token-malformed", "exp or sub"]],
    ["at the very second of its expiry", { exp: NOW }, ["subject-token-expired", undefined]],
    ["without a sid", { sid: undefined }, ["sign-in-over", "no sid"]],
    ["whose sid is no string", { sid: 7 }, ["sign-in-over", "no sid"]],
    ["of another account than its session's", { sub: "bob" }, ["sign-in-over", "another's session"]],
  ])("%s is refused", async (_, change, refusal) => {
    expect(await outcome({ ...claims(await sessionFor("assistant")), ...change })).toEqual(refusal);
  });

  test("may say what it is in small letters, or not at all", async () => {
    const sid = await sessionFor("assistant");
    expect(await verified(await signed(claims(sid), "jwt"), TOKEN_TYPES.idToken)).toMatchObject({ id: "alice" });
  });

  test("of a pairwise client names the person by that client's own name", async () => {
    const sid = await sessionFor("private");
    const payload = { ...claims(sid), aud: "private", sub: "a name for this client alone" };
    expect(await outcome(payload, { client: await clientOf("private") })).toMatchObject({ id: "alice" });
    expect(await outcome({ ...claims(await sessionFor("assistant")), sub: "a name for this client alone" })).toEqual([
      "sign-in-over",
      "another's session",
    ]);
  });

  test("of a session that nobody is signed in to any more is refused", async () => {
    const sid = await sessionFor("assistant");
    const found = await sessionOf(provider, sid, "assistant", NOW);
    if (found === undefined) throw new Error("The session is not there");
    found.accountId = undefined;
    await found.save(600);
    expect(await outcome(claims(sid))).toEqual(["sign-in-over", undefined]);
  });

  test("of an account that is gone is refused", async () => {
    const sid = await sessionFor("assistant");
    gone.add("alice");
    expect(await outcome(claims(sid))).toEqual(["person-unknown", undefined]);
  });
});

describe("a refresh token", () => {
  async function tokenWith(members: object = {}, grantOf: object = {}): Promise<string> {
    const grant = new provider.Grant({ clientId: "assistant", accountId: "alice", ...grantOf });
    const token = new provider.RefreshToken({
      client: assistant,
      accountId: "alice",
      grantId: await grant.save(),
      scope: "openid offline_access",
      authTime: NOW - 60,
      acr: "phr",
      amr: ["swk"],
      ...members,
    } as unknown as ConstructorParameters<typeof provider.RefreshToken>[0]);
    return token.save();
  }
  const outcome = async (members: object = {}, change = {}) =>
    verified(await tokenWith(members), TOKEN_TYPES.refreshToken, change);

  test("stands for its account, and for how it signed in", async () => {
    expect(await outcome()).toEqual({ id: "alice", authTime: NOW - 60, acr: "phr", amr: ["swk"] });
  });

  test("says nothing of a sign-in that it does not know of", async () => {
    expect(await outcome({ authTime: undefined, acr: undefined, amr: undefined })).toStrictEqual({ id: "alice" });
  });

  test.each<[string, object, readonly unknown[]]>([
    ["without a scope", { scope: undefined }, ["subject-token-scope", undefined]],
    ["without a grant", { grantId: undefined }, ["sign-in-over", "grant"]],
    ["of a grant that is gone", { grantId: "gone" }, ["sign-in-over", "grant"]],
    ["that only oidc-provider could check", { attestationJkt: "x" }, ["subject-token-binding", "attestation"]],
    ["bound to a key that nobody proves", { jkt: "k" }, ["subject-token-binding", undefined]],
    ["bound to a certificate that nobody shows", { "x5t#S256": "c" }, ["subject-token-binding", undefined]],
  ])("%s is refused", async (_, members, refusal) => {
    expect(await outcome(members)).toEqual(refusal);
  });

  test.each([{ clientId: "other" }, { accountId: "bob" }])("whose grant is %o's is refused", async (grantOf) => {
    expect(await verified(await tokenWith({}, grantOf), TOKEN_TYPES.refreshToken)).toEqual(["sign-in-over", "grant"]);
  });

  test("of another client, or one that nobody issued, or that is too long, is told apart in the record", async () => {
    expect(await outcome({}, { client: await clientOf("other") })).toEqual(["subject-token-audience", "refresh token"]);
    const guessed = (length: number) => verified("x".repeat(length), TOKEN_TYPES.refreshToken);
    expect(await guessed(512)).toEqual(["sign-in-over", "refresh token"]);
    expect(await guessed(513)).toEqual(["subject-token-malformed", "too long"]);
  });

  test("that is bound is taken with a proof of the same key or certificate, and one that is free with any", async () => {
    for (const binding of [{ jkt: "k" }, { "x5t#S256": "c" }]) {
      expect(await outcome(binding, { binding })).toMatchObject({ id: "alice" });
      expect(await outcome({}, { binding })).toMatchObject({ id: "alice" });
    }
    expect(await outcome({ "x5t#S256": "c" }, { binding: { jkt: "c" } })).toEqual(["subject-token-binding", undefined]);
  });
});

test("a token of another type is refused", async () => {
  expect(await verified("x", "urn:ietf:params:oauth:token-type:access_token")).toEqual([
    "subject-token-type-unsupported",
    undefined,
  ]);
});

describe("a session behind a sid", () => {
  test("is found for its client alone, and until it is over", async () => {
    const sid = await sessionFor("assistant", {}, 100);
    const found = await sessionOf(provider, sid, "assistant", NOW);
    expect(found?.accountId).toBe("alice");
    expect(await sessionOf(provider, sid, "other", NOW)).toBeUndefined();
    const end = found?.exp ?? 0;
    expect(await sessionOf(provider, sid, "assistant", end - 1)).toBeDefined();
    expect(await sessionOf(provider, sid, "assistant", end)).toBeUndefined();
  });

  test("is not pointed at when nobody is signed in, or when it was not saved, or is over", async () => {
    const written: unknown[][] = [];
    const { adapter } = provider.Session;
    const upsert = adapter.upsert.bind(adapter);
    adapter.upsert = async (...args) => {
      written.push(args);
      return upsert(...args);
    };
    try {
      const point = async (session: object | undefined, of: Client | undefined = assistant) =>
        pointToSession({ session, client: of } as Parameters<typeof pointToSession>[0], provider, NOW);
      const live = { accountId: "alice", uid: "u", exp: NOW + 100, sidFor: () => "s" };
      await point(undefined);
      await point({ ...live, accountId: undefined });
      await point({ ...live, exp: undefined });
      await point({ ...live, exp: NOW });
      await point({ ...live, sidFor: () => undefined });
      await pointToSession({ session: live as never, client: undefined }, provider, NOW);
      expect(written).toEqual([]);
      await point(live);
      // It lasts as long as the session does.
      expect(written).toEqual([[expect.any(String), { kind: "SessionPointer", sessionUid: "u", exp: NOW + 100 }, 100]]);
    } finally {
      adapter.upsert = upsert;
    }
  });

  test("is not what stands where a pointer should be", async () => {
    const sid = await sessionFor("assistant");
    const { adapter } = provider.Session;
    const find = adapter.find.bind(adapter);
    for (const change of [{ kind: "Session" }, { sessionUid: undefined }]) {
      adapter.find = async (id) => ({ ...(await find(id)), ...change });
      expect(await sessionOf(provider, sid, "assistant", NOW).finally(() => Object.assign(adapter, { find }))).toBe(
        undefined,
      );
    }
    expect(await sessionOf(provider, sid, "assistant", NOW)).toBeDefined();
  });
});

describe("a sid in ID tokens", () => {
  test("is added for the clients concerned, and stays where oidc-provider wants it itself", async () => {
    const another = new Provider("https://idp.example", {
      ...signsPeopleIn(key),
      clients: [client("assistant"), client("other")],
    });
    const { prototype } = another.Client;
    const before = Reflect.get(prototype, "includeSid");
    Object.assign(prototype, { includeSid: (...args: unknown[]) => (args.length === 0 ? "its own answer" : args) });
    includeSid(another, ({ clientId }) => clientId === "assistant");
    const said = async (id: string) =>
      Reflect.apply(Reflect.get(prototype, "includeSid"), await another.Client.find(id), []);
    expect([await said("assistant"), await said("other")]).toEqual([true, "its own answer"]);
    // Registered once more, the function is replaced again.
    expect(() => includeSid(another, () => true)).not.toThrow();
    expect(before).toBeTypeOf("function");
  });

  test("is not promised on an oidc-provider that has no such function", () => {
    const another = new Provider("https://idp.example", signsPeopleIn(key));
    Object.defineProperty(another.Client.prototype, "includeSid", { value: undefined });
    expect(() => includeSid(another, () => true)).toThrow(/not the one we know/);
  });
});
