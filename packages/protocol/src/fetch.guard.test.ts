import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { CredenceError } from "./errors.ts";
import { checkUrl, type FetchGuardOptions, guardedFetch } from "./fetch.ts";

const URL_ASKED = "https://a.example/x/y?secret=1";

/** A guarded fetch over an answer that needs no server. */
function answering(response: () => Response | Promise<Response>, options: FetchGuardOptions = {}) {
  return guardedFetch({ fetch: async () => response(), ...options });
}

async function failureOf(run: () => unknown): Promise<CredenceError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof CredenceError) return error;
    throw error;
  }
  throw new Error("It did not fail");
}

describe("a URL that is refused says which and why, and how it is told apart", () => {
  test.each([
    ["https://user@a.example/", "url-credentials", "credentials"],
    ["https://:pass@a.example/", "url-credentials", "credentials"],
    ["https://10.1.2.3/", "address-private", "10.1.2.3 is a private address"],
    ["https://127.0.0.1/", "address-loopback", "127.0.0.1 is this machine itself"],
    ["no URL", "url-malformed", "not an absolute URL"],
  ])("%s: %s", async (url, reason, why) => {
    expect(await failureOf(() => checkUrl(url))).toMatchObject({ code: "fetch_refused", reason });
    expect((await failureOf(() => checkUrl(url))).message).toContain(why);
  });

  test("is refused before anything is sent", async () => {
    let sent = false;
    const fetch = answering(() => {
      sent = true;
      return new Response("");
    });
    expect(await failureOf(() => fetch("http://a.example/"))).toMatchObject({ reason: "url-scheme" });
    expect(sent).toBe(false);
  });

  test("on this machine is refused, unless the switch is set, by the guarded fetch too", async () => {
    const fetch = answering(() => new Response("reached"));
    expect(await failureOf(() => fetch("http://127.0.0.1/"))).toMatchObject({ reason: "address-loopback" });
    const developing = answering(() => new Response("reached"), { allowLoopback: true });
    expect((await developing("http://127.0.0.1/")).text).toBe("reached");
    // The switch is for this machine: a name out there still needs https, and so does every other scheme.
    expect(await failureOf(() => checkUrl("ftp://127.0.0.1/", true))).toMatchObject({ reason: "url-scheme" });
  });
});

describe("an answer", () => {
  test.each([300, 301, 308, 399])("with status %d is a redirect, and refused", async (status) => {
    const failure = await failureOf(() => answering(() => new Response(null, { status }))(URL_ASKED));
    expect(failure).toMatchObject({ code: "fetch_refused", reason: "redirect" });
    expect(failure.message).toContain("https://a.example answered with a redirect");
  });

  test.each([200, 299, 400, 404, 500])("with status %d is read", async (status) => {
    expect((await answering(() => new Response("x", { status }))(URL_ASKED)).status).toBe(status);
  });

  test("that a browser or a worker hides because it redirects is refused", async () => {
    const hidden = Object.defineProperty(new Response(null), "type", { value: "opaqueredirect" });
    expect(await failureOf(() => answering(() => hidden)(URL_ASKED))).toMatchObject({ reason: "redirect" });
  });

  test("is asked for without following redirects", async () => {
    const modes: unknown[] = [];
    const fetch = guardedFetch({
      fetch: async (_, init) => {
        modes.push(init?.redirect);
        return new Response("");
      },
    });
    await fetch(URL_ASKED, { redirect: "follow" });
    expect(modes).toEqual(["manual"]);
  });

  test("of exactly as many bytes as allowed is read, and one byte more is refused, with the bound", async () => {
    const of = (length: number) => answering(() => new Response("x".repeat(length)), { maxBytes: 10 })(URL_ASKED);
    expect((await of(10)).text).toHaveLength(10);
    const failure = await failureOf(() => of(11));
    expect(failure).toMatchObject({ code: "fetch_refused", reason: "too-large" });
    expect(failure.message).toContain("more than 10 bytes");
  });

  test("that is not UTF-8, or not JSON, names the place without its query", async () => {
    const odd = await failureOf(() => answering(() => new Response(new Uint8Array([0xff])))(URL_ASKED));
    expect(odd).toMatchObject({ code: "response_invalid", reason: "not-utf-8", status: 200 });
    const page = await answering(() => new Response("<html>", { status: 502 }))(URL_ASKED);
    const failure = await failureOf(() => page.json());
    expect(failure).toMatchObject({ code: "response_invalid", reason: "not-json", status: 502 });
    expect(failure.message).toBe("https://a.example/x/y answered with something that is not JSON");
    expect(failure.cause).toBeInstanceOf(SyntaxError);
  });
});

describe("a failure to reach a server", () => {
  const failing = (cause: unknown) => failureOf(() => answering(() => Promise.reject(cause))(URL_ASKED));
  const coded = (code: unknown, cause?: unknown) => Object.assign(new Error("down", { cause }), { code });
  const nested = (depth: number, innermost: Error): Error =>
    depth === 0 ? innermost : new Error("around", { cause: nested(depth - 1, innermost) });

  test.each<[string, unknown, string]>([
    ["what the system says", coded("ENOTFOUND"), " (ENOTFOUND)"],
    ["what it says within the runtime's own error", nested(3, coded("ECONNRESET")), " (ECONNRESET)"],
    ["nothing that lies deeper than four errors", nested(4, coded("ECONNRESET")), ""],
    ["no code that is not a system's: it could be anything", coded("Bearer eyJ"), ""],
    ["no code with something before it", coded("?ENOTFOUND"), ""],
    ["no code with something behind it", coded("ENOTFOUND secret"), ""],
    ["no code that is a number", coded(500), ""],
    ["nothing where what was thrown is no error", { code: "ENOTFOUND" }, ""],
  ])("tells %s", async (_, cause, told) => {
    const failure = await failing(cause);
    expect(failure.message).toBe(`https://a.example could not be reached${told}`);
    expect(failure).toMatchObject({ code: "network", reason: "unreachable", cause });
  });

  test("passes on what our own fetch refused, also from within the runtime's error", async () => {
    const refusal = new CredenceError("The URL is not fetched.", { code: "fetch_refused", reason: "address-private" });
    expect(await failing(refusal)).toBe(refusal);
    expect(await failing(new TypeError("fetch failed", { cause: refusal }))).toBe(refusal);
  });
});

describe("the time for an answer", () => {
  /** Answers never, and fails as a fetch does when its signal is aborted. */
  const never: typeof globalThis.fetch = (_, init) =>
    new Promise((_resolve, reject) => {
      const signal = init?.signal;
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });

  test("is over after the seconds allowed, and said so", async () => {
    const failure = await failureOf(() => guardedFetch({ fetch: never, timeout: 0.02 })(URL_ASKED));
    expect(failure).toMatchObject({ code: "network", reason: "timeout" });
    expect(failure.message).toBe("https://a.example did not answer in time");
  });

  test("ends when the caller gives up, before or while it waits, with the caller's reason", async () => {
    const fetch = guardedFetch({ fetch: never, timeout: 30 });
    const why = new Error("not wanted any more");
    expect((await failureOf(() => fetch(URL_ASKED, { signal: AbortSignal.abort(why) }))).cause).toBe(why);
    const controller = new AbortController();
    const waiting = failureOf(() => fetch(URL_ASKED, { signal: controller.signal }));
    controller.abort(why);
    expect((await waiting).cause).toBe(why);
  });

  test("leaves nothing behind: no timer, and nobody who listens to the caller", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const { signal } = new AbortController();
    await answering(() => new Response("x"), { timeout: 600 })(URL_ASKED, { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(timers()).toBe(before);
  });
});
