/** The scenes of the story. Each does the real thing and says what it was to show and what it showed. */
import { type Agent, AgentError, type Session } from "@credence/client";
import { callTool, connect, createAssistant, signIn, signOut } from "@credence/example-assistant";
import { openUserAgent } from "@credence/example-demo/user-agent";
import { claimLines, claimsOf, cut, type Outcome, type StepName } from "./print.ts";
import { type Stage, TOKEN_LIFETIME } from "./stage.ts";

/** One scene. */
export interface Scene {
  readonly name: StepName;
  readonly title: string;
  play(): Promise<Outcome>;
}

/** The scenes in their order; what one leaves behind, the next goes on with. */
export function createScenes(stage: Stage): readonly Scene[] {
  const { idp, ledger } = stage.places;
  const { mcp } = stage;
  const wanted = { audience: ledger, resource: mcp, scope: "ledger.read" };
  const decisions: string[] = [];
  const alice = openUserAgent(stage.alice);
  const alicesBrowser = async (url: string): Promise<void> => {
    const end = await alice.browse(url);
    if ("status" in end && end.status >= 400) throw new Error(`the browser ended at ${end.url} with ${end.status}`);
  };
  const assistant = agentOf("assistant", stage.secrets.assistant, stage.secrets.assistantAtLedger);
  const crawler = agentOf("crawler", stage.secrets.crawler, stage.secrets.crawlerAtLedger);
  let session: Session;
  let oldAccessToken = "";
  let oldIdToken = "";

  function agentOf(id: string, secret: string, secretAtLedger: string): Agent {
    return createAssistant({
      idp,
      idpClient: { id, secret },
      app: ledger,
      appClient: { id: `ledger-${id}`, secret: secretAtLedger },
      development: true,
      watch: (event) => {
        if (event.type === "id-jag") decisions.push(event.claims.jti);
      },
    });
  }

  /** The refusal of a request for an ID-JAG, and its reason from the IdP's record; or that there was none. */
  async function refusalOf(asking: Promise<unknown>): Promise<{ said: string; decisionId?: string; lines: string[] }> {
    try {
      await asking;
      return { said: "an ID-JAG", lines: [] };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const { code, decisionId = "", message } = error;
      decisions.push(decisionId);
      const record = await eventsOf(stage, "--decision", decisionId);
      const reason = record[0]?.reasons?.[0]?.id ?? "not on record";
      return {
        said: `${code}, on record as ${reason}`,
        decisionId,
        lines: [`the agent hears   ${message}`, `the record says   ${reason}`],
      };
    }
  }

  return [
    {
      name: "sign-in",
      title: "Alice signs in to the assistant, at Acme's IdP",
      async play() {
        session = await signIn(assistant, alicesBrowser);
        const { idToken } = session.signIn();
        const claims = claimsOf(idToken);
        const present = ["sid", "auth_time", "acr", "amr"].filter((name) => claims[name] !== undefined);
        return {
          expected: "an ID token for alice, with sid, auth_time, acr, amr",
          actual: `an ID token for ${claims.sub}, with ${present.join(", ")}`,
          lines: [
            "authorization code with PKCE; a scripted browser types into the real sign-in page",
            `ID token  ${cut(idToken)}`,
            ...claimLines(claims),
          ],
        };
      },
    },
    {
      name: "challenge",
      title: "The assistant calls ledger's MCP server, and is told what it takes",
      async play() {
        const response = await fetch(mcp, { method: "POST" });
        await response.body?.cancel();
        const challenge = response.headers.get("www-authenticate") ?? "none";
        const metadata = /resource_metadata="([^"]*)"/.exec(challenge)?.[1] ?? "";
        const answer = await fetch(metadata).then(
          (found) => found.json(),
          () => ({}),
        );
        const { resource, authorization_servers: servers = [] } = answer as Record<string, string> & {
          authorization_servers?: string[];
        };
        return {
          expected: `401; ${mcp} takes tokens of ${ledger}`,
          actual: `${response.status}; ${resource} takes tokens of ${servers.join(" ")}`,
          lines: [`www-authenticate  ${challenge}`],
        };
      },
    },
    {
      name: "id-jag",
      title: "It brings the ID token to the IdP; policy decides; the IdP answers with an ID-JAG",
      async play() {
        const { idJag, claims } = await session.idJag(wanted);
        const { sub, aud, client_id: client, resource, scope } = claims;
        return {
          expected: `alice, for ledger-assistant, at ${ledger}, resource ${mcp}, scope ledger.read`,
          actual: `${sub}, for ${client}, at ${aud}, resource ${resource}, scope ${scope}`,
          decisionId: claims.jti,
          lines: [`ID-JAG  ${cut(idJag)}`, ...claimLines(claims)],
        };
      },
    },
    {
      name: "redeem",
      title: "It redeems an ID-JAG at ledger's authorization server for an access token",
      async play() {
        const { accessToken, tokenType, resource, scope } = await session.token({ resource: mcp });
        oldAccessToken = accessToken;
        return {
          expected: `Bearer for ${mcp}, scope ledger.read`,
          actual: `${tokenType} for ${resource}, scope ${scope}`,
          lines: [
            `access token  ${cut(accessToken)}`,
            ...claimLines(claimsOf(accessToken)),
            "no refresh token: when this one ends, the assistant has to come back to the IdP",
          ],
        };
      },
    },
    {
      name: "call",
      title: "It calls a tool, for Alice",
      async play() {
        const text = await listEntries(session, mcp);
        return { ...countEntries(text), lines: [`list_entries  ${text}`] };
      },
    },
    {
      name: "renew",
      title: "The access token expires, and the assistant comes back to the IdP",
      async play() {
        await untilExpired(oldAccessToken);
        const refused = await fetch(mcp, { method: "POST", headers: { authorization: `Bearer ${oldAccessToken}` } });
        await refused.body?.cancel();
        const said = /error="([^"]*)"/.exec(refused.headers.get("www-authenticate") ?? "")?.[1];
        const before = decisions.length;
        const { actual } = countEntries(await listEntries(session, mcp));
        const renewed = decisions.length - before;
        return {
          expected: "old token: 401 invalid_token; new ID-JAGs: 1; ledger answered with 2 entries",
          actual: `old token: ${refused.status} ${said}; new ID-JAGs: ${renewed}; ${actual}`,
          decisionId: decisions.at(-1) ?? "",
          lines: [`ledger's access tokens live ${TOKEN_LIFETIME} s here; the policy was asked anew`],
        };
      },
    },
    {
      name: "denied",
      title: "Another agent, the crawler, asks for the same, and is denied",
      async play() {
        const crawlers = await signIn(crawler, alicesBrowser);
        const { said, ...rest } = await refusalOf(crawlers.idJag(wanted));
        return { expected: "access_denied, on record as no-connection", actual: said, ...rest };
      },
    },
    {
      name: "signed-out",
      title: "Alice signs out, and her old ID token buys nothing",
      async play() {
        oldIdToken = session.signIn().idToken;
        await signOut(session, alicesBrowser);
        const { said, ...rest } = await refusalOf(assistant.session({ idToken: oldIdToken }).idJag(wanted));
        return { expected: "invalid_grant, on record as sign-in-over", actual: said, ...rest };
      },
    },
    {
      name: "switched-off",
      title: "She signs in again; then an admin switches the connection off",
      async play() {
        session = await signIn(assistant, alicesBrowser);
        const { claims } = await session.idJag(wanted);
        const switched = await stage.credence("connection", "off", "assistant-ledger");
        if (switched.code !== 0) throw new Error(`credence connection off failed: ${switched.stderr}`);
        const { said, lines, ...rest } = await refusalOf(session.idJag(wanted));
        return {
          expected: "first an ID-JAG for alice; then access_denied, on record as connection-off",
          actual: `first an ID-JAG for ${claims.sub}; then ${said}`,
          lines: ["$ credence connection off assistant-ledger", ...lines],
          ...rest,
        };
      },
    },
    {
      name: "audit",
      title: "All of that is on record, and the record is whole",
      async play() {
        const events = await eventsOf(stage, "--limit", "1000");
        const known = new Set(events.map(({ decision_id: id }) => id));
        const found = decisions.filter((id) => known.has(id)).length;
        const verified = await stage.credence("audit", "verify");
        const shown = await stage.credence("audit", "list", "--limit", "100");
        return {
          expected: `${decisions.length} of ${decisions.length} decisions on record; audit verify: exit 0`,
          actual: `${found} of ${decisions.length} decisions on record; audit verify: exit ${verified.code}`,
          lines: ["$ credence audit list", ...shown.stdout.trimEnd().split("\n")],
        };
      },
    },
  ];
}

interface EventLine {
  readonly decision_id?: string;
  readonly reasons?: readonly { readonly id: string }[];
}

async function eventsOf(stage: Stage, ...filter: string[]): Promise<readonly EventLine[]> {
  const { code, stdout, stderr } = await stage.credence("audit", "list", "--json", ...filter);
  if (code !== 0) throw new Error(`credence audit list failed: ${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map(eventOf);
}

function eventOf(line: string): EventLine {
  try {
    return JSON.parse(line) as EventLine;
  } catch (cause) {
    throw new Error(`credence audit list --json printed what is no JSON: ${line.slice(0, 200)}`, { cause });
  }
}

/** Calls the tool over a connection of its own: the session brings tokens, discovery and renewal. */
async function listEntries(session: Session, url: string): Promise<string> {
  const client = await connect(session, url);
  try {
    return await callTool(client, "list_entries");
  } finally {
    await client.close();
  }
}

function countEntries(text: string): { expected: string; actual: string } {
  const entries: unknown = JSON.parse(text);
  const count = Array.isArray(entries) ? entries.length : 0;
  return { expected: "ledger answered with 2 entries", actual: `ledger answered with ${count} entries` };
}

async function untilExpired(accessToken: string): Promise<void> {
  const { exp } = claimsOf(accessToken);
  const seconds = Number(exp) - Date.now() / 1_000;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds * 1_000) + 100));
}
