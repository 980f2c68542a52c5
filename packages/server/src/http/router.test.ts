import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SECRET, startHouse, type TestHouse } from "../sign-in/house.testing.ts";
import { basic } from "../sign-in/journeys.testing.ts";

let house: TestHouse;

beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());

describe("below the issuer", () => {
  it("there is a page that says what this is", async () => {
    const answer = await fetch(`${house.issuer}/`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("Acme");
  });

  it.each([
    "/nothing",
    "/assets/../sign-in",
    "/assets/nothing.css",
    "/%",
    "/token/x",
    "//evil.example/",
    "/interaction/x",
    "/authorize/%00",
    "/sign-out/%00",
  ])("nothing stands at %s, and a page says so", async (path) => {
    const answer = await fetch(`${house.issuer}${path}`, { redirect: "manual" });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toContain("text/html");
    expect(await answer.text()).toContain("There is no page here");
  });

  it("styles and fonts are ours, and kept for ever", async () => {
    const page = await (await fetch(`${house.issuer}/`)).text();
    const stylesheet = /href="(\/assets\/[^"]+\.css)"/.exec(page)?.[1] ?? "";
    const styles = await fetch(`${house.issuer}${stylesheet}`);
    expect(styles.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    const css = await styles.text();
    expect(css).not.toMatch(/https?:\/\//);
    const fonts = [...css.matchAll(/url\("([^"]+)"\)/g)].map(([, url]) => url);
    expect(fonts.length).toBeGreaterThan(3);
    const font = await fetch(`${house.issuer}${fonts.at(-1)}`);
    expect(font.headers.get("content-type")).toBe("font/woff2");
    expect((await font.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
  });

  it("every answer says not to guess its type, not to frame it, and not to tell where one was", async () => {
    for (const path of ["/", "/nothing", "/jwks", "/.well-known/openid-configuration", "/authorize"]) {
      const { headers } = await fetch(`${house.issuer}${path}`);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
    }
  });
});

it.each(["", "?client_id=assistant", "?client_id=assistant&response_type=code&scope=openid&state=s"])(
  "a step of a sign-in that is over is told so, whatever stands behind it: %s",
  async (query) => {
    const answer = await fetch(`${house.issuer}/authorize/constructor${query}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toContain("text/html");
  },
);

describe("an authentication request by POST", () => {
  const asked = {
    client_id: "assistant",
    redirect_uri: "http://127.0.0.1:4999/callback",
    response_type: "code",
    scope: "openid",
    state: "a state & more",
    code_challenge: "x".repeat(43),
    code_challenge_method: "S256",
  };
  const post = (body: URLSearchParams | string, headers: Record<string, string> = {}) =>
    fetch(`${house.issuer}/authorize`, { method: "POST", body, headers, redirect: "manual" });
  const form = { "content-type": "application/x-www-form-urlencoded" };

  it("is asked again by GET, as it was, and leads to the sign-in", async () => {
    const answer = await post(new URLSearchParams(asked));
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([303, "no-store"]);
    const again = new URL(answer.headers.get("location") ?? "");
    expect(again.origin + again.pathname).toBe(`${house.issuer}/authorize`);
    expect(Object.fromEntries(again.searchParams)).toEqual(asked);
    const { headers } = await fetch(again, { redirect: "manual" });
    expect(headers.get("location")).toMatch(/^\/sign-in\//);
  });

  it.each<[string, string, Record<string, string>, string]>([
    ["what is no form", "{}", { "content-type": "application/json" }, "form-content-type"],
    ["a form with a parameter that came twice", "state=a&state=b", form, "parameter-doubled"],
    ["more than a URL may hold", `state=${"a".repeat(8_000)}`, form, "form-too-large"],
  ])("is refused as %s", async (_, body, headers, reason) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: "invalid_request" });
    expect(house.refused.at(-1)).toMatchObject({ reason });
  });
});

describe("what a client says that it accepts", () => {
  it.each(["/token", "/revoke", "/userinfo"])("gives it no page at %s: an OAuth error is JSON", async (path) => {
    for (const body of [
      "grant_type=refresh_token",
      "grant_type=authorization_code&code=a&redirect_uri=b",
      "token=a",
      "",
    ]) {
      const headers = { accept: "text/html", "content-type": "application/x-www-form-urlencoded" };
      const answer = await fetch(house.issuer + path, { method: "POST", headers, body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers.get("content-type")).toContain("application/json");
      expect(await answer.json()).toMatchObject({ error: expect.stringMatching(/^[a-z_]+$/) });
    }
  });
});

describe("what the revocation endpoint answers", () => {
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const authenticated = { ...form, authorization: basic("assistant", SECRET) };
  it.each<[string, number, RequestInit]>([
    ["a token that is none", 200, { body: "token=a", headers: authenticated }],
    ["no token", 400, { body: "", headers: authenticated }],
    ["two tokens", 400, { body: "token=a&token=b", headers: authenticated }],
    ["somebody unknown", 400, { body: "token=a", headers: form }],
    ["a wrong secret", 401, { body: "token=a", headers: { ...form, authorization: basic("assistant", "wrong") } }],
    ["what is no form", 400, { body: "{}", headers: { "content-type": "application/json" } }],
    ["too large a form", 400, { body: `token=${"a".repeat(100_000)}`, headers: form }],
    ["another method", 405, { method: "DELETE" }],
  ])("to %s, with %i, is not to be kept", async (_, status, init) => {
    const answer = await fetch(`${house.issuer}/revoke`, { method: "POST", ...init });
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([status, "no-store"]);
  });

  it("when it fails, with 500, is not to be kept", async () => {
    const own = await startHouse();
    try {
      await own.store.close();
      const body = new URLSearchParams({ token: "a", client_id: "assistant", client_secret: SECRET });
      const answer = await fetch(`${own.issuer}/revoke`, { method: "POST", body });
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([500, "no-store"]);
    } finally {
      await own.stop();
    }
  });
});

describe("what a client says of the host", () => {
  /** Asks as nobody's browser would: with a host of its own choice. */
  function ask(port: number, path: string, headers: Record<string, string>) {
    return new Promise<{ text: string; cookies: readonly string[]; transport: unknown }>((resolve, reject) => {
      const req = request({ host: "127.0.0.1", port, path, headers }, async (res) => {
        const text = (await res.toArray()).join("");
        const cookies = res.headers["set-cookie"] ?? [];
        resolve({ text, cookies, transport: res.headers["strict-transport-security"] });
      });
      req.on("error", reject).end();
    });
  }

  const lies = {
    host: "evil.example",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "http",
    forwarded: "host=evil.example;proto=http",
  };

  it("is not believed", async () => {
    const { text } = await ask(house.listener.port, "/.well-known/openid-configuration", lies);
    expect(text).not.toContain("evil.example");
    expect(JSON.parse(text).token_endpoint).toBe(`${house.issuer}/token`);
  });

  it("is not believed behind TLS either, where cookies are for TLS alone", async () => {
    const issuer = "https://idp.acme.example";
    const behindTls = await startHouse({ issuer });
    const { port } = behindTls.listener;
    const metadata = await ask(port, "/.well-known/openid-configuration", lies);
    expect(metadata.text).not.toContain("evil.example");
    expect(JSON.parse(metadata.text)).toMatchObject({ issuer, authorization_endpoint: `${issuer}/authorize` });
    expect(metadata.transport).toContain("max-age=");
    const query = new URLSearchParams({
      client_id: "assistant",
      redirect_uri: "http://127.0.0.1:4999/callback",
      response_type: "code",
      scope: "openid",
      code_challenge: "x".repeat(43),
      code_challenge_method: "S256",
    });
    const { cookies } = await ask(port, `/authorize?${query}`, lies);
    expect(cookies.length).toBeGreaterThan(0);
    for (const cookie of cookies) expect(cookie).toMatch(/; secure.*; httponly/i);
    for (const cookie of cookies) expect(cookie).toMatch(/samesite=lax/i);
    await behindTls.stop();
  });

  describe("as to where a request comes from", () => {
    async function sourceSeen(trustedProxies: readonly string[], forwarded: string): Promise<string | undefined> {
      const behind = await startHouse({ trustedProxies });
      const headers = { "x-forwarded-for": forwarded, "content-type": "application/x-www-form-urlencoded" };
      await fetch(`${behind.listener.url}/token`, { method: "POST", headers, body: "grant_type=password" });
      await behind.stop();
      return behind.refused.at(-1)?.source;
    }

    it.each<[string, readonly string[], string, string]>([
      ["nobody is believed by default", [], "198.51.100.7", "127.0.0.1"],
      ["a proxy that is not the trusted one is not believed", ["10.0.0.0/8"], "198.51.100.7", "127.0.0.1"],
      ["a trusted proxy is", ["127.0.0.1"], "198.51.100.7", "198.51.100.7"],
      ["what the client itself wrote is not", ["127.0.0.1"], "203.0.113.1, 198.51.100.7", "198.51.100.7"],
      ["through two trusted proxies", ["127.0.0.1", "10.0.0.0/8"], "198.51.100.7, 10.1.2.3", "198.51.100.7"],
      ["an IPv6 client", ["127.0.0.0/8"], "2001:db8::7", "2001:db8::7"],
      ["an IPv4 client, written as IPv6", ["127.0.0.1"], "::ffff:198.51.100.7", "198.51.100.7"],
      ["nonsense ends the search", ["127.0.0.1"], "198.51.100.7, unknown", "127.0.0.1"],
      ["nothing sent", ["127.0.0.1"], "", "127.0.0.1"],
    ])("%s", async (_, trusted, forwarded, source) => {
      expect(await sourceSeen(trusted, forwarded)).toBe(source);
    });
  });
});
