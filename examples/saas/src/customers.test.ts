import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { openCustomers } from "./customers.ts";

const IDP = "https://idp.shared.example";
const OWN_IDP = "https://idp.initech.example";

function someCustomers() {
  const customers = openCustomers(new DatabaseSync(":memory:"));
  customers.add({ id: "acme", issuer: IDP, tenant: "1" });
  customers.add({ id: "globex", issuer: IDP, tenant: "2" });
  customers.add({ id: "initech", issuer: OWN_IDP });
  return customers;
}
const alice = { customer: "acme", iss: IDP, tenant: "1", sub: "alice" };

describe("the customers of the SaaS", () => {
  test("an issuer with its tenant selects one, and without it, or with another, none", async () => {
    const customers = someCustomers();
    expect((await customers.find(IDP, "1"))?.customer.id).toBe("acme");
    expect((await customers.find(IDP, "2"))?.customer.id).toBe("globex");
    for (const tenant of [undefined, "", "3", "1 "]) expect(await customers.find(IDP, tenant)).toBeUndefined();
    expect(await customers.find(`${IDP}/`, "1")).toBeUndefined();
    expect((await customers.find(OWN_IDP, undefined))?.customer.id).toBe("initech");
    for (const tenant of ["", "1"]) expect(await customers.find(OWN_IDP, tenant)).toBeUndefined();
  });

  test("nobody signs up with an IdP that speaks for another customer", () => {
    expect(() => someCustomers().add({ id: "mallory", issuer: IDP, tenant: "1" })).toThrow("UNIQUE");
  });

  test("a person has one account, however often it is made, and only at their own customer", () => {
    const customers = someCustomers();
    const made = customers.provision(alice);
    expect(customers.provision(alice)).toEqual(made);
    expect(customers.resolve(alice)).toEqual(made);
    expect(customers.people("acme")).toEqual([made.id]);
    expect(customers.people("globex")).toEqual([]);
    expect(customers.resolve({ ...alice, customer: "globex" })).toBeUndefined();
    expect(customers.resolve({ ...alice, tenant: "2" })).toBeUndefined();
  });

  test("a customer's id that would be SQL is refused", () => {
    const id = "acme; DROP TABLE idps";
    expect(() => someCustomers().add({ id, issuer: "https://idp.example" })).toThrow("small letters and digits");
  });
});
