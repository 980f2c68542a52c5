/** An agent whose id is the URL of its own document, served by our helper, at our IdP. */
import { clientDocument, createAgent, generateSigningKey, importSigner } from "@credence/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer, type TestServer } from "../../packages/client/src/testing/http.testing.ts";
import { acme, CALLBACK, type House, startHouse } from "../house.testing.ts";

const LEDGER = "https://ledger.example";
const { privateJwk, publicJwk } = await generateSigningKey("ES256");

let house: House;
let site: TestServer;
let clientId: string;
beforeAll(async () => {
  site = await startServer(() => new Response(null, { status: 503 }));
  clientId = `${site.origin}/oauth/client.json`;
  const serve = clientDocument({
    clientId,
    name: "Document agent",
    redirectUris: [CALLBACK],
    keys: { jwks: [publicJwk] },
  });
  site.handler = (request) => serve(request) ?? new Response(null, { status: 404 });
  house = await startHouse();
  const organization = acme();
  const [like] = organization.agents;
  const [connection] = organization.connections;
  if (!like || !connection) throw new Error("Acme has nobody to copy");
  await house.change({
    ...organization,
    agents: [{ ...like, id: clientId, name: "Document agent", auth: { method: "client_id_metadata_document" } }],
    apps: organization.apps.map((app) => ({ ...app, clients: { [clientId]: "ledger-document" } })),
    connections: [{ ...connection, agent: clientId }],
  });
});
afterAll(async () => {
  await site.close();
  await house[Symbol.asyncDispose]();
});

test("an agent that serves its document signs people in and gets ID-JAGs, by the key in it", async () => {
  const method = "private_key_jwt";
  const agent = createAgent({
    idp: { issuer: house.issuer, client: { method, clientId, signer: await importSigner(privateJwk) } },
    apps: [{ issuer: LEDGER, client: { method: "none", clientId: "ledger-document" } }],
    development: true,
  });
  const session = await house.signIn(agent);
  const { claims } = await session.idJag({ audience: LEDGER, resource: `${LEDGER}/mcp` });
  expect(claims).toMatchObject({ iss: house.issuer, aud: LEDGER, client_id: "ledger-document" });
  expect(site.seen.map(({ url }) => url)).toContain(clientId);
});
