import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SECRET, startHouse, type TestHouse } from "../sign-in/house.testing.ts";
import { basic } from "../sign-in/journeys.testing.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const FORM = "application/x-www-form-urlencoded";

let house: TestHouse;

beforeAll(async () => {
  house = await startHouse();
});
afterAll(() => house.stop());

function post(body: string | ReadableStream<Uint8Array>, headers: Record<string, string> = {}) {
  const init = { method: "POST", body, headers: { "content-type": FORM, ...headers }, duplex: "half" };
  return fetch(`${house.issuer}/token`, init);
}

describe("the token endpoint", () => {
  it("gives an exchange to the issuer, unauthenticated, with its form and the client's address", async () => {
    const body = `grant_type=${encodeURIComponent(EXCHANGE)}&audience=a&audience=b&scope=x+y&empty=`;
    const answer = await post(body, { authorization: "Basic nonsense", dpop: "a proof" });
    expect(await answer.json()).toEqual({ exchanged: true });
    expect(answer.headers.get("content-type")).toBe("application/json");
    const { form, ...request } = house.exchanges.at(-1) ?? {};
    expect(request).toEqual({ authorization: "Basic nonsense", dpop: "a proof", source: "127.0.0.1" });
    const read = form?.ok ? form.value : undefined;
    expect([read?.all("audience"), read?.get("scope"), read?.get("empty")]).toEqual([["a", "b"], "x y", undefined]);
  });

  it.each<[string, string, object]>([
    ["a parameter twice", `grant_type=${EXCHANGE}&scope=x&scope=y`, { reason: "parameter-doubled", detail: "scope" }],
    ["a control character", `grant_type=${EXCHANGE}&scope=%00`, { reason: "form-malformed" }],
    ["what is no percent-encoding", `grant_type=${EXCHANGE}&scope=%zz`, { reason: "form-malformed" }],
    ["what is no UTF-8", `grant_type=${EXCHANGE}&scope=%ff`, { reason: "form-malformed" }],
    ["too many parameters", `grant_type=${EXCHANGE}${"&x=1&audience=a".repeat(60)}`, { reason: "parameter-doubled" }],
    ["very many audiences", `grant_type=${EXCHANGE}${"&audience=a".repeat(120)}`, { reason: "form-too-large" }],
  ])(
    "tells the issuer what is wrong with a form that has %s: it goes on record there",
    async (_name, body, refusal) => {
      expect(await (await post(body)).json()).toEqual({ exchanged: true });
      expect(house.exchanges.at(-1)?.form).toEqual({ ok: false, refusal: expect.objectContaining(refusal) });
    },
  );

  it.each([
    ["Authorization", "Basic YTpi", "Basic YTpj"],
    ["DPoP", "one", "two"],
  ])("hands on every %s header: none of two is taken for the only one", async (name, one, two) => {
    const body = `grant_type=${encodeURIComponent(EXCHANGE)}`;
    const head = `Host: credence\r\nContent-Type: ${FORM}\r\nContent-Length: ${body.length}\r\nConnection: close`;
    const socket = connect(Number(new URL(house.issuer).port), "127.0.0.1");
    socket.end(`POST /token HTTP/1.1\r\n${head}\r\n${name}: ${one}\r\n${name.toUpperCase()}: ${two}\r\n\r\n${body}`);
    await once(socket.resume(), "close");
    const { authorization, dpop } = house.exchanges.at(-1) ?? {};
    expect(name === "DPoP" ? dpop : authorization).toBe(`${one}, ${two}`);
  });

  it.each([
    ["a doubled grant_type", `grant_type=${EXCHANGE}&grant_type=refresh_token`, "invalid_request"],
    ["a doubled grant_type, once encoded", `grant_type=${EXCHANGE}&grant%5Ftype=${EXCHANGE}`, "invalid_request"],
    ["no grant_type", "code=x", "invalid_request"],
    ["an empty grant_type", "grant_type=", "invalid_request"],
    ["an empty body", "", "invalid_request"],
    ["another grant", "grant_type=password&username=alice&password=x", "unsupported_grant_type"],
    ["client_credentials", "grant_type=client_credentials", "unsupported_grant_type"],
    [
      "an ID-JAG to redeem",
      "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x",
      "unsupported_grant_type",
    ],
    ["a grant_type in other letters", "grant_type=Refresh_Token", "unsupported_grant_type"],
    ["a body that is too large", `grant_type=${EXCHANGE}&x=${"x".repeat(70_000)}`, "invalid_request"],
  ])("refuses %s", async (_name, body, error) => {
    const before = house.exchanges.length;
    const answer = await post(body, { authorization: basic("assistant", SECRET) });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const refused = await answer.json();
    expect(refused).toMatchObject({ error, error_description: expect.any(String) });
    expect(house.refused.at(-1)).toMatchObject({ source: "127.0.0.1", decisionId: refused.decision_id });
    expect(house.exchanges).toHaveLength(before);
  });

  it("refuses a body that is too large and does not say how large", async () => {
    const chunk = new TextEncoder().encode("x".repeat(16_384));
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => (sent++ < 8 ? controller.enqueue(chunk) : controller.close()),
    });
    expect((await post(endless)).status).toBe(400);
  });

  it.each([
    ["JSON", { "content-type": "application/json" }],
    ["no content type", { "content-type": "" }],
    ["another form", { "content-type": "multipart/form-data; boundary=x" }],
  ])("refuses %s", async (_name, headers) => {
    expect((await post(`grant_type=${EXCHANGE}`, headers)).status).toBe(400);
  });

  it("refuses GET", async () => {
    const answer = await fetch(`${house.issuer}/token?grant_type=${EXCHANGE}`);
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("POST");
  });

  it.each([
    ["a doubled parameter", "grant_type=refresh_token&refresh_token=a&refresh_token=b", "invalid_request"],
    ["a doubled client_id", "grant_type=refresh_token&refresh_token=a&client_id=a&client_id=b", "invalid_request"],
    ["an unknown token", "grant_type=refresh_token&refresh_token=a", "invalid_grant"],
    ["no token", "grant_type=refresh_token", "invalid_request"],
  ])("leaves %s of a refresh to oidc-provider", async (_name, body, error) => {
    const answer = await post(body, { authorization: basic("assistant", SECRET) });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error });
  });

  it("keeps a connection alive after a replayed body", async () => {
    const body = "grant_type=refresh_token&refresh_token=a";
    const request = [
      "POST /token HTTP/1.1",
      "Host: credence",
      `Content-Type: ${FORM}`,
      `Authorization: ${basic("assistant", SECRET)}`,
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");
    const socket = connect(Number(new URL(house.issuer).port), "127.0.0.1");
    let received = "";
    socket.on("data", (data) => {
      received += data.toString();
    });
    for (const times of [1, 2, 3]) {
      socket.write(request);
      await expect.poll(() => received.match(/HTTP\/1\.1 400 /g)?.length).toBe(times);
    }
    socket.destroy();
  });

  it("answers 503 and nothing else when the exchange fails, and reports it", async () => {
    const broken = await startHouse({
      exchange: async () => {
        throw new Error("the store says: secret-value");
      },
    });
    const answer = await fetch(`${broken.issuer}/token`, {
      method: "POST",
      body: new URLSearchParams({ grant_type: EXCHANGE }),
    });
    const text = await answer.text();
    expect(answer.status).toBe(503);
    expect(JSON.parse(text).error).toBe("temporarily_unavailable");
    expect(text).not.toContain("secret-value");
    expect(broken.faults).toHaveLength(1);
    await broken.stop();
  });
});
