import type { AuthorizationDetail } from "@credence/protocol/authorization-details";
import { describe, expect, test } from "vitest";
import { expectRefused, type House, house } from "../house.testing.ts";

const READ = { type: "account", actions: ["read"] };
const BOTH = { type: "account", actions: ["read", "write"] };

const withTypes = (change = {}) =>
  house(({ resources }) => ({
    resources: Object.fromEntries(
      Object.entries(resources).map(([id, one]) => [
        id,
        {
          ...one,
          defaultScopes: ["ledger.read"],
          authorizationDetailsTypes: {
            account: { check: ({ amount }: AuthorizationDetail) => amount === undefined || amount === 1 },
          },
        },
      ]),
    ),
    ...change,
  }));

const details = (home: House, inIdJag: readonly object[], asked?: readonly object[], more = {}) =>
  home
    .idJag({ authorization_details: inIdJag, scope: undefined, ...more })
    .then((assertion) =>
      home.redeem({ assertion, ...(asked ? { authorization_details: JSON.stringify(asked) } : {}) }),
    );

describe("authorization details of an ID-JAG", () => {
  test("that the app's own check fails over are refused, for it has not said that they are good", async () => {
    const check = () => {
      throw new Error("the check is down");
    };
    await using home = await house(({ resources }) => ({
      resources: Object.fromEntries(
        Object.entries(resources).map(([id, one]) => [
          id,
          { ...one, authorizationDetailsTypes: { account: { check } } },
        ]),
      ),
    }));
    const reason = "authorization-details-malformed";
    expectRefused(await details(home, [READ]), 400, "invalid_authorization_details", reason);
  });

  test("stand in the answer and in the token, and bring no default scope with them", async () => {
    await using home = await withTypes();
    const { body } = await details(home, [BOTH]);
    expect(body).toMatchObject({ authorization_details: [BOTH] });
    expect(body).not.toHaveProperty("scope");
    const checked = await home.server.check(String(body.access_token));
    expect(checked.ok && checked.value.authorization_details).toEqual([BOTH]);
  });

  test("are narrowed by the request, and by local policy", async () => {
    await using home = await withTypes();
    expect((await details(home, [BOTH], [READ])).body.authorization_details).toEqual([READ]);
    await using narrow = await withTypes({ narrow: () => ({ scope: [], authorizationDetails: [READ] }) });
    expect((await details(narrow, [BOTH])).body.authorization_details).toEqual([READ]);
  });

  test("beside scopes are both granted", async () => {
    await using home = await withTypes();
    const { body } = await details(home, [READ], undefined, { scope: "ledger.write" });
    expect(body).toMatchObject({ scope: "ledger.write", authorization_details: [READ] });
  });

  test("for other places are not this token's", async () => {
    await using home = await withTypes();
    const here = { ...READ, locations: [home.resource] };
    const { body } = await details(home, [here, { ...BOTH, locations: ["https://other.example"] }]);
    expect(body.authorization_details).toEqual([here]);
  });

  test.each<[string, readonly object[], readonly object[] | undefined, string]>([
    ["of a type that is unknown here", [{ type: "payment" }], undefined, "authorization-details-unknown"],
    ["of a type like a member of every object", [{ type: "constructor" }], undefined, "authorization-details-unknown"],
    ["that do not fit their type", [{ ...READ, amount: 2 }], undefined, "authorization-details-malformed"],
    ["that the request widens", [READ], [BOTH], "authorization-details-differ"],
    [
      "to which the request adds a member",
      [READ],
      [{ ...READ, privileges: ["admin"] }],
      "authorization-details-differ",
    ],
    ["that the request adds", [READ], [READ, { type: "account", actions: ["close"] }], "authorization-details-differ"],
  ])("%s are refused, not left out", async (_, inIdJag, asked, reason) => {
    await using home = await withTypes();
    const answer = await details(home, inIdJag, asked);
    expectRefused(answer, 400, "invalid_authorization_details", reason);
    expect(answer.event?.detail).toBe(reason === "authorization-details-malformed" ? "for its type" : undefined);
  });

  test("in the ID-JAG, ten thousand, are refused before anything is made of them", async () => {
    await using home = await withTypes();
    const many = await details(
      home,
      Array.from({ length: 10_000 }, () => READ),
    );
    expectRefused(many, 400, "invalid_request", "form-too-large");
    // As many as fit into a request, and more than anybody reads.
    const some = await details(
      home,
      Array.from({ length: 51 }, () => ({ type: "account" })),
    );
    expectRefused(some, 400, "invalid_grant", "id-jag-claim");
    expect(some.event?.detail).toBe("authorization_details");
    expect(
      (
        await details(
          home,
          Array.from({ length: 50 }, () => ({ type: "account" })),
        )
      ).status,
    ).toBe(200);
  });

  test.each<[string, unknown]>([
    ["no list", { type: "account" }],
    ["an empty list", []],
    ["a text", JSON.stringify([READ])],
    ["a list of texts", ["account"]],
    ["a detail without type", [{ actions: ["read"] }]],
    ["a detail with an empty type", [{ type: "" }]],
    ["a detail whose actions are no list", [{ type: "account", actions: "read" }]],
  ])("in the ID-JAG, %s, are refused", async (_, malformed) => {
    await using home = await withTypes();
    const assertion = await home.idJag({ authorization_details: malformed, scope: undefined });
    expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-claim");
  });

  test("are not widened by local policy, whatever it returns", async () => {
    await using home = await withTypes({
      narrow: () => ({
        scope: ["ledger.read", "ledger.write", "admin"],
        authorizationDetails: [BOTH, { type: "account", actions: ["close"] }, { type: "payment" }],
      }),
    });
    const only = await details(home, [READ]);
    expect(only.body.authorization_details).toEqual([READ]);
    expect(only.body).not.toHaveProperty("scope");
    const beside = await details(home, [READ], undefined, { scope: "ledger.read" });
    expect(beside.body).toMatchObject({ scope: "ledger.read", authorization_details: [READ] });
    const claims = await home.server.check(String(beside.body.access_token));
    expect(claims.ok && [claims.value.scope, claims.value.authorization_details]).toEqual(["ledger.read", [READ]]);
  });

  test("of which local policy leaves none, and no scope, grant nothing", async () => {
    await using home = await withTypes({ narrow: () => ({ scope: [], authorizationDetails: [] }) });
    expectRefused(await details(home, [READ]), 400, "invalid_scope", "nothing-granted");
    // As many of one kind as of the other.
    const beside = await details(home, [READ], undefined, { scope: "ledger.read" });
    expectRefused(beside, 400, "invalid_scope", "nothing-granted");
  });

  test("of a type that the app does not check are all well-formed", async () => {
    await using home = await house(({ resources }) => ({
      resources: Object.fromEntries(
        Object.entries(resources).map(([id, one]) => [id, { ...one, authorizationDetailsTypes: { account: {} } }]),
      ),
    }));
    expect((await details(home, [{ ...READ, amount: 2 }])).status).toBe(200);
  });

  test("and a resource must fit each other: details for elsewhere alone open nothing here", async () => {
    await using home = await withTypes();
    const elsewhere = { ...READ, locations: ["https://other.example"] };
    const alone = await details(home, [elsewhere]);
    expectRefused(alone, 400, "invalid_scope", "nothing-granted");
    expect(alone.event?.detail).toBe("the authorization details are for other places");
    const { body } = await details(home, [elsewhere], undefined, { scope: "ledger.read" });
    expect(body.scope).toBe("ledger.read");
    expect(body).not.toHaveProperty("authorization_details");
  });

  test("of no type are refused where a resource has none", async () => {
    await using home = await house();
    expectRefused(await details(home, [READ]), 400, "invalid_authorization_details", "authorization-details-unknown");
  });

  test.each<[string, string]>([
    ["ten thousand", JSON.stringify(Array.from({ length: 10_000 }, () => READ))],
    ["none", "[]"],
    ["no array", "{}"],
    ["no JSON", "[{"],
    ["a hundred levels", `${"[".repeat(100)}${"]".repeat(100)}`],
  ])("in the request, %s, are refused", async (_, text) => {
    await using home = await withTypes();
    const answer = await home.redeem({ authorization_details: text });
    expect(answer.body.error).toMatch(/invalid_authorization_details|invalid_request/);
  });
});

describe("a person's NameID", () => {
  const nameId = { format: "saml-nameid", issuer: "https://saml.acme.example", nameid: "a-1" };
  const saml = { issuer: nameId.issuer };
  const seen: unknown[] = [];
  const linking = (required: boolean) =>
    house(
      () => ({
        resolveSubject: () => undefined,
        linkSubject: ({ samlNameId }) => {
          seen.push(samlNameId);
          return samlNameId?.nameid === "a-1" ? { id: "acme/alice" } : undefined;
        },
      }),
      { saml: { ...saml, required } },
    );

  test("of the configured SAML issuer finds the account, with all its members", async () => {
    await using home = await linking(true);
    const assertion = await home.idJag({ sub_id: { ...nameId, sp_name_qualifier: "q", other: 1 } });
    expect((await home.redeem({ assertion })).status).toBe(200);
    expect(seen.at(-1)).toEqual({ issuer: nameId.issuer, nameid: "a-1", sp_name_qualifier: "q" });
  });

  test.each<[string, unknown, string]>([
    ["missing", undefined, "missing"],
    ["of another format", { format: "email", email: "a@acme.example" }, "missing"],
    ["of another format, with the members of a NameID", { ...nameId, format: "account" }, "missing"],
    ["of another SAML issuer", { ...nameId, issuer: "https://evil.example" }, "issuer"],
    ["without nameid", { ...nameId, nameid: undefined }, "malformed"],
    ["with an empty nameid", { ...nameId, nameid: "" }, "malformed"],
    ["with a nameid that is too long", { ...nameId, nameid: "a".repeat(2_049) }, "malformed"],
    ["with a member that is no text", { ...nameId, name_qualifier: 1 }, "malformed"],
  ])("%s is refused where one is needed", async (_, subId, detail) => {
    await using home = await linking(true);
    const answer = await home.redeem({ assertion: await home.idJag({ sub_id: subId }) });
    expectRefused(answer, 400, "invalid_grant", "id-jag-sub-id");
    expect(answer.event?.detail).toBe(detail);
  });

  test("may be as long as 2,048 characters", async () => {
    await using home = await linking(true);
    const nameid = "a".repeat(2_048);
    await home.redeem({ assertion: await home.idJag({ sub_id: { ...nameId, nameid } }) });
    expect(seen.at(-1)).toEqual({ issuer: nameId.issuer, nameid });
  });

  test.each([
    ["is of another format", { format: "email", email: "a@acme.example" }],
    ["names an issuer where no SAML issuer is configured", nameId],
  ])("that %s does not keep out whoever has an account", async (_, subId) => {
    await using home = await house();
    expect((await home.redeem({ assertion: await home.idJag({ sub_id: subId }) })).status).toBe(200);
  });

  test("of an issuer that is not configured finds nobody", async () => {
    await using home = await linking(false);
    const assertion = await home.idJag({ sub_id: { ...nameId, issuer: "https://evil.example" } });
    expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "subject-unresolved");
  });
});

test("an actor is carried to the handlers, and is not who the token is for", async () => {
  await using home = await house();
  const act = { sub: "agent-7", sub_profile: "ai_agent" };
  const { body } = await home.redeem({ assertion: await home.idJag({ act }) });
  const checked = await home.server.check(String(body.access_token));
  expect(checked.ok && [checked.value.act, checked.value.sub]).toEqual([act, "acme/alice"]);
});

describe("a call that needs a fresher or stronger sign-in", () => {
  test.each<[string, Record<string, unknown>, object, Record<string, string> | undefined]>([
    [
      "is served when it is",
      { auth_time: 1_800_000_000 - 10, acr: "phr" },
      { maxAge: 60, acrValues: ["phr"] },
      undefined,
    ],
    ["is told how old it may be", { auth_time: 1_800_000_000 - 61 }, { maxAge: 60 }, { max_age: "60" }],
    ["is told so where nobody says how old it is", {}, { maxAge: 60 }, { max_age: "60" }],
    ["is told so where it lies in the future", { auth_time: 1_800_000_000_000 }, { maxAge: 60 }, { max_age: "60" }],
    ["is told how strong it must be", { acr: "pwd" }, { acrValues: ["phr", "mfa"] }, { acr_values: "phr mfa" }],
  ])("%s", async (_, claims, needs, parameters) => {
    await using home = await house();
    const { body } = await home.redeem({ assertion: await home.idJag(claims) });
    const serve = home.server.protect(needs, () => new Response("served"));
    const authorization = `Bearer ${String(body.access_token)}`;
    const answer = await serve(new Request(home.resource, { headers: { authorization } }));
    expect(answer.status).toBe(parameters ? 401 : 200);
    const challenge = answer.headers.get("www-authenticate") ?? "";
    for (const [name, value] of Object.entries(parameters ?? {})) expect(challenge).toContain(`${name}="${value}"`);
    if (parameters) expect(challenge).toContain('error="insufficient_user_authentication"');
  });
});
