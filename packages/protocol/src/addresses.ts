/** Which addresses are private: the ones that a fetch on somebody else's word must never reach. */

/** Networks in CIDR form that are not the public internet. @see RFC 6890, IANA special-purpose registries */
const PRIVATE_IPV4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
].map((cidr) => {
  const [base = "", bits = ""] = cidr.split("/");
  return { base: ipv4ToNumber(base) ?? 0, size: 2 ** (32 - Number(bits)) };
});

/** Kinds of address: `loopback` may be allowed by a development switch, `private` never. */
export type AddressKind = "public" | "loopback" | "private";

/**
 * Tells what kind of address an IP literal is. IPv6 forms that carry an IPv4 address count as that address; whatever
 * can not be read is private.
 *
 * @param address - IPv4 dotted, or IPv6 with or without brackets.
 */
export function addressKind(address: string): AddressKind {
  const bare = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const v4 = ipv4ToNumber(bare);
  if (v4 !== undefined) return ipv4Kind(v4);
  const groups = ipv6Groups(bare);
  return groups === undefined ? "private" : ipv6Kind(groups);
}

/**
 * Whether a host is this machine: a loopback address, or `localhost` and the names below it, with or without the dot
 * that ends a name in the DNS.
 *
 * @param host - A name or an IP literal, as in `URL.hostname`.
 * @see RFC 6761 §6.3
 */
export function isLoopbackHost(host: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(host) || addressKind(host) === "loopback";
}

/** Whether a host of a URL is an IP literal. */
export function isAddress(host: string): boolean {
  return host.startsWith("[") || ipv4ToNumber(host) !== undefined;
}

function ipv4Kind(address: number): AddressKind {
  if (Math.floor(address / 2 ** 24) === 127) return "loopback";
  return PRIVATE_IPV4.some(({ base, size }) => address >= base && address < base + size) ? "private" : "public";
}

function ipv6Kind(groups: readonly number[]): AddressKind {
  const [a = 0, b = 0, , , , f = 0, g = 0, h = 0] = groups;
  const leading = groups.slice(0, 5).every((group) => group === 0);
  const embedded = g * 65_536 + h;
  if (leading && f === 0 && g === 0 && h === 1) return "loopback";
  // ::ffff:0:0/96 mapped, ::/96 compatible, 64:ff9b::/96 NAT64, 2002::/16 6to4: the IPv4 address inside decides.
  if (leading && f === 0xffff) return ipv4Kind(embedded);
  if (leading && f === 0) return "private";
  // 64:ff9b:1::/48 (RFC 8215) is NAT64 as a network likes it: what an address there leads to, nobody outside can say.
  if (a === 0x64 && b === 0xff9b) {
    const wellKnown = groups.slice(2, 6).every((group) => group === 0);
    return wellKnown && ipv4Kind(embedded) === "public" ? "public" : "private";
  }
  if (a === 0x2002) return "private";
  // 2000::/3 is the global unicast space; 2001::/23, 2001:db8::/32 and 3fff::/20 in it are special.
  const special = (a === 0x2001 && (b < 0x200 || b === 0xdb8)) || (a === 0x3fff && b < 0x1000);
  const global = a >= 0x2000 && a <= 0x3fff && !special;
  return global ? "public" : "private";
}

function ipv4ToNumber(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match?.slice(1).map(Number);
  return bytes?.every((byte) => byte < 256) ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : undefined;
}

function ipv6Groups(text: string): readonly number[] | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const v4 = tail?.[2] === undefined ? undefined : ipv4ToNumber(tail[2]);
  const plain = tail && v4 !== undefined ? `${tail[1]}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}` : text;
  const halves = plain.split("::");
  if (halves.length > 2) return undefined;
  const [left = [], right = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...left, ...Array<string>(halves.length === 2 ? missing : 0).fill("0"), ...right];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined;
}
