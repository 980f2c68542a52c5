import { describe, expect, it } from "vitest";
import { createAgent } from "./agent.ts";
import type { AgentOptions } from "./options.ts";

const client = { method: "client_secret_basic", clientId: "assistant", clientSecret: "secret" } as const;
const good: AgentOptions = {
  idp: { issuer: "https://idp.example", client },
  apps: [{ issuer: "https://ledger.example", client }],
};

describe("an agent is not made with", () => {
  it.each<[string, Partial<AgentOptions>]>([
    ["an issuer that is no URL", { idp: { issuer: "idp.example", client } }],
    ["an http issuer", { idp: { issuer: "http://idp.example", client } }],
    ["a loopback issuer outside development", { idp: { issuer: "http://127.0.0.1:4000", client } }],
    ["a private issuer, even in development", { idp: { issuer: "http://10.0.0.1", client }, development: true }],
    ["an empty secret", { idp: { issuer: "https://idp.example", client: { ...client, clientSecret: "" } } }],
    ["no client id", { apps: [{ issuer: "https://ledger.example", client: { ...client, clientId: "" } }] }],
    ["an app twice", { apps: [...(good.apps as []), { issuer: "https://ledger.example", client }] }],
  ])("%s", (_name, changes) => {
    expect(() => createAgent({ ...good, ...changes })).toThrow(expect.objectContaining({ code: "configuration" }));
  });

  it("its secret in the message", () => {
    const secret = "never-to-be-seen";
    const apps = [{ issuer: "nonsense", client: { ...client, clientSecret: secret } }];
    expect(() => createAgent({ ...good, apps })).toThrow(expect.not.stringContaining(secret));
  });
});

it("an agent is made with credentials that are looked up", () => {
  expect(() => createAgent({ ...good, apps: async () => client })).not.toThrow();
});
