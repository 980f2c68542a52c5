import { DEFAULT_LIMITS } from "../http/limits.ts";
import { type Listener, listen } from "../http/listener.ts";
import { securityHeaders } from "../http/secure-headers.ts";
import { readTlsFiles } from "../http/tls-files.ts";
import { describeError } from "../log.ts";
import { type Answered, observeAnswers } from "../operations/answers.ts";
import { createHealth, type Health, withHealth } from "../operations/health.ts";
import { basePath } from "../sign-in/paths.ts";
import type { Closers } from "./closers.ts";
import { createHandler, firstSigner } from "./handler.ts";
import type { House } from "./house.ts";
import type { ServerOptions } from "./options.ts";

/** The listener for everybody, and what it says of this process. */
export interface Front extends Pick<Listener, "url" | "port"> {
  readonly health: Health;
  /** Says that it ends, then takes nobody new, and closes. @param seconds - See {@link Listener.close}. */
  drain(seconds: number): Promise<void>;
}

/** @param shared - Whether other processes of this server listen at the same address. */
export async function openFront(
  options: ServerOptions,
  house: House,
  closers: Closers,
  shared: boolean = false,
): Promise<Front> {
  const { issuer, host, port, tls } = options;
  const health = createHealth(
    { store: () => house.store.ping(), keys: async () => firstSigner(house.keyring.signingKeys("idp")) },
    tellChange(options),
  );
  const handler = withHealth(health, basePath(issuer), createHandler(options, house));
  const traced = house.traces?.handler(handler) ?? handler;
  const listener = await listen({
    host,
    port,
    handler: observeAnswers(traced, issuer, answerObservers(options, house)),
    shared,
    connections: {
      ...DEFAULT_LIMITS,
      ...options.limits,
      trustedProxies: options.trustedProxies ?? [],
      headers: securityHeaders(issuer),
    },
    ...(tls === undefined ? {} : { tls: readTlsFiles(tls) }),
  });
  closers.push(() => listener.close());
  return {
    url: listener.url,
    port: listener.port,
    health,
    async drain(seconds) {
      health.drain();
      await listener.close(seconds);
    },
  };
}

/** Tells the log which part of a process no longer works, and which works again. */
export function tellChange({ log }: ServerOptions): (part: string, failure: unknown) => void {
  return (part, failure) => {
    if (failure === undefined) log.info({ part }, "works again; this process is ready for requests if all else is");
    else log.error({ part, ...describeError(failure) }, "does not work: this process is not ready for requests");
  };
}

/** Of requests the log says what was asked for and what came of it, and nothing that somebody sent. */
function answerObservers({ log }: ServerOptions, { metrics }: House): ((answered: Answered) => void)[] {
  const logged = ({ endpoint, status, seconds }: Answered): void =>
    log.debug({ endpoint, status, ms: Math.round(seconds * 1e5) / 100 }, "request");
  return [
    ...(metrics === undefined ? [] : [(answered: Answered) => metrics.answered(answered)]),
    ...(log.isLevelEnabled("debug") ? [logged] : []),
  ];
}
