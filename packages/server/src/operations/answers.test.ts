import { connect } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Handler } from "../http/answer.ts";
import { listen } from "../http/listener.ts";
import { type Answered, endpointOf, observeAnswers } from "./answers.ts";

describe("what a URL asks for", () => {
  it.each([
    ["/token", "", "token"],
    ["/token?client_id=s3cret", "", "token"],
    ["/sign-in/aUniqueInteraction/password", "", "sign-in"],
    ["/authorize/aUniqueInteraction", "", "authorize"],
    ["/.well-known/openid-configuration", "", "metadata"],
    ["/.well-known/oauth-authorization-server/idp", "/idp", "metadata"],
    ["/idp/.well-known/openid-configuration", "/idp", "metadata"],
    ["/idp/token", "/idp", "token"],
    ["/token", "/idp", "other"],
    ["/readyz", "", "health"],
    ["/idp/healthz", "/idp", "health"],
    ["/", "", "other"],
    ["/wp-login.php", "", "other"],
    ["//token", "", "other"],
    ["token", "", "other"],
    ["", "", "other"],
  ])("%s, with an issuer below %s: %s", (url, base, endpoint) => {
    expect(endpointOf(url, base)).toBe(endpoint);
  });
});

describe("the observer of answers", () => {
  async function observed(handler: Handler, ask: (url: string, port: number) => unknown): Promise<Answered> {
    const told: Answered[] = [];
    const observing = observeAnswers(handler, "https://idp.example", [(answered) => told.push(answered)]);
    const listener = await listen({ host: "127.0.0.1", port: 0, handler: observing });
    onTestFinished(() => listener.close());
    await ask(listener.url, listener.port);
    const [answered] = await vi.waitUntil(() => told.length === 1 && told, { timeout: 10_000 });
    if (answered === undefined) throw new TypeError("nothing was told");
    return answered;
  }

  it("tells endpoint, status and seconds of an answer, whatever became of its URL", async () => {
    const handler: Handler = (req, res) => {
      req.url = "/elsewhere";
      res.writeHead(401).end();
    };
    const answered = await observed(handler, (url) => fetch(`${url}/token`));
    expect(answered).toEqual({ endpoint: "token", status: 401, seconds: expect.any(Number) });
  });

  it("tells of a caller that went away before the answer", async () => {
    const answered = await observed(
      () => undefined,
      async (_url, port) => {
        const socket = connect(port, "127.0.0.1");
        socket.write("GET /jwks HTTP/1.1\r\nhost: here\r\n\r\n");
        await new Promise((resolve) => setTimeout(resolve, 100));
        socket.destroy();
      },
    );
    expect(answered).toMatchObject({ endpoint: "jwks", status: "aborted" });
  });

  it("is not there where nobody wants to hear", () => {
    const handler: Handler = () => undefined;
    expect(observeAnswers(handler, "https://idp.example", [])).toBe(handler);
  });
});
