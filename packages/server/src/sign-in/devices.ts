import { type ArtifactPorts, hashed, openArtifact, putSealed } from "./artifacts.ts";

/** From where a session was used last, as far as the browser says: for its owner to recognize it by. */
export interface Device {
  /** `Firefox on Windows`; empty where nothing is known. */
  readonly browser: string;
  readonly source: string;
  /** Seconds since the epoch. */
  readonly lastUsed: number;
}

const MODEL = "SessionDevice";
const USER_AGENT_MAX = 400;

/** Notes from where a session is used. */
export async function noteDevice(
  ports: ArtifactPorts,
  session: { readonly uid: string; readonly exp: number },
  { userAgent, source }: { readonly userAgent: string; readonly source: string },
): Promise<void> {
  const place = { model: MODEL, key: hashed(session.uid), expiresAt: session.exp };
  const browser = browserOf(userAgent.slice(0, USER_AGENT_MAX));
  await putSealed(ports, place, { browser, source, lastUsed: ports.now() } satisfies Device);
}

/** From where a session was used. @param session - Its hashed uid. */
export async function deviceOf(ports: ArtifactPorts, session: string): Promise<Device | undefined> {
  const device = await openArtifact(ports, await ports.store.artifact(MODEL, session), ports.now());
  if (typeof device?.browser !== "string" || typeof device.source !== "string") return undefined;
  if (typeof device.lastUsed !== "number") return undefined;
  return { browser: device.browser, source: device.source, lastUsed: device.lastUsed };
}

// The first that fits: each browser says that it is those below it, too.
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:HeadlessChrome|Chrome|CriOS)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\bAndroid\b/, "Android"],
  [/\biPhone\b/, "an iPhone"],
  [/\biPad\b/, "an iPad"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "a Mac"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

/** A browser in words. Nothing of the header itself is kept: anybody may write anything there. */
export function browserOf(userAgent: string): string {
  const first = (names: typeof BROWSERS) => names.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [browser, system] = [first(BROWSERS), first(SYSTEMS)];
  if (browser === undefined) return system === undefined ? "" : `A browser on ${system}`;
  return system === undefined ? browser : `${browser} on ${system}`;
}
