import { generateSigningKey } from "@credence/protocol/jws";
import { parseClientMetadata } from "@credence/protocol/metadata";
import { describe, expect, it } from "vitest";
import { clientDocument } from "./client-document.ts";

const clientId = "https://agent.example/oauth/client.json";
const redirectUris = ["https://agent.example/callback"];

describe("an agent's own document", () => {
  it("is one that a server takes, of public keys alone", async () => {
    const { privateJwk } = await generateSigningKey("ES256");
    const serve = clientDocument({
      clientId,
      name: "Assistant",
      redirectUris,
      keys: { jwks: [privateJwk] },
      dpopBound: true,
    });
    const answer = serve(new Request(clientId));
    const text = await answer?.text();
    expect(text).not.toContain(String(privateJwk.d));
    expect(parseClientMetadata(JSON.parse(text ?? ""), clientId)).toMatchObject({
      client_name: "Assistant",
      token_endpoint_auth_method: "private_key_jwt",
      dpop_bound_access_tokens: true,
      jwks: { keys: [{ x: privateJwk.x }] },
    });
    expect(answer?.headers.get("content-type")).toBe("application/json");
    expect(answer?.headers.get("cache-control")).toBe("public, max-age=300");
  });

  it("stands at its own path alone", () => {
    const serve = clientDocument({ clientId, name: "Assistant", redirectUris });
    expect(serve(new Request("http://10.0.0.7:8080/oauth/client.json"))?.status).toBe(200);
    for (const other of ["/", "/oauth/client.json/", "/oauth/client.json?v=2", "/OAUTH/client.json"]) {
      expect(serve(new Request(new URL(other, clientId)))).toBeUndefined();
    }
  });

  it("is only read", async () => {
    const serve = clientDocument({ clientId, name: "Assistant", redirectUris });
    expect(serve(new Request(clientId, { method: "POST" }))?.status).toBe(405);
    expect(await serve(new Request(clientId, { method: "HEAD" }))?.text()).toBe("");
  });

  it.each(["assistant", "https://agent.example/", "https://agent.example/a#b", "http://agent.example/a"])(
    "can not stand at %s",
    (url) => {
      expect(() => clientDocument({ clientId: url, name: "Assistant", redirectUris })).toThrow(
        expect.objectContaining({ code: "configuration" }),
      );
    },
  );
});
