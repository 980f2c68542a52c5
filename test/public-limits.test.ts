/** What a public agent that is bound to its key uses up: a proof by some key is no proof of who it is. */
import { generateDpopKey } from "@credence/protocol/dpop";
import { afterEach, describe, expect, test } from "vitest";
import { exchange } from "./exchange.testing.ts";
import { acme, type House, startHouse } from "./house.testing.ts";

let house: House;
afterEach(() => house[Symbol.asyncDispose]());

const bound = () => ({
  ...acme(),
  agents: acme().agents.map((agent) => (agent.id === "public" ? { ...agent, dpopBound: true } : agent)),
});

const asStranger = async () =>
  exchange(house, {
    subjectToken: "of.no.worth",
    client: { method: "none", clientId: "public" },
    key: await generateDpopKey(),
  });

describe("a stranger with a key of their own, who claims to be a public agent", () => {
  test("pays as their address does", async () => {
    house = await startHouse({ server: { limits: { failedRequests: 3 } } });
    await house.change(bound());
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) statuses.push((await asStranger()).status);
    expect(statuses.slice(0, 3)).not.toContain(429);
    expect(statuses.slice(3)).toEqual([429, 429]);
  });

  test("uses up nothing of that agent", async () => {
    house = await startHouse({ server: { limits: { clientRequests: 2 } } });
    await house.change(bound());
    for (let i = 0; i < 4; i += 1) expect((await asStranger()).status).not.toBe(429);
  });
});
