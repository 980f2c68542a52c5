/** ID-JAGs that are bound to a key or a certificate, over real HTTP. */
import { generateKeyPairSync } from "node:crypto";
import type { Session } from "@credence/client";
import { createDpopProof, generateDpopKey } from "@credence/protocol/dpop";
import { certificateConfirmation } from "@credence/protocol/mtls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Organization } from "../packages/server/src/directory/types.ts";
import { exchange, expectRefused, recorded } from "./exchange.testing.ts";
import { acme, type House, SECRETS, startHouse } from "./house.testing.ts";

const key = await generateDpopKey();
const other = await generateDpopKey();
const certificate = new Uint8Array([
  0x30,
  0x82,
  ...generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "der" }),
]);
const certHeader = `:${Buffer.from(certificate).toString("base64")}:`;

let house: House;
let alice: Session;
let idToken: string;
beforeAll(async () => {
  house = await startHouse();
  alice = await house.signIn(house.agent("assistant"));
  idToken = alice.signIn().idToken;
});
afterAll(() => house[Symbol.asyncDispose]());
afterEach(() => house.change(acme()));

const agents = (change: (agent: Organization["agents"][number]) => Organization["agents"][number]): Organization => ({
  ...acme(),
  agents: acme().agents.map(change),
});
const proofAt = (url: string, more: { method?: string; now?: number } = {}) =>
  createDpopProof(key, { method: "POST", url, now: Date.now() / 1_000, ...more });

describe("an exchange with a DPoP proof", () => {
  test("gives an ID-JAG for its key, and the record says so", async () => {
    const answer = await exchange(house, { subjectToken: idToken, key });
    expect(answer.claims?.cnf).toEqual({ jkt: key.jkt });
    expect((await recorded(house, answer))?.binding).toBe("dpop");
  });

  test("is announced in the metadata", async () => {
    const metadata = await (await fetch(`${house.issuer}/.well-known/openid-configuration`)).json();
    expect(metadata.dpop_signing_alg_values_supported).toEqual(["ES256", "ES384", "RS256", "PS256", "EdDSA"]);
  });

  test.each<[string, () => Promise<string>, string]>([
    ["for the endpoint next door", () => proofAt(`${house.issuer}/authorize`), "dpop-url"],
    ["for another server", () => proofAt("https://ledger.example/token"), "dpop-url"],
    ["for another method", () => proofAt(`${house.issuer}/token`, { method: "GET" }), "dpop-method"],
    ["five minutes old", () => proofAt(`${house.issuer}/token`, { now: Date.now() / 1_000 - 300 }), "dpop-time"],
    ["of five minutes ahead", () => proofAt(`${house.issuer}/token`, { now: Date.now() / 1_000 + 300 }), "dpop-time"],
  ])("%s is refused", async (_, proof, reason) => {
    await expectRefused(
      house,
      await exchange(house, { subjectToken: idToken, dpop: await proof() }),
      "invalid_dpop_proof",
      reason,
    );
  });

  test("from a clock that is wrong says so on record", async () => {
    const proof = await proofAt(`${house.issuer}/token`, { now: Date.now() / 1_000 + 300 });
    const event = await recorded(house, await exchange(house, { subjectToken: idToken, dpop: proof }));
    expect(event?.reasons?.[0]?.detail).toContain("clock");
  });

  test("counts once, whoever is first of a hundred", async () => {
    const dpop = await proofAt(`${house.issuer}/token`);
    const all = await Promise.all(Array.from({ length: 100 }, () => exchange(house, { subjectToken: idToken, dpop })));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(all.filter(({ body }) => body.error === "invalid_dpop_proof")).toHaveLength(99);
  });
});

describe("a DPoP proof at the token endpoint", () => {
  const refresh = (dpop: string) =>
    fetch(`${house.issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`assistant:${SECRETS.assistant}`)}`, dpop },
      body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: alice.signIn().refreshToken ?? "" }),
    }).then(async (response) => ({ status: response.status, body: await response.json() }));

  test("counts once for all grants: used at a refresh, it is used up for the exchange, and the other way round", async () => {
    alice = await house.signIn(house.agent("assistant"));
    const first = await proofAt(`${house.issuer}/token`);
    expect((await exchange(house, { subjectToken: idToken, dpop: first })).status).toBe(200);
    expect((await refresh(first)).body).toMatchObject({ error: "invalid_grant" });
    const second = await proofAt(`${house.issuer}/token`);
    expect((await refresh(second)).status).toBe(200);
    const again = await exchange(house, { subjectToken: idToken, dpop: second });
    await expectRefused(house, again, "invalid_dpop_proof", "dpop-replayed");
  });

  test.each([300, -300])("of %d seconds away is refused at a refresh as at the exchange", async (off) => {
    alice = await house.signIn(house.agent("assistant"));
    const { body } = await refresh(await proofAt(`${house.issuer}/token`, { now: Date.now() / 1_000 + off }));
    expect(body).toMatchObject({ error: "invalid_dpop_proof" });
  });
});

describe("a connection that wants bound ID-JAGs", () => {
  const bound = () => {
    const [first, ...others] = acme().connections;
    return first ? [{ ...first, conditions: { bound: true } }, ...others] : [];
  };

  test("gives none without a proof, and one with it", async () => {
    await house.change({ ...acme(), connections: bound() });
    await expectRefused(
      house,
      await exchange(house, { subjectToken: idToken }),
      "invalid_dpop_proof",
      "binding-missing",
    );
    expect((await exchange(house, { subjectToken: idToken, key })).claims?.cnf).toEqual({ jkt: key.jkt });
  });
});

describe("an agent that is DPoP-bound", () => {
  test("is refused without a proof", async () => {
    await house.change(agents((agent) => ({ ...agent, dpopBound: true })));
    const answer = await exchange(house, { subjectToken: idToken });
    expect(answer.body).toMatchObject({ error: "invalid_dpop_proof" });
  });

  test("may be public: it exchanges with its key, and with nothing else", async () => {
    const form = { method: "none", clientId: "public" } as const;
    const reaching = {
      ...acme(),
      agents: acme().agents.map((agent) => (agent.id === "public" ? { ...agent, dpopBound: true } : agent)),
      apps: acme().apps.map((app) => ({ ...app, clients: { ...app.clients, public: "ledger-public" } })),
      connections: acme().connections.map((one) => ({ ...one, id: `p-${one.id}`, agent: "public" })),
    };
    await house.change(reaching);
    const session = await house.signIn(house.publicAgent("public", key));
    const { idToken: token } = session.signIn();
    const good = await exchange(house, { subjectToken: token, client: form, key });
    expect(good.claims).toMatchObject({ client_id: "ledger-public", cnf: { jkt: key.jkt } });
    expect((await exchange(house, { subjectToken: token, client: form })).body).toMatchObject({
      error: "unauthorized_client",
    });
    await house.change({ ...reaching, agents: acme().agents });
    const unmarked = await exchange(house, { subjectToken: token, client: form, key });
    expect(unmarked.body).toMatchObject({ error: "unauthorized_client" });
  });
});

describe("a server with nonces", () => {
  test("asks for one at the exchange and at sign-in, and takes it at both", async () => {
    await using own = await startHouse({ server: { dpopNonces: true } });
    const session = await own.signIn(own.agent("assistant"));
    const { idToken: token } = session.signIn();
    const first = await exchange(own, { subjectToken: token, key });
    expect([first.status, first.body.error]).toEqual([400, "use_dpop_nonce"]);
    const nonce = first.headers.get("dpop-nonce") ?? "";
    expect((await exchange(own, { subjectToken: token, key, nonce })).claims?.cnf).toEqual({ jkt: key.jkt });
    expect((await exchange(own, { subjectToken: token, key, nonce: "made-up" })).body.error).toBe("use_dpop_nonce");
    // One nonce counts at both: to a client they are one endpoint.
    const refresh = async (nonce?: string) =>
      fetch(`${own.issuer}/token`, {
        method: "POST",
        headers: {
          authorization: `Basic ${btoa(`assistant:${SECRETS.assistant}`)}`,
          dpop: await createDpopProof(key, {
            method: "POST",
            url: `${own.issuer}/token`,
            now: Date.now() / 1_000,
            nonce,
          }),
        },
        body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: session.signIn().refreshToken ?? "" }),
      });
    const asked = await refresh();
    expect([asked.status, await asked.json()]).toMatchObject([400, { error: "use_dpop_nonce" }]);
    const given = asked.headers.get("dpop-nonce") ?? "";
    expect((await exchange(own, { subjectToken: token, key, nonce: given })).status).toBe(200);
    expect((await refresh(nonce)).status).toBe(200);
  });
});

describe("a client certificate", () => {
  test("that a trusted proxy hands on binds the ID-JAG", async () => {
    await using own = await startHouse({ server: { clientCertHeader: true, trustedProxies: ["127.0.0.1"] } });
    const { idToken: token } = (await own.signIn(own.agent("assistant"))).signIn();
    const expected = await certificateConfirmation(certificate);
    const answer = await exchange(own, { subjectToken: token, headers: { "client-cert": certHeader } });
    expect(answer.claims?.cnf).toEqual(expected.ok ? expected.value : undefined);
    expect((await recorded(own, answer))?.binding).toBe("certificate");
    const both = await exchange(own, { subjectToken: token, key: other, headers: { "client-cert": certHeader } });
    expect(both.claims?.cnf).toEqual({ jkt: other.jkt });
    const broken = await exchange(own, { subjectToken: token, headers: { "client-cert": ":AAAA:" } });
    expect(broken.body).toMatchObject({ error: "invalid_request" });
  });

  test("that a client writes into the header itself binds nothing", async () => {
    const byItself = [{}, { clientCertHeader: true }, { clientCertHeader: true, trustedProxies: ["10.0.0.1"] }];
    // A proxy that is trusted for addresses alone may pass on what the client wrote.
    for (const server of [...byItself, { trustedProxies: ["127.0.0.1"] }]) {
      await using own = await startHouse({ server });
      const { idToken: token } = (await own.signIn(own.agent("assistant"))).signIn();
      const answer = await exchange(own, { subjectToken: token, headers: { "client-cert": certHeader } });
      expect(answer.status).toBe(200);
      expect(answer.claims).not.toHaveProperty("cnf");
    }
  });
});
