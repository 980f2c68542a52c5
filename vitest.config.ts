import { defineConfig } from "vitest/config";

export default defineConfig({
  // Our packages run from source; the names after ours are Node's own. Vite's "module" is not among them: it finds files that
  // Node can not load. Other places for conditions do not count here.
  ssr: { resolve: { conditions: ["@credence/source", "node", "development|production"] } },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "examples/*/src/**/*.test.ts",
      "scripts/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    // Processes, not threads: tests bind ports, set signal handlers and load native modules.
    pool: "forks",
    // More would compete with the servers and browsers that the tests start.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A test that passes the second time is one to mend.
    retry: 0,
    allowOnly: process.env.CI === undefined,
    reporters: ["default"],
  },
});
