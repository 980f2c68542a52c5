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

  it.each<[string, object, string]>([
    ["no IdP", { idp: undefined }, "idp is missing"],
    ["no client at the IdP", { idp: { issuer: "https://idp.example" } }, "idp.client is missing"],
    ["no apps", { apps: undefined }, "apps is neither a list"],
    ["apps that are one object", { apps: { issuer: "https://ledger.example", client } }, "apps is neither a list"],
    ["dpop that is only true", { dpop: true }, "dpop is not an object"],
    [
      "a method that there is not",
      { idp: { issuer: "https://idp.example", client: { ...client, method: "client_secret" } } },
      "none of client_secret_basic, client_secret_post, private_key_jwt, none",
    ],
    [
      "a secret that is missing",
      { idp: { issuer: "https://idp.example", client: { method: "client_secret_post", clientId: "assistant" } } },
      "the variable is not set",
    ],
    [
      "a private key that no signer was made of",
      {
        idp: {
          issuer: "https://idp.example",
          client: { method: "private_key_jwt", clientId: "assistant", signer: { kty: "EC" } },
        },
      },
      "importSigner(privateJwk) makes one",
    ],
  ])("%s, and the message says so, also to who writes JavaScript", (_name, changes, said) => {
    const options = { ...good, ...changes } as AgentOptions;
    expect(() => createAgent(options)).toThrow(
      expect.objectContaining({ code: "configuration", message: expect.stringContaining(said) }),
    );
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
