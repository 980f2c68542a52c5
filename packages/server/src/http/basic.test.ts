import { describe, expect, it } from "vitest";
import { agent } from "../sign-in/house.testing.ts";
import { normalizeBasic } from "./basic.ts";

const SECRETS: Readonly<Record<string, string>> = {
  plain: "secret",
  "https://agent.example/c": "se:cret",
  "a b": "100%2B",
  signs: "a+b c",
};

const ports = {
  store: { agent: async (id: string) => (id in SECRETS ? agent(id) : undefined) },
  clientSecrets: ({ id }: { id: string }) => ["another", SECRETS[id] ?? ""],
};

const header = (id: string, secret: string) => `Basic ${btoa(`${id}:${secret}`)}`;
const encoded = (id: string, secret: string) => header(encodeURIComponent(id), encodeURIComponent(secret));

describe("a Basic header comes out form-encoded", () => {
  it.each([
    ["plain, as it was", header("plain", "secret"), "plain"],
    ["encoded", encoded("https://agent.example/c", "se:cret"), "https://agent.example/c"],
    ["encoded, a percent in the secret", encoded("a b", "100%2B"), "a b"],
    ["raw, a plus in the secret", header("signs", "a+b c"), "signs"],
    ["raw, a percent in the secret", header("a b", "100%2B"), "a b"],
  ])("%s", async (_name, given, id) => {
    expect(await normalizeBasic(given, ports)).toBe(encoded(id, SECRETS[id] ?? ""));
  });

  it.each([
    ["Bearer x"],
    ["Basic"],
    ["Basic !!!"],
    [`Basic ${btoa("no-colon")}`],
    [`Basic ${btoa("a:b").replace("=", "")} twice`],
  ])("and %s stays what it is", async (given) => {
    expect(await normalizeBasic(given, ports)).toBe(given);
  });

  it("and one that fits nothing is read as the RFC says", async () => {
    expect(await normalizeBasic(header("https://agent.example/c", "wrong"), ports)).toBe(
      encoded("https", "//agent.example/c:wrong"),
    );
  });
});
