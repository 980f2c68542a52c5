import { describe, expect, test } from "vitest";
import { expectRefused, type House, house } from "../house.testing.ts";
import type { ResourceServerOptions } from "../options.ts";
import type { TrustedIssuer } from "./customers.ts";
import type { Account, SubjectHints, SubjectKey } from "./subject.ts";

/** An app whose accounts are kept by the subject's key; Grace of Globex and Ann of Acme have accounts from before. */
function accounts() {
  const linked = new Map<string, Account>();
  const before = new Map<string, Account>([
    ["ann@acme.example", { id: "ann", customer: "acme" }],
    ["grace@globex.example", { id: "grace", customer: "globex" }],
  ]);
  const calls: { link: SubjectHints[]; provision: SubjectHints[] } = { link: [], provision: [] };
  const keyOf = ({ iss, tenant, sub }: SubjectKey): string => JSON.stringify([iss, tenant, sub]);
  const keep = (subject: SubjectKey, account: Account | undefined): Account | undefined => {
    if (account) linked.set(keyOf(subject), account);
    return account;
  };
  const ports = {
    resolveSubject: (subject: SubjectKey) => linked.get(keyOf(subject)),
    linkSubject: (subject: SubjectKey & SubjectHints) => {
      const { email, audSub } = subject;
      calls.link.push({ ...(email === undefined ? {} : { email }), ...(audSub === undefined ? {} : { audSub }) });
      const byId = [...before.values()].find(({ id }) => id === audSub);
      return keep(subject, byId ?? (email === undefined ? undefined : before.get(email.toLowerCase())));
    },
    provision: (subject: SubjectKey & SubjectHints) => {
      const { email } = subject;
      calls.provision.push(email === undefined ? {} : { email });
      const account = { id: `new-${subject.sub}`, customer: subject.customer };
      keep(subject, account);
      return account;
    },
  };
  return { calls, ports };
}

async function app(
  trusted: Partial<TrustedIssuer> = {},
  change: (base: ResourceServerOptions<Account>) => Partial<ResourceServerOptions<Account>> = () => ({}),
) {
  const { calls, ports } = accounts();
  const home = await house((base) => ({ ...ports, ...change(base) }), trusted);
  const as = async (claims: Record<string, unknown>) => home.redeem({ assertion: await home.idJag(claims) });
  return { home, calls, as, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
}

describe("an account", () => {
  test("is made on the fly only where the issuer has jit", async () => {
    await using closed = await app();
    expectRefused(await closed.as({ sub: "bob" }), 400, "invalid_grant", "subject-unresolved");
    expect(closed.calls.provision).toEqual([]);
    await using open = await app({ jit: true });
    expect((await open.as({ sub: "bob" })).event?.account).toBe("new-bob");
    expect((await open.as({ sub: "bob" })).event?.account).toBe("new-bob");
    expect(open.calls.provision).toHaveLength(1);
  });

  test("is not found where the app neither links nor makes any, whatever hints there are", async () => {
    await using home = await house(() => ({
      customers: async (issuer) => ({
        customer: { id: "acme", domains: ["acme.example"] },
        issuer: { issuer, jit: true },
      }),
      resolveSubject: () => undefined,
    }));
    const hinted = await home.redeem({ assertion: await home.idJag({ email: "ann@acme.example", aud_sub: "ann" }) });
    expectRefused(hinted, 400, "invalid_grant", "subject-unresolved");
    expect(hinted.event).not.toHaveProperty("detail");
  });

  test("is linked by email at first sight, and never again: the address changes, the account stays", async () => {
    await using open = await app({ jit: true });
    expect((await open.as({ sub: "7", email: "Ann@ACME.example" })).event?.account).toBe("ann");
    expect((await open.as({ sub: "7", email: "grace@acme.example" })).event?.account).toBe("ann");
    expect(open.calls).toEqual({ link: [{ email: "Ann@ACME.example" }], provision: [] });
  });

  test.each([
    ["of another customer", "grace@globex.example"],
    ["in a subdomain", "ann@sub.acme.example"],
    ["in a domain that ends alike", "ann@notacme.example"],
    ["with two @, ours last", "ann@evil.example@acme.example"],
    ["with two @, ours first", "ann@acme.example@evil.example"],
    ["without a local part", "@acme.example"],
    ["that is none", "acme.example"],
  ])("is not linked by an address %s: the app never sees it", async (_, email) => {
    await using open = await app({ jit: true });
    expect((await open.as({ sub: "8", email })).event?.account).toBe("new-8");
    expect(open.calls).toEqual({ link: [], provision: [{}] });
  });

  test("is not linked by an address where no domain is verified for the customer", async () => {
    await using open = await app({}, ({ customers }) => ({
      customers: Array.isArray(customers) ? customers.map(({ domains: _, ...customer }) => customer) : customers,
    }));
    expectRefused(await open.as({ sub: "9", email: "ann@acme.example" }), 400, "invalid_grant", "subject-unresolved");
  });

  test("of another customer is not opened by a hint that the app looks up too widely", async () => {
    await using open = await app({ jit: true });
    const answer = await open.as({ sub: "10", aud_sub: "grace" });
    expectRefused(answer, 400, "invalid_grant", "subject-unresolved");
    expect(answer.event?.detail).toBe("the account belongs to another customer");
    expect((await open.as({ sub: "11", aud_sub: "ann" })).event?.account).toBe("ann");
  });
});

describe("the customer", () => {
  const customersOf = (idp: string) => [
    { id: "acme", audTenant: "acme", issuers: [{ issuer: idp, tenant: "t-acme" }] },
    { id: "globex", audTenant: "globex", issuers: [{ issuer: idp, tenant: "t-globex" }] },
  ];
  const both = (): Promise<House> =>
    house((_, idp) => ({
      customers: customersOf(idp.issuer),
      resolveSubject: ({ customer, tenant, sub }) => ({ id: `${customer}/${tenant}/${sub}`, customer }),
    }));

  test("is selected by issuer and tenant together", async () => {
    await using home = await both();
    const acme = await home.redeem({ assertion: await home.idJag({ tenant: "t-acme", jti: "same" }) });
    const globex = await home.redeem({ assertion: await home.idJag({ tenant: "t-globex", jti: "same" }) });
    expect([acme.status, globex.status]).toEqual([200, 200]);
    expect([acme.event?.account, globex.event?.account]).toEqual(["acme/t-acme/alice", "globex/t-globex/alice"]);
  });

  test.each([
    ["no tenant", {}, "id-jag-issuer"],
    ["an unknown tenant", { tenant: "t-initech" }, "id-jag-issuer"],
    ["aud_tenant used to enter another customer", { tenant: "t-acme", aud_tenant: "globex" }, "id-jag-tenant"],
  ])("is not selected with %s", async (_, claims, reason) => {
    await using home = await both();
    expectRefused(await home.redeem({ assertion: await home.idJag(claims) }), 400, "invalid_grant", reason);
  });

  test("agrees with an aud_tenant that names it", async () => {
    await using home = await both();
    const assertion = await home.idJag({ tenant: "t-acme", aud_tenant: "acme" });
    const { status, event } = await home.redeem({ assertion });
    expect([status, event?.customer, event?.tenant]).toEqual([200, "acme", "t-acme"]);
  });

  test("from a look-up that compares loosely is not taken", async () => {
    await using home = await house((_, idp) => ({
      customers: async () => ({ customer: { id: "acme" }, issuer: { issuer: idp.issuer, tenant: "T1" } }),
    }));
    expect((await home.redeem({ assertion: await home.idJag({ tenant: "T1" }) })).status).toBe(200);
    for (const claims of [{ tenant: "t1" }, {}, { tenant: "T1", iss: `${home.idp.issuer}/` }]) {
      const answer = await home.redeem({ assertion: await home.idJag(claims) });
      expectRefused(answer, 400, "invalid_grant", "id-jag-issuer");
    }
  });
});
