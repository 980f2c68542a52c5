/** A process that restores a sign-in from a file, has it renewed, and makes a call: `renew.testing.ts IDP APP RESOURCE FILE`. */
import { createAgent } from "../agent.ts";
import { fileTokenStore } from "../file-token-store.node.ts";
import { APP_CLIENT } from "./app.testing.ts";
import { IDP_CLIENT } from "./idp.testing.ts";

const [idp = "", app = "", resource = "", file = ""] = process.argv.slice(2);
const agent = createAgent({
  idp: { issuer: idp, client: IDP_CLIENT },
  apps: [{ issuer: app, client: APP_CLIENT }],
  development: true,
});
const session = await agent.restore({ store: fileTokenStore(file) });
const answer = await session?.fetch(`${resource}/entries`);
process.stdout.write(`${answer?.status}\n`);
