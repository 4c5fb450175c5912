// Where a request comes from, and whether access_control lets it in.
import { expect, test } from "bun:test";
import { createAddresses, isPublicAddress } from "../../src/http/client-address.ts";

const addresses = (over: Partial<Parameters<typeof createAddresses>[0]>) =>
  createAddresses({ trustedProxies: [], allowCidrs: [], denyCidrs: [], ...over });
const behind = addresses({ trustedProxies: ["127.0.0.1", "10.0.0.0/8"] });

const resolved: [string, string, string | null, string][] = [
  ["no header gives the peer", "127.0.0.1", null, "127.0.0.1"],
  ["the header of an untrusted peer is not read", "192.0.2.1", "9.9.9.9", "192.0.2.1"],
  [
    "the rightmost untrusted hop is the client",
    "127.0.0.1",
    "6.6.6.6, 9.9.9.9, 10.1.2.3",
    "9.9.9.9",
  ],
  ["what a client wrote further left is ignored", "127.0.0.1", "6.6.6.6, 9.9.9.9", "9.9.9.9"],
  ["a port is dropped", "127.0.0.1", "9.9.9.9:1234", "9.9.9.9"],
  ["a bracketed IPv6 address with a port is read", "127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"],
  ["an IPv4-mapped address is its IPv4 address", "127.0.0.1", "::ffff:9.9.9.9", "9.9.9.9"],
  [
    "an IPv4-mapped peer is trusted like its IPv4 address",
    "::ffff:127.0.0.1",
    "9.9.9.9",
    "9.9.9.9",
  ],
  ["junk gives the peer", "127.0.0.1", "junk", "127.0.0.1"],
  ["trusted hops alone give the peer", "127.0.0.1", "10.1.1.1, 10.1.2.3", "127.0.0.1"],
  ["a trusted peer in its mapped form in hexadecimal", "::ffff:7f00:1", "9.9.9.9", "9.9.9.9"],
  ["a bracketed address without a port is read", "127.0.0.1", "[2001:db8::1]", "2001:db8::1"],
  ["a zone is dropped", "127.0.0.1", "fe80::1%eth0", "fe80::1"],
  ["a zone in brackets is dropped", "127.0.0.1", "[fe80::1%eth0]:80", "fe80::1"],
  ["case does not matter", "127.0.0.1", "2001:DB8::A", "2001:db8::a"],
  ["tabs and blanks around do not matter", "127.0.0.1", " \t9.9.9.9\t , 10.1.1.1 ", "9.9.9.9"],
];
for (const [what, peer, header, want] of resolved) {
  test(`${what}: ${header} from ${peer}`, () => expect(behind.resolve(peer, header).ip).toBe(want));
}

const unreadable = [
  "junk",
  "",
  ",",
  "9.9.9.9,",
  "9.9.9.9, unknown",
  "9.9.9.9, _hidden",
  "9.9.9",
  "9.9.9.9.9",
  "9.9.9.256",
  "09.9.9.9",
  "0x9.9.9.9",
  "151587081",
  "9.9.9.9%eth0",
  "9.9.9.9:port",
  "[9.9.9.9]:80:80",
  "[2001:db8::1",
  "2001:db8::1]:80",
  "2001:db8:::1",
  '"9.9.9.9"',
  "for=9.9.9.9",
  "9.9.9.9 10.1.1.1",
  "9.9.9.9;10.1.1.1",
  "9.9.9.9\0",
  "\u0669.9.9.9",
];
test.each(unreadable)("a trusted proxy's %j is no address, and is not guessed at", (header) => {
  const client = behind.resolve("127.0.0.1", header);
  expect(client).toEqual({ ip: "127.0.0.1", unreadable: true, forwarded: false });
});

test("junk left of the client does not matter, however long", () => {
  const header = `${"x,".repeat(100_000)} ,, 9.9.9.9, 10.1.1.1`;
  expect(behind.resolve("127.0.0.1", header)).toEqual({
    ip: "9.9.9.9",
    unreadable: false,
    forwarded: true,
  });
});

test("sixty-four trusted hops are read, and a client behind more is not known", () => {
  const hops = (count: number) => Array.from({ length: count }, () => "10.1.1.1").join(",");
  expect(behind.resolve("127.0.0.1", `9.9.9.9,${hops(63)}`).ip).toBe("9.9.9.9");
  expect(behind.resolve("127.0.0.1", hops(64)).unreadable).toBe(false);
  expect(behind.resolve("127.0.0.1", `9.9.9.9,${hops(64)}`)).toEqual({
    ip: "127.0.0.1",
    unreadable: true,
    forwarded: false,
  });
});

test("an address is denied in each of its forms", () => {
  const denying = addresses({
    trustedProxies: ["127.0.0.1"],
    denyCidrs: ["9.9.9.0/24", "2001:db8::/32"],
  });
  for (const hop of [
    "9.9.9.9",
    "9.9.9.9:80",
    "::ffff:9.9.9.9",
    "::FFFF:909:909",
    "0:0:0:0:0:ffff:909:909",
    "[::ffff:9.9.9.9]:80",
    "2001:db8::1",
    "2001:0DB8:0:0::1",
    "[2001:db8::1]:80",
    "2001:db8::1%1",
  ]) {
    expect([hop, denying.refusal(denying.resolve("127.0.0.1", hop), true)]).toEqual([
      hop,
      "ip_denylist",
    ]);
  }
});

test("deny comes before allow, and covers the health paths", () => {
  const both = addresses({ allowCidrs: ["127.0.0.1"], denyCidrs: ["127.0.0.0/8"] });
  expect(both.refusal(both.resolve("127.0.0.1", null), true)).toBe("ip_denylist");
});

test("an allow-list refuses everybody else, but for the health paths", () => {
  const listed = addresses({ allowCidrs: ["10.0.0.0/8", "2001:db8::/32"] });
  const refusal = (ip: string, isHealthPath = false) =>
    listed.refusal(listed.resolve(ip, null), isHealthPath);
  expect(refusal("127.0.0.1")).toBe("ip_not_allowlisted");
  expect(refusal("127.0.0.1", true)).toBeUndefined();
  expect(refusal("10.9.9.9")).toBeUndefined();
  expect(refusal("2001:db8:1::5")).toBeUndefined();
  expect(refusal("2001:db9::5")).toBe("ip_not_allowlisted");
});

test("with a list set, a client that cannot be told is refused", () => {
  const listed = addresses({ trustedProxies: ["127.0.0.1"], denyCidrs: ["9.9.9.9"] });
  expect(listed.refusal(listed.resolve(undefined, null), false)).toBe("client_ip_unknown");
  expect(listed.refusal(listed.resolve("127.0.0.1", "junk"), false)).toBe("xff_unparseable");
});

test("private, loopback and link-local addresses are not public", () => {
  for (const ip of [
    "10.0.0.1",
    "172.31.1.1",
    "192.168.1.1",
    "127.0.0.1",
    "169.254.1.1",
    "100.64.1.1",
    "::1",
    "fd00::1",
    "fe80::1",
  ]) {
    expect(isPublicAddress(ip)).toBe(false);
  }
  for (const ip of ["9.9.9.9", "172.32.0.1", "2001:db8::1"]) expect(isPublicAddress(ip)).toBe(true);
});
