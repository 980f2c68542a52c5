/** ID-JAGs that are bound to a client's certificate, over real TLS. */
import { Agent } from "node:https";
import { setDefaultCACertificates, type TLSSocket } from "node:tls";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { App } from "../packages/server/src/directory/types.ts";
import { type TestCa, type TestCertificate, testCa, tlsFetch } from "./certificates.testing.ts";
import { type Exchange, exchange, expectRefused, recorded } from "./exchange.testing.ts";
import { acme, type House, startHouse } from "./house.testing.ts";

let ca: TestCa;
let stranger: TestCa;
let client: TestCertificate;
let house: House;
let idToken: string;
beforeAll(async () => {
  ca = testCa("Acme CA");
  stranger = testCa("Somebody's CA");
  client = ca.issue("assistant");
  const { certificate, key } = ca.issue("idp", "server").files;
  house = await startHouse({ server: { tls: { certificate, key, clientCa: ca.files.certificate } } });
  // The agent and the browser that sign in know nothing of certificates but their platform's CAs.
  setDefaultCACertificates([ca.cert]);
  idToken = (await house.signIn(house.agent("assistant"))).signIn().idToken;
});
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  ca?.[Symbol.dispose]();
  stranger?.[Symbol.dispose]();
});
afterEach(() => house.change(acme()));

/** An exchange over a connection of its own, on which this certificate is shown. */
const showing = (shown: TestCertificate | undefined, more: Partial<Exchange> = {}) =>
  exchange(house, { subjectToken: idToken, via: tlsFetch(ca, shown), ...more });

async function thumbprint({ der }: TestCertificate) {
  const confirmation = await certificateConfirmation(Uint8Array.from(der));
  return confirmation.ok ? confirmation.value : undefined;
}

describe("an exchange on whose connection the client showed a certificate", () => {
  test("gives an ID-JAG with the certificate's x5t#S256, and the record says so", async () => {
    const answer = await showing(client);
    expect(answer.claims?.cnf).toEqual(await thumbprint(client));
    expect(answer.claims?.cnf).toHaveProperty("x5t#S256");
    expect((await recorded(house, answer))?.binding).toBe("certificate");
  });

  test("gives each certificate its own", async () => {
    const next = ca.issue("assistant");
    expect((await showing(next)).claims?.cnf).toEqual(await thumbprint(next));
    expect(await thumbprint(next)).not.toEqual(await thumbprint(client));
  });

  test("and that has a DPoP proof is bound to the key alone: x5t#S256 never stands beside jkt", async () => {
    const key = await generateDpopKey();
    expect((await showing(client, { key })).claims?.cnf).toEqual({ jkt: key.jkt });
  });

  test("with a proof for another URL is refused, whatever the certificate", async () => {
    const now = Date.now() / 1_000;
    const dpop = await createDpopProof(await generateDpopKey(), { method: "POST", url: "https://x.example/", now });
    await expectRefused(house, await showing(client, { dpop }), "invalid_dpop_proof", "dpop-url");
  });
});

describe("an exchange without a certificate that counts is not bound:", () => {
  test.each<[string, () => TestCertificate | undefined]>([
    ["none at all", () => undefined],
    ["one of somebody else's CA", () => stranger.issue("assistant")],
    ["one that signed itself", () => stranger],
    ["one for servers", () => ca.issue("assistant", "server")],
    ["one that has expired", () => ca.issue("assistant", "client", -1)],
  ])("%s", async (_, shown) => {
    const answer = await showing(shown());
    expect(answer.status).toBe(200);
    expect(answer.claims).not.toHaveProperty("cnf");
    expect(await recorded(house, answer)).not.toHaveProperty("binding");
  });

  test("one in a header that the client wrote", async () => {
    const written = `:${client.der.toString("base64")}:`;
    expect((await showing(undefined, { headers: { "client-cert": written } })).claims).not.toHaveProperty("cnf");
  });

  test("and a connection that wants bound ID-JAGs then gives none", async () => {
    const { connections } = acme();
    const bound = connections.map((one) => ({ ...one, conditions: { bound: true } }));
    await house.change({ ...acme(), connections: bound });
    await expectRefused(house, await showing(stranger), "invalid_dpop_proof", "binding-missing");
    expect((await showing(client)).claims?.cnf).toEqual(await thumbprint(client));
  });
});

describe("a TLS session that is resumed", () => {
  test.each<[string, () => TestCertificate | undefined, boolean]>([
    ["is bound to its certificate", () => client, true],
    ["counts no more than it did: one of somebody else's CA", () => stranger.issue("assistant"), false],
    ["counts no more than it did: none at all", () => undefined, false],
  ])("%s", async (_, showing, bound) => {
    const shown = showing();
    const agent = new Agent();
    const resumed: boolean[] = [];
    agent.on("keylog", (_line, socket: TLSSocket) => resumed.push(socket.isSessionReused()));
    const via = tlsFetch(ca, shown, agent);
    const answers = [
      await exchange(house, { subjectToken: idToken, via }),
      await exchange(house, { subjectToken: idToken, via }),
    ];
    expect(resumed.at(-1)).toBe(true);
    for (const { claims } of answers) {
      expect(claims).toBeDefined();
      expect(claims?.cnf).toEqual(bound && shown ? await thumbprint(shown) : undefined);
    }
  });
});

describe("a certificate is no way to authenticate", () => {
  test("an agent that shows one, and no secret, is refused", async () => {
    const answer = await showing(client, { client: { method: "none", clientId: "assistant" } });
    expect(answer.body).toMatchObject({ error: "invalid_client" });
  });

  test("a public agent stays one", async () => {
    const clients: App["clients"] = { public: "ledger-public" };
    await house.change({ ...acme(), apps: acme().apps.map((app) => ({ ...app, clients })) });
    const answer = await showing(client, { client: { method: "none", clientId: "public" } });
    expect(answer.body).toMatchObject({ error: "unauthorized_client" });
  });
});

describe("a proxy that ends TLS, and comes to the server with a certificate of its own", () => {
  test("is not the client: what it hands on counts, and its own certificate does not", async () => {
    const { certificate, key } = ca.issue("idp", "server").files;
    const proxy = ca.issue("proxy");
    const tls = { certificate, key, clientCa: ca.files.certificate };
    await using own = await startHouse({ server: { tls, clientCertHeader: true, trustedProxies: ["127.0.0.1"] } });
    const { idToken: subjectToken } = (await own.signIn(own.agent("assistant"))).signIn();
    const via = tlsFetch(ca, proxy);
    expect((await exchange(own, { subjectToken, via })).claims).not.toHaveProperty("cnf");
    const handedOn = `:${client.der.toString("base64")}:`;
    const answer = await exchange(own, { subjectToken, via, headers: { "client-cert": handedOn } });
    expect(answer.claims?.cnf).toEqual(await thumbprint(client));
  });
});
