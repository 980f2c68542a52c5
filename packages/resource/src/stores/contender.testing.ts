/**
 * A process of its own that uses a store together with others: told the store, where it is, how many keys and how many uses of each, it
 * says when it is ready, begins when it is told, and prints how often it was first for each key.
 */
import { once } from "node:events";
import { postgresqlStore } from "../postgresql.ts";
import type { ReplayStore } from "../replay.ts";
import { sqliteStore } from "../sqlite.ts";

const [kind, place = "", keys, uses] = process.argv.slice(2);
const { store, close } = await open();
await store.consume("ready", Date.now() / 1_000 + 60);
process.stdout.write("ready\n");
await once(process.stdin, "data");
const firsts: number[] = [];
for (let key = 0; key < Number(keys); key++) {
  const all = Array.from({ length: Number(uses) }, () => store.consume(`key-${key}`, Date.now() / 1_000 + 60));
  firsts.push((await Promise.all(all)).filter((use) => use === "first").length);
}
process.stdout.write(`${JSON.stringify(firsts)}\n`);
await close();
process.stdin.destroy();

async function open(): Promise<{ store: ReplayStore; close(): Promise<void> }> {
  if (kind === "sqlite") {
    const store = sqliteStore(place);
    return { store, close: async () => store.close() };
  }
  const { Pool } = (await import("pg")).default;
  const pool = new Pool({ connectionString: place, max: 5 });
  return { store: postgresqlStore(pool, { prefix: process.env.PREFIX ?? "" }), close: () => pool.end() };
}
