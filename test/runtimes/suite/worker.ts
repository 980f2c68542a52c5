/** Runs the suite in a worker, and answers how it ended. */
import { runCases } from "./case.ts";
import { web } from "./web.ts";

export default {
  fetch: async (): Promise<Response> => Response.json({ outcomes: await runCases(web) }),
};
