import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv4 } from "node:net";

/** Where the router writes the address that it vouches for; whatever a client sent under this name is gone by then. */
const HEADER = "x-forwarded-for";

/** Forwarded addresses that are read at the most. */
const MAX_HOPS = 20;

/** The client's address, as the router found it: for the record, and for the back-off at sign-in. */
export function sourceOf(req: IncomingMessage): string {
  const vouched = req.headers[HEADER];
  return typeof vouched === "string" ? vouched : socketAddress(req);
}

/**
 * Finds the client's address behind proxies, and vouches for it.
 *
 * From the socket backwards through `X-Forwarded-For`: the first address that is not a trusted proxy is the client's, because
 * everything before it was written by whoever is there. Without trusted proxies it is the socket's.
 *
 * @param trusted - Addresses and networks of the proxies in front.
 * @returns a function to be called once for each request, before anybody reads it.
 */
export function vouchForSource(trusted: readonly string[]): (req: IncomingMessage) => void {
  const isProxy = memberOf(trusted);
  return (req) => {
    const sent = req.headers[HEADER];
    const hops = typeof sent === "string" ? sent.split(",").slice(-MAX_HOPS) : [];
    let source = socketAddress(req);
    while (isProxy(source)) {
      const before = plainAddress(hops.pop()?.trim() ?? "");
      if (isIP(before) === 0) break;
      source = before;
    }
    req.headers[HEADER] = source;
  };
}

/** Whether a request comes straight from a trusted proxy. */
export function isFromTrusted(trusted: readonly string[]): (req: IncomingMessage) => boolean {
  const isProxy = memberOf(trusted);
  return (req) => isProxy(socketAddress(req));
}

/** Whether an address is one of these, or in one of these networks. */
export function memberOf(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false;
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIPv4(address) ? "ipv4" : "ipv6";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

function socketAddress(req: IncomingMessage): string {
  return plainAddress(req.socket.remoteAddress ?? "");
}

/** A dual-stack socket shows an IPv4 address as IPv6. @see RFC 4291 §2.5.5.2 */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

/** Whether a text names an address or a network of addresses: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...more] = text.split("/");
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  if (bits === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

/**
 * What counts as one address: whoever has one of IPv6 has the 2^64 beside it, so its /64. It is on the way of every request:
 * no list is made and no pattern matched where that is not needed.
 *
 * @see RFC 6177 §2
 */
export function networkOf(source: string): string {
  let groups = 0;
  for (let i = source.indexOf(":"); i !== -1; i = source.indexOf(":", i + 1)) {
    groups += 1;
    if (source.startsWith("::", i)) return aroundZeros(source.slice(0, i), source.slice(i + 2));
    if (groups === 4) return source.slice(0, i).toLowerCase();
  }
  return source;
}

/** The first four groups of an address in which some are left out. */
function aroundZeros(head: string, tail: string): string {
  // An IPv4 address in the notation of IPv6.
  if (tail.includes(".")) return `${head}::${tail}`;
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  while (left.length < 4 && left.length + right.length < 8) left.push("0");
  return [...left, ...right].slice(0, 4).join(":").toLowerCase();
}
