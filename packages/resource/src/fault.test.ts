import { CredenceError } from "@credence/protocol";
import { expect, test } from "vitest";
import { faultOf, port } from "./fault.ts";
import { storeFault } from "./stores/limits.ts";

const refused = Object.assign(new Error("connect ECONNREFUSED, password=s3cret"), { code: "ECONNREFUSED" });
const wordy = Object.assign(new Error("odd"), { code: "password is s3cret" });

test.each([
  ["which function", new Error("s3cret"), "resolveSubject failed"],
  ["what a driver's code is, and nothing that it says", refused, "resolveSubject failed: ECONNREFUSED"],
  ["no code that is a sentence", wordy, "resolveSubject failed"],
  [
    "what our own stores say of it",
    storeFault("PostgreSQL failed", refused),
    "resolveSubject failed: PostgreSQL failed: ECONNREFUSED",
  ],
  [
    "what is wrong with what it gave",
    new CredenceError("it returned no list", { code: "configuration" }),
    "resolveSubject failed: it returned no list",
  ],
  [
    "nothing that another server answered",
    new CredenceError("s3cret", { code: "invalid_grant", reason: "s3cret" }),
    "resolveSubject failed: invalid_grant",
  ],
  ["no text that was thrown", "s3cret", "resolveSubject failed"],
  ["no code that is a number", Object.assign(new Error("s3cret"), { code: 401 }), "resolveSubject failed"],
  [
    "what is wrong, and what that comes from",
    new CredenceError("no lists", {
      code: "configuration",
      cause: new CredenceError("a text", { code: "configuration" }),
    }),
    "resolveSubject failed: no lists: a text",
  ],
])("the record is told %s", async (_, thrown, detail) => {
  const failing = port("internal-fault", "resolveSubject", () => Promise.reject(thrown));
  const fault = faultOf(await failing().catch((error: unknown) => error));
  expect(fault).toEqual({ refusal: { reason: "internal-fault", detail }, cause: thrown });
});

test("of a function that threw nothing, the record is told which it was", async () => {
  const failing = port("internal-fault", "resolveSubject", () => Promise.reject(undefined));
  const fault = await failing().catch((error: unknown) => error);
  expect(faultOf(fault)).toEqual({
    refusal: { reason: "internal-fault", detail: "resolveSubject failed" },
    cause: fault,
  });
});

test.each<[string, unknown, string | undefined]>([
  ["what is configured wrongly", new CredenceError("no claims", { code: "configuration" }), "no claims"],
  [
    "what that comes from, too",
    new CredenceError("no claims", { code: "configuration", cause: refused }),
    "no claims: ECONNREFUSED",
  ],
  ["nothing of what is nobody's", new Error("s3cret"), undefined],
  ["nothing where nothing was thrown", undefined, undefined],
  ["nothing where null was", null, undefined],
])("of what no function of the app threw, the record is told %s", (_, thrown, detail) => {
  const refusal = { reason: "internal-fault", ...(detail === undefined ? {} : { detail }) };
  expect(faultOf(thrown)).toEqual({ refusal, cause: thrown });
});
