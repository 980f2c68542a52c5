/** What the standards ask of a client, where no other test looks: against small servers, over real HTTP. */
import { buildClientMetadata } from "@credence/protocol/metadata";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { APP_CLIENT } from "../../packages/client/src/testing/app.testing.ts";
import { startServer, type TestServer } from "../../packages/client/src/testing/http.testing.ts";
import { IDP_CLIENT } from "../../packages/client/src/testing/idp.testing.ts";
import { failure, startWorld, type World, walk } from "../../packages/client/src/testing/world.testing.ts";

const redirectUri = "http://127.0.0.1/callback";

let world: World;
const more: TestServer[] = [];
beforeEach(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await Promise.all([world.close(), ...more.splice(0).map((server) => server.close())]);
});

/** Everything that the agent asked of any server. */
const asked = () => [world.idp.server, world.app.as, world.app.api].flatMap(({ seen }) => seen);

test("no ID-JAG, token or secret stands in a URL that the agent asks for", async () => {
  const secrets = new Set([IDP_CLIENT.clientSecret, APP_CLIENT.clientSecret]);
  const session = await world.signIn();
  await session.fetch(world.url);
  world.clock.seconds += 3_600;
  await session.fetch(`${world.url}?page=2`);
  for (const { idToken, refreshToken } of [session.signIn()])
    for (const one of [idToken, refreshToken]) if (one) secrets.add(one);
  for (const token of world.app.issued.keys()) secrets.add(token);
  for (const { body } of asked()) {
    const form = new URLSearchParams(body);
    for (const name of ["assertion", "subject_token", "refresh_token"])
      if (form.get(name)) secrets.add(form.get(name) ?? "");
  }
  // Two sign-ins' worth of tokens, two ID-JAGs, two access tokens, two secrets: the test sees what it claims to see.
  expect(secrets.size).toBeGreaterThanOrEqual(9);
  const urls = asked().map(({ url }) => decodeURIComponent(url));
  expect(urls.length).toBeGreaterThanOrEqual(10);
  for (const secret of secrets) expect(urls.filter((url) => url.includes(secret))).toEqual([]);
});

describe("the answer to an authorization request", () => {
  test("that is an error in another server's name is not taken for the IdP's own", async () => {
    const started = await world.agent().startSignIn({ redirectUri });
    const back = new URL(await walk(started.url));
    const state = back.searchParams.get("state") ?? "";
    const said = (iss: string) => `${redirectUri}?${new URLSearchParams({ error: "access_denied", state, iss })}`;
    expect((await failure(started.finish(said("https://evil.example")))).code).toBe("response_invalid");
    expect((await failure(started.finish(said(world.idp.issuer)))).code).toBe("access_denied");
  });

  test.each<[string, (issuer: string) => string]>([
    ["a slash more", (issuer) => `${issuer}/`],
    ["its scheme in capitals", (issuer) => issuer.replace("http", "HTTP")],
    ["a path of its own", (issuer) => `${issuer}/tenant`],
  ])("that names the issuer with %s is refused: they are compared letter by letter", async (_, change) => {
    const started = await world.agent().startSignIn({ redirectUri });
    const back = new URL(await walk(started.url));
    back.searchParams.set("iss", change(world.idp.issuer));
    expect((await failure(started.finish(back))).code).toBe("response_invalid");
    expect(world.idp.counts.code).toBe(0);
  });

  test("with two issuers in it is refused, whichever stands first", async () => {
    for (const first of [true, false]) {
      const started = await world.agent().startSignIn({ redirectUri });
      const back = new URL(await walk(started.url));
      const own = back.searchParams.get("iss") ?? "";
      back.searchParams.delete("iss");
      for (const iss of first ? [own, "https://evil.example"] : ["https://evil.example", own])
        back.searchParams.append("iss", iss);
      await failure(started.finish(back));
    }
    expect(world.idp.counts.code).toBe(0);
  });

  test("of an IdP that does not say that it names itself may name the right issuer, and no other", async () => {
    world.idp.metadata = { authorization_response_iss_parameter_supported: undefined };
    const finish = async (iss: string | undefined) => {
      const started = await world.agent().startSignIn({ redirectUri });
      const back = new URL(await walk(started.url));
      if (iss === undefined) back.searchParams.delete("iss");
      else back.searchParams.set("iss", iss);
      return started.finish(back);
    };
    await finish(world.idp.issuer);
    await finish(undefined);
    expect((await failure(finish("https://evil.example"))).code).toBe("response_invalid");
  });
});

describe("a client that shows a certificate", () => {
  const x5t = "A".repeat(43);

  /** Both servers have a second token endpoint, for such clients. */
  async function withAliases(): Promise<{ idp: TestServer; app: TestServer }> {
    const idp = await startServer((request) => world.idp.server.handler(request));
    const app = await startServer((request) => world.app.as.handler(request));
    more.push(idp, app);
    world.idp.metadata = { mtls_endpoint_aliases: { token_endpoint: `${idp.origin}/token` } };
    world.app.asMetadata = { mtls_endpoint_aliases: { token_endpoint: `${app.origin}/token` } };
    world.idp.claims = { cnf: { "x5t#S256": x5t } };
    return { idp, app };
  }
  const grants = (server: TestServer) =>
    server.seen
      .filter(({ method }) => method === "POST")
      .map(({ body }) => new URLSearchParams(body).get("grant_type"));

  test("uses the aliases of token endpoints that servers have for it, from the sign-in on", async () => {
    const { idp, app } = await withAliases();
    const session = await world.signIn(world.agent({ certificateThumbprint: x5t }));
    world.clock.seconds += 700;
    expect((await session.fetch(world.url)).status).toBe(200);
    const exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    expect(grants(idp)).toEqual(["authorization_code", "refresh_token", exchange]);
    expect(grants(app)).toEqual(["urn:ietf:params:oauth:grant-type:jwt-bearer"]);
    expect([...grants(world.idp.server), ...grants(world.app.as)]).toEqual([]);
  });

  test("uses the endpoints of all where there are no aliases, and so does every other client", async () => {
    const { idp, app } = await withAliases();
    world.idp.claims = {};
    expect((await (await world.signIn()).fetch(world.url)).status).toBe(200);
    expect([...grants(idp), ...grants(app)]).toEqual([]);
    [world.idp.metadata, world.app.asMetadata] = [{}, {}];
    world.idp.claims = { cnf: { "x5t#S256": x5t } };
    const session = await world.signIn(world.agent({ certificateThumbprint: x5t }));
    expect((await session.fetch(world.url)).status).toBe(200);
  });

  test.each([["a text"], [{ token_endpoint: "/token" }], [null]])(
    "takes no metadata whose aliases are %j",
    async (aliases) => {
      world.app.asMetadata = { mtls_endpoint_aliases: aliases };
      expect(await failure((await world.session()).fetch(world.url))).toMatchObject({
        code: "response_invalid",
        reason: "metadata-mtls-endpoint-aliases",
      });
    },
  );
});

test("an agent's own document names the ID-JAG's profile, alone, and with it both grants", () => {
  const document = buildClientMetadata({ clientId: "https://agent.example/client", name: "Agent", redirectUris: [] });
  expect(document.authorization_grant_profiles_supported).toEqual(["urn:ietf:params:oauth:grant-profile:id-jag"]);
  expect(document.grant_types).toEqual(
    expect.arrayContaining([
      "urn:ietf:params:oauth:grant-type:token-exchange",
      "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ]),
  );
});

describe("a resource's metadata and challenge", () => {
  test("may have members that nobody knows, and signed metadata, which counts for nothing", async () => {
    const signed = { authorization_servers: ["https://evil.example"], iss: "https://evil.example" };
    world.app.resourceMetadata = {
      "resource_name#de": "Das Hauptbuch",
      signed_metadata: `e30.${btoa(JSON.stringify(signed)).replaceAll("=", "")}.AAAA`,
      something_new: { of: ["nobody"] },
    };
    world.app.challenge = { something_new: "x" };
    expect((await (await world.session()).fetch(world.url)).status).toBe(200);
  });

  test("is asked for with GET", async () => {
    await (await world.session()).fetch(world.url);
    const documents = asked().filter(({ url }) => url.includes("/.well-known/"));
    expect(documents.length).toBeGreaterThanOrEqual(3);
    expect(documents.every(({ method }) => method === "GET")).toBe(true);
  });
});
