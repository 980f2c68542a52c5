import { describe, expect, test } from "vitest";
import { addressKind, isAddress } from "./addresses.ts";

/** Each network that is not the public internet, by its first and last address, and what lies around it. */
describe("the edges of a network that is not the public internet", () => {
  test.each([
    ["0.0.0.0/8", "0.0.0.0", "0.255.255.255", [], ["1.0.0.0"]],
    ["10.0.0.0/8", "10.0.0.0", "10.255.255.255", ["9.255.255.255"], ["11.0.0.0"]],
    ["100.64.0.0/10", "100.64.0.0", "100.127.255.255", ["100.63.255.255"], ["100.128.0.0"]],
    ["169.254.0.0/16", "169.254.0.0", "169.254.255.255", ["169.253.255.255"], ["169.255.0.0"]],
    ["172.16.0.0/12", "172.16.0.0", "172.31.255.255", ["172.15.255.255"], ["172.32.0.0"]],
    ["192.0.0.0/24", "192.0.0.0", "192.0.0.255", ["191.255.255.255"], ["192.0.1.0"]],
    ["192.0.2.0/24", "192.0.2.0", "192.0.2.255", ["192.0.1.255"], ["192.0.3.0"]],
    ["192.88.99.0/24", "192.88.99.0", "192.88.99.255", ["192.88.98.255"], ["192.88.100.0"]],
    ["192.168.0.0/16", "192.168.0.0", "192.168.255.255", ["192.167.255.255"], ["192.169.0.0"]],
    ["198.18.0.0/15", "198.18.0.0", "198.19.255.255", ["198.17.255.255"], ["198.20.0.0"]],
    ["198.51.100.0/24", "198.51.100.0", "198.51.100.255", ["198.51.99.255"], ["198.51.101.0"]],
    ["203.0.113.0/24", "203.0.113.0", "203.0.113.255", ["203.0.112.255"], ["203.0.114.0"]],
    ["224.0.0.0/3", "224.0.0.0", "255.255.255.255", ["223.255.255.255"], []],
    ["::/96", "::2", "::ffff:ffff", [], []],
    ["64:ff9b:1::/48", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", [], []],
    ["2001::/23", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", ["2000:ffff::"], ["2001:200::"]],
    ["2001:db8::/32", "2001:db8::", "2001:db8:ffff::", ["2001:db7:ffff::"], ["2001:db9::"]],
    ["2002::/16", "2002::", "2002:ffff::", ["2001:ffff::"], ["2003::"]],
    ["3fff::/20", "3fff::", "3fff:fff:ffff::", ["3ffe:ffff::"], ["3fff:1000::"]],
    ["all below 2000::/3", "::1:0:0:0", "1fff:ffff::", [], ["2000::"]],
    ["all above 2000::/3", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ["3fff:ffff::"], []],
  ])("%s", (_, first, last, before, after) => {
    for (const address of [first, last]) expect([address, addressKind(address)]).toEqual([address, "private"]);
    for (const address of [...before, ...after]) expect([address, addressKind(address)]).toEqual([address, "public"]);
  });

  test("127.0.0.0/8 is this machine", () => {
    expect(["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"].map(addressKind)).toEqual([
      "public",
      "loopback",
      "loopback",
      "public",
    ]);
  });
});

describe("an IPv6 address", () => {
  test.each([
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["::1:1", "private"],
    ["::1:0:1", "private"],
    ["1::1", "private"],
    // Mapped: only with 80 bits of zeros before.
    ["::ffff:8.8.8.8", "public"],
    ["::FFFF:808:808", "public"],
    ["0:0:0:0:0:ffff:808:808", "public"],
    ["::ffff:10.10.100.100", "private"],
    ["::1:ffff:8.8.8.8", "private"],
    ["::fffe:8.8.8.8", "private"],
    ["::8.8.8.8", "private"],
    // NAT64: the well-known prefix alone, and what it leads to.
    ["64:ff9b::8.8.8.8", "public"],
    ["64:ff9b::192.168.100.200", "private"],
    ["64:ff9c::8.8.8.8", "private"],
    ["65:ff9b::8.8.8.8", "private"],
    ["64:ff9b::1:8.8.8.8", "private"],
    ["[2606:4700::1111]", "public"],
    ["2606:4700::1111%eth0", "public"],
    ["2606:4700:0:0:0:0:0:1111", "public"],
    ["2606:4700:0:0:0:0:0::", "public"],
    ["2606::4700:0:0:0:0:0", "public"],
    ["2606:4700:4700:a:b:c:d::", "public"],
  ] as const)("%s is %s", (address, kind) => {
    expect(addressKind(address)).toBe(kind);
  });
});

test.each([
  "256.8.8.8",
  "8.8.8.256",
  "8.8.8",
  "8.8.8.8.8",
  "1234.8.8.8",
  "8.8.8.8 ",
  "x8.8.8.8",
  "2606:4700::1::2",
  "2606:4700:0:0:0:0:1111",
  "2606:4700:0:0:0:0:0:0:1111",
  "2606:4700:1:2:3:4:5::1111",
  "2606:4700:1:2:3:4:5:6::",
  "2606:4700::11111",
  "2606:4700::x1111",
  "2606:4700::1111g",
  "2606:4700::1 1",
  "2606:4700::256.8.8.8",
  "2606:4700::8.8.8.8x",
  "2606:4700:8.8.8.8",
  "26[06:4700::1111",
  "2606:4700]::1111",
  "2606:%0:4700:0:0:0:0:0:1111",
  "",
])("what can not be read as an address, %s, is private", (address) => {
  expect(addressKind(address)).toBe("private");
});

test.each([
  ["[2606:4700::1111]", true],
  ["8.8.8.8", true],
  ["a.example", false],
  ["8.8.8.8.example", false],
])("whether %s is an address: %s", (host, answer) => {
  expect(isAddress(host)).toBe(answer);
});
