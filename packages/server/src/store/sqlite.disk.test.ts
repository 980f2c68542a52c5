import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeArguments } from "./process.testing.ts";

/** A disk of one megabyte for one process: it goes with the process. */
function runOnSmallDisk(directory: string, script: string): string {
  const mount = `mount -t tmpfs -o size=1m,mode=700 tmpfs "$0" && exec "$@"`;
  const command = ["--map-root-user", "--mount", "sh", "-c", mount, directory, process.execPath];
  return execFileSync("unshare", [...command, ...nodeArguments(script)], { encoding: "utf8" });
}

function canMount(): boolean {
  try {
    execFileSync("unshare", ["--map-root-user", "--mount", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canMount())("a full disk", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "credence-disk-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("takes nothing that is then gone, and once there is room it takes again, with no help", () => {
    const said = runOnSmallDisk(
      directory,
      `
      import { rmSync, writeFileSync, appendFileSync } from "node:fs";
      import { join } from "node:path";
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, "open.ts"))};
      const directory = ${JSON.stringify(directory)};
      const location = { kind: "sqlite", path: join(directory, "credence.sqlite") };
      const store = await openStore(location);
      const filler = join(directory, "filler");
      writeFileSync(filler, "");
      const fill = () => { try { for (;;) appendFileSync(filler, Buffer.alloc(4096)); } catch {} };
      const payload = "x".repeat(2000);
      const kept = [];
      const failures = new Set();
      let seq = 0;
      const append = async () => {
        const row = { writer: "w", seq: seq + 1, hash: "h", payload, personal: "" };
        try {
          await store.appendAudit([row]);
          kept.push(seq += 1);
          return true;
        } catch (error) {
          failures.add(error.reason + " " + error.cause.message);
          return false;
        }
      };
      for (let n = 0; n < 3; n += 1) await append();
      fill();
      let refused = 0;
      for (let n = 0; n < 300 && refused < 3; n += 1) if (!(await append())) refused += 1;
      const readable = (await store.auditRows("w", 0, 1000)).length === kept.length;
      const ping = await store.ping().then(() => "ready", () => "not ready");
      const mark = await store.consume("jti", "one", 2000).catch((error) => error.reason);
      rmSync(filler);
      await store.ping();
      const again = await append();
      const markAgain = await store.consume("jti", "two", 2000);
      await store.close();
      const reopened = await openStore(location);
      const rows = (await reopened.auditRows("w", 0, 1000)).map(({ seq }) => seq);
      await reopened.close();
      console.log(JSON.stringify({
        refused, readable, ping, mark, again, markAgain, failures: [...failures], same: JSON.stringify(rows) === JSON.stringify(kept),
      }));
    `,
    );
    expect(JSON.parse(said)).toEqual({
      refused: 3,
      readable: true,
      ping: "not ready",
      mark: "store-unavailable",
      again: true,
      markAgain: "first",
      failures: ["store-unavailable database or disk is full"],
      same: true,
    });
  });
});
