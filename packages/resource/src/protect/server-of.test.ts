import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resourceMetadataUrl } from "../endpoints/router.ts";
import { type House, house } from "../house.testing.ts";
import { serverOf } from "./server-of.ts";

const OTHER = "https://ledger.example/api";
let home: House;
let two: House;
beforeAll(async () => {
  home = await house();
  two = await house((base) => ({ resources: { ...base.resources, [OTHER]: { scopes: { "ledger.read": "Read" } } } }));
});
afterAll(async () => {
  await home[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
});

describe("which resource a call is for", () => {
  test("need not be said where there is one", () => {
    expect(home.server.resourceMetadataUrl()).toBe(resourceMetadataUrl(home.resource));
    expect(home.server.resourceMetadataUrl(home.resource)).toBe(resourceMetadataUrl(home.resource));
  });

  test("is what is said where there are two", () => {
    expect(two.server.resources).toEqual([two.resource, OTHER]);
    expect(two.server.resourceMetadataUrl(OTHER)).toBe(resourceMetadataUrl(OTHER));
  });

  test.each<[string, string | undefined, string]>([
    ["nobody says", undefined, "none was named"],
    ["another is named", "https://x.example", "not https://x.example"],
  ])("is a mistake of the app where %s, and the message says so", (_, resource, given) => {
    const message = `Name one of the server's resources: ${two.resource}, ${OTHER} (${given})`;
    expect(() => two.server.resourceMetadataUrl(resource)).toThrow(
      expect.objectContaining({ code: "configuration", message }),
    );
  });
});

describe("for frameworks that call the handler themselves", () => {
  const call = (authorization?: string) =>
    new Request(home.resource, { headers: authorization === undefined ? {} : { authorization } });

  test("a good token is its claims, whatever scopes the call names or not", async () => {
    const { access_token: token } = (await home.redeem()).body;
    expect(await home.server.authorize(call(`Bearer ${token}`))).toMatchObject({ sub: "acme/alice" });
    const scopes = ["ledger.read"];
    expect(await home.server.authorize(call(`Bearer ${token}`), { scopes })).toMatchObject({ sub: "acme/alice" });
  });

  test("anything else is the answer that refuses", async () => {
    const { access_token: token } = (await home.redeem()).body;
    const refused = async (request: Request, scopes: string[] = []) => {
      const answer = await home.server.authorize(request, { scopes });
      return answer instanceof Response && answer.status;
    };
    expect(await refused(call())).toBe(401);
    expect(await refused(call(`Bearer ${token}`), ["ledger.write"])).toBe(403);
  });
});

test("a path that is none of the server's is 404, or left to the app", async () => {
  const request = () => new Request(`${home.url}/elsewhere`);
  expect((await home.server.fetch(request())).status).toBe(404);
  expect(await home.server.tryFetch(request())).toBeUndefined();
});

test("the token endpoint is there for whoever sends answers, unless another program has it", () => {
  expect(home.server.tokenEndpoint?.path).toBe("/token");
  const parts = { issuer: home.url, resources: new Map(), route: async () => undefined, revoke: async () => {} };
  const check = () => Promise.reject(new Error("nothing is checked here"));
  expect(serverOf({ ...parts, check })).not.toHaveProperty("tokenEndpoint");
});
