import type { PublicJwk } from "@credence/protocol/jws";
import { describe, expect, test } from "vitest";
import { expectRefused, house, listen, NOON, newKey } from "../house.testing.ts";
import { ISSUER_KEY_LIMITS } from "./issuer-keys.ts";

const unavailable = (answer: Parameters<typeof expectRefused>[0]): void =>
  expectRefused(answer, 503, "temporarily_unavailable", "issuer-keys-unavailable");

describe("an issuer's keys", () => {
  test("are found by its metadata, fetched once for many at the same time, and kept", async () => {
    await using home = await house();
    const answers = await Promise.all(Array.from({ length: 20 }, () => home.redeem()));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(home.idp.asked).toEqual({ metadata: 1, jwks: 1 });
  });

  test("are fetched anew when they are old", async () => {
    await using home = await house();
    await home.redeem();
    home.clock.now = NOON + ISSUER_KEY_LIMITS.fresh;
    const next = await newKey();
    home.idp.published.keys = [next.publicJwk];
    expectRefused(await home.redeem(), 400, "invalid_grant", "id-jag-key");
    expect((await home.redeem({ assertion: await home.idJag({}, next.signer) })).status).toBe(200);
    expect(home.idp.asked.jwks).toBe(2);
  });

  const { fresh, least } = ISSUER_KEY_LIMITS;
  test.each<[string, string | undefined, number]>([
    ["for ten minutes where their issuer says nothing", undefined, fresh],
    ["as long as their issuer says", "public, max-age=120, must-revalidate", 120],
    ["as long as their issuer says, in whatever case", "Public,Max-Age=120", 120],
    ["for a minute at least", "max-age=0", least],
    ["for a minute, where they are not to be kept at all", "private, no-store", least],
    ["for a minute, where they are to be asked for each time", "no-cache, max-age=300", least],
    ["for ten minutes at most", "max-age=86400", fresh],
    ["as if nothing was said, where that can not be read", "max-age=soon", fresh],
    ["as if nothing was said, where only shared caches are told something", "s-maxage=120", fresh],
  ])("are kept %s", async (_, cacheControl, seconds) => {
    await using home = await house();
    const { published, asked } = home.idp;
    const headers: HeadersInit = cacheControl === undefined ? {} : { "cache-control": cacheControl };
    published.jwks = async () => Response.json({ keys: published.keys }, { headers });
    await home.redeem();
    published.keys = [(await newKey()).publicJwk];
    home.clock.now = NOON + seconds - 1;
    expect((await home.redeem()).status).toBe(200);
    expect(asked.jwks).toBe(1);
    home.clock.now = NOON + seconds;
    expectRefused(await home.redeem(), 400, "invalid_grant", "id-jag-key");
    expect(asked.jwks).toBe(2);
  });

  test("kept for a minute do not make a stranger's kid ask more often", async () => {
    await using home = await house();
    const { published, asked } = home.idp;
    published.jwks = async () =>
      Response.json({ keys: published.keys }, { headers: { "cache-control": "no-store, max-age=0" } });
    await home.redeem();
    const assertion = await home.idJag({}, (await newKey()).signer);
    home.clock.now = NOON + ISSUER_KEY_LIMITS.coolDown;
    for (let i = 0; i < 5; i++) expectRefused(await home.redeem({ assertion }), 400, "invalid_grant", "id-jag-key");
    expect(asked.jwks).toBe(2);
  });

  test("serve for a while when they can not be fetched anew, and not forever", async () => {
    await using home = await house();
    await home.redeem();
    home.idp.published.jwks = async () => new Response(null, { status: 500 });
    home.clock.now = NOON + ISSUER_KEY_LIMITS.stale - 1;
    expect((await home.redeem()).status).toBe(200);
    home.clock.now = NOON + ISSUER_KEY_LIMITS.stale + ISSUER_KEY_LIMITS.retry;
    unavailable(await home.redeem());
  });

  test("may be configured: a set of keys, or where they are; then no metadata is read", async () => {
    const key = await newKey();
    await using fixed = await house(undefined, { jwks: { keys: [key.publicJwk] } });
    expect((await fixed.redeem({ assertion: await fixed.idJag({}, key.signer) })).status).toBe(200);
    expectRefused(await fixed.redeem(), 400, "invalid_grant", "id-jag-key");
    expect(fixed.idp.asked).toEqual({ metadata: 0, jwks: 0 });
    await using named = await house(({ customers }, idp) => ({
      customers: Array.isArray(customers)
        ? [{ ...customers[0], id: "acme", issuers: [{ issuer: idp.issuer, jwksUri: `${idp.issuer}/jwks` }] }]
        : customers,
    }));
    expect((await named.redeem()).status).toBe(200);
    expect(named.idp.asked).toEqual({ metadata: 0, jwks: 1 });
  });
});

describe("an unknown kid", () => {
  test("makes the keys be fetched once more, then not again before the cool-down has passed", async () => {
    await using home = await house();
    await home.redeem();
    home.clock.now = NOON + ISSUER_KEY_LIMITS.coolDown;
    const next = await newKey();
    home.idp.published.keys.push(next.publicJwk);
    expect((await home.redeem({ assertion: await home.idJag({}, next.signer) })).status).toBe(200);
    expect(home.idp.asked.jwks).toBe(2);

    const stranger = await newKey();
    for (let i = 0; i < 5; i++) {
      const answer = await home.redeem({ assertion: await home.idJag({}, stranger.signer) });
      expectRefused(answer, 400, "invalid_grant", "id-jag-key");
    }
    expect(home.idp.asked.jwks).toBe(2);
    home.clock.now += ISSUER_KEY_LIMITS.coolDown;
    await home.redeem({ assertion: await home.idJag({}, stranger.signer) });
    expect(home.idp.asked.jwks).toBe(3);
  });

  test("from many at the same time makes one fetch", async () => {
    await using home = await house();
    await home.redeem();
    home.clock.now = NOON + ISSUER_KEY_LIMITS.coolDown;
    const stranger = await newKey();
    const assertion = await home.idJag({}, stranger.signer);
    await Promise.all(Array.from({ length: 20 }, () => home.redeem({ assertion })));
    expect(home.idp.asked.jwks).toBe(2);
  });

  test("while the keys can not be fetched is no verdict on the key", async () => {
    await using home = await house();
    await home.redeem();
    home.clock.now = NOON + ISSUER_KEY_LIMITS.coolDown;
    home.idp.published.jwks = async () => new Response(null, { status: 500 });
    const assertion = await home.idJag({}, (await newKey()).signer);
    unavailable(await home.redeem({ assertion }));
    unavailable(await home.redeem({ assertion }));
    expect(home.idp.asked.jwks).toBe(2);
  });
});

describe("keys that can not be had: 503, nothing issued, and nobody asks again at once", () => {
  type Keys = PublicJwk[];
  const page = (body: BodyInit, init?: ResponseInit) => async () => new Response(body, init);
  const slow = (keys: Keys) =>
    new Promise<Response>((resolve) => setTimeout(resolve, 5_000, Response.json({ keys })).unref());

  // Wherever it can, the bad answer holds the good key: only what the name says may be why it does not count.
  test.each<[string, (keys: Keys) => Promise<Response>, RegExp]>([
    ["JWKS slow", slow, /in time/],
    ["JWKS huge", async (keys) => Response.json({ keys, padding: "x".repeat(262_144) }), /more than 262144 bytes/],
    [
      "JWKS redirecting to a private address",
      page("", { status: 302, headers: { location: "http://10.0.0.1/jwks" } }),
      /redirect/,
    ],
    ["JWKS redirecting to the same host", page("", { status: 307, headers: { location: "/jwks" } }), /redirect/],
    ["JWKS with an error's status", async (keys) => Response.json({ keys }, { status: 500 }), /200/],
    ["JWKS that is a web page", page("<!doctype html><title>Sign in</title>"), /not JSON/],
    ["JWKS that is JSON but no key set", page('{"keys":"none"}'), /not a JWK set/],
    ["JWKS that is a list", page("[]"), /not a JWK set/],
    ["JWKS with too many keys", async ([key]) => Response.json({ keys: Array(101).fill(key) }), /not a JWK set/],
    ["JWKS that is not UTF-8", page(new Uint8Array([0xff, 0xfe])), /not UTF-8/],
  ])("%s", async (_, jwks, detail) => {
    await using home = await house();
    home.idp.published.jwks = () => jwks(home.idp.published.keys);
    const started = Date.now();
    const first = await home.redeem();
    unavailable(first);
    expect(first.event?.detail).toMatch(detail);
    unavailable(await home.redeem());
    expect(home.idp.asked.jwks).toBe(1);
    expect(Date.now() - started).toBeLessThan(4_000);
    delete home.idp.published.jwks;
    home.clock.now += ISSUER_KEY_LIMITS.retry;
    expect((await home.redeem()).status).toBe(200);
  });

  test.each<[string, (issuer: string) => Record<string, unknown>, RegExp]>([
    ["metadata whose issuer differs", () => ({ issuer: "https://idp.example" }), /issuer is not/],
    ["metadata whose issuer differs by a slash", (issuer) => ({ issuer: `${issuer}/` }), /issuer is not/],
    ["metadata without jwks_uri", () => ({ jwks_uri: undefined }), /names no jwks_uri/],
    ["metadata whose jwks_uri is no URL", () => ({ jwks_uri: "/jwks" }), /jwks_uri is not a URL/],
    [
      "metadata whose jwks_uri is a private address",
      () => ({ jwks_uri: "https://169.254.169.254/jwks" }),
      /not fetched.*private/,
    ],
    ["metadata whose jwks_uri is not https", () => ({ jwks_uri: "http://keys.example/jwks" }), /not fetched.*https/],
    ["metadata whose jwks_uri is a file", () => ({ jwks_uri: "file:///etc/passwd" }), /not fetched.*https/],
  ])("%s", async (_, change, detail) => {
    await using home = await house();
    const { published, issuer } = home.idp;
    Object.assign(published.metadata, change(issuer));
    const answer = await home.redeem();
    unavailable(answer);
    expect(answer.event?.detail).toMatch(detail);
    expect(home.idp.asked.jwks).toBe(0);
  });

  test("no metadata at all", async () => {
    await using empty = await listen(async () => new Response(null, { status: 404 }));
    await using home = await house(() => ({ customers: [{ id: "acme", issuers: [{ issuer: empty.url }] }] }));
    unavailable(await home.redeem({ assertion: await home.idJag({ iss: empty.url }) }));
  });

  test("loopback, where development is not switched on", async () => {
    await using home = await house();
    await using other = await house((base) => ({
      issuer: "https://ledger.example",
      resources: { "https://ledger.example/mcp": { scopes: { "ledger.read": "Read" } } },
      customers: base.customers,
      development: false,
    }));
    const claims = { aud: "https://ledger.example", resource: "https://ledger.example/mcp" };
    unavailable(await other.redeem({ assertion: await other.idJag(claims) }));
    expect(other.idp.asked.metadata).toBe(0);
    expect((await home.redeem()).status).toBe(200);
  });
});
