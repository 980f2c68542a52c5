import { CredenceError } from "@credence/protocol";
import { guardedFetch } from "@credence/protocol/fetch";
import { systemTime } from "../clock.ts";
import { webCrypto } from "../crypto.ts";
import { port } from "../fault.ts";
import { issuerKeys } from "../issuer-keys/issuer-keys.ts";
import type { GrantOptions, LivenessInput, Narrowed } from "../options.ts";
import { STORE_CLOCK_MARGIN, storeKeys } from "../replay.ts";
import { isUnrevoked } from "../revocation.ts";
import { namedStore, type ResourceStore } from "../store.ts";
import { trustFinder } from "./customers.ts";
import type { GrantPorts } from "./redeem.ts";
import type { Account, AccountPorts } from "./subject.ts";

/** Binds the checks of ID-JAGs to an app's options and store: what fails says which of them it was. */
export function grantPorts<A extends Account>(options: GrantOptions<A>, kept: ResourceStore): GrantPorts<A> {
  const store = namedStore(kept);
  const { issuer, now: clock = systemTime, narrow, crypto = webCrypto } = options;
  const storeKeyOf = storeKeys(crypto);
  // Times in tokens are whole seconds, whatever clock is given.
  const now = (): number => Math.floor(clock());
  const fetch = guardedFetch({
    ...(options.fetch ? { fetch: options.fetch } : {}),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    allowLoopback: options.development ?? false,
  });
  const { isAlive: own } = options;
  const isAlive = own
    ? port("internal-fault", "isAlive", async (grant: LivenessInput) => (await own(grant)) === true)
    : () => true;
  return {
    issuer,
    resources: new Map(Object.entries(options.resources)),
    requireResource: options.requireResource ?? true,
    findTrust: port("internal-fault", "customers", trustFinder(options.customers)),
    keysOf: issuerKeys(fetch, now, crypto.keysOf),
    consume: (key, expiresAt) => store.consume(key, expiresAt + STORE_CLOCK_MARGIN),
    storeKeyOf,
    isAlive: async (grant) => (await isUnrevoked(grant, store, storeKeyOf)) && isAlive(grant),
    accounts: namedAccounts(options),
    narrow: port(
      "internal-fault",
      "narrow",
      narrow ? async (input) => narrowed(await narrow(input)) : ({ scope }) => ({ scope }),
    ),
    now,
  };
}

/** The app's accounts; what fails says which of the functions it was. */
function namedAccounts<A extends Account>(accounts: AccountPorts<A>): AccountPorts<A> {
  const { linkSubject, provision } = accounts;
  return {
    resolveSubject: port("internal-fault", "resolveSubject", (subject) => accounts.resolveSubject(subject)),
    ...(linkSubject && {
      linkSubject: port("internal-fault", "linkSubject", (seen) => linkSubject.call(accounts, seen)),
    }),
    ...(provision && {
      provision: port("internal-fault", "provision", (seen) => provision.call(accounts, seen)),
    }),
  };
}

/** What local policy left, as lists: in a text, a scope would be found within the name of another. */
function narrowed(left: readonly string[] | Narrowed): Narrowed {
  const { scope, authorizationDetails }: Narrowed = isScopes(left) ? { scope: left } : left;
  const lists = Array.isArray(scope) && (authorizationDetails === undefined || Array.isArray(authorizationDetails));
  if (!lists) throw new CredenceError("it returned something else than lists", { code: "configuration" });
  return { scope, ...(authorizationDetails === undefined ? {} : { authorizationDetails }) };
}

function isScopes(left: readonly string[] | Narrowed): left is readonly string[] {
  return Array.isArray(left);
}
