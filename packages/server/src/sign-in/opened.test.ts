import { randomBytes } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { createSealer, KEY_BYTES } from "../keys/seal.ts";
import type { Artifact } from "../store/store.ts";
import { contentOf, type Sealing } from "./artifacts.ts";
import { type OpenArtifact, rememberingOpener } from "./opened.ts";

const sealer = createSealer(randomBytes(KEY_BYTES));
const PLACE = { table: "artifacts", record: "Session:k", field: "payload" };

let opened: number;
let open: OpenArtifact;
beforeEach(() => {
  opened = 0;
  const counting: Sealing = {
    ...sealer,
    open(text, place) {
      opened += 1;
      return sealer.open(text, place);
    },
  };
  open = rememberingOpener(counting);
});

const artifact = (content: unknown, over: Partial<Artifact> = {}): Artifact => ({
  model: "Session",
  key: "k",
  payload: sealer.seal(JSON.stringify(content), PLACE),
  ...over,
});

test("what a sealed artifact holds is opened once, and is the same each time", async () => {
  const session = artifact({ accountId: "alice" });
  for (const _ of [1, 2, 3]) expect(await open({ ...session }, 0)).toEqual({ accountId: "alice" });
  expect(opened).toBe(1);
});

test("after a change it is what it is now", async () => {
  expect(await open(artifact({ accountId: "alice" }), 0)).toEqual({ accountId: "alice" });
  expect(await open(artifact({ accountId: "bob" }), 0)).toEqual({ accountId: "bob" });
});

test("its time counts each time, though it is remembered", async () => {
  const session = artifact({ accountId: "alice" }, { expiresAt: 100 });
  expect(await open(session, 99)).toEqual({ accountId: "alice" });
  expect(await open(session, 100)).toBeUndefined();
  expect(await open({ ...session, expiresAt: 50 }, 99)).toBeUndefined();
});

test("what is not there any more is nothing, though it is remembered", async () => {
  await open(artifact({}), 0);
  expect(await open(undefined, 0)).toBeUndefined();
});

test.each<[string, Partial<Artifact>]>([
  ["key", { key: "other" }],
  ["model", { model: "Grant" }],
])("a sealed text that was copied to another %s does not open there, though it is remembered", async (_, moved) => {
  const session = artifact({ accountId: "alice" });
  await open(session, 0);
  await expect(open({ ...session, ...moved }, 0)).rejects.toMatchObject({ reason: "seal-broken" });
  await expect(contentOf(sealer, { ...session, ...moved })).rejects.toMatchObject({ reason: "seal-broken" });
});

test("what does not open, or holds no object, is not remembered", async () => {
  const list = artifact(["no object"]);
  for (const _ of [1, 2]) expect(await open(list, 0)).toBeUndefined();
  for (const _ of [1, 2])
    await expect(open({ ...list, payload: "x" }, 0)).rejects.toMatchObject({ reason: "seal-broken" });
  expect(opened).toBe(4);
});
