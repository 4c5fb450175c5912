import { expect, test } from "bun:test";
import {
  allowsLoopback,
  hostOf,
  isHttpUrl,
  isIpOrCidr,
  isLocalUrl,
  isLoopbackHost,
  isMetadataUrl,
} from "../../src/config/addresses.ts";

const table = (check: (text: string) => boolean, yes: string[], no: string[]) => {
  expect(yes.filter((text) => !check(text))).toEqual([]);
  expect(no.filter(check)).toEqual([]);
};

test("an IP or CIDR is one address of either version, alone or with a length of its own version", () => {
  table(
    isIpOrCidr,
    [
      "10.0.0.1",
      "10.0.0.0/8",
      "10.1.2.3/8",
      "0.0.0.0/0",
      "::",
      "::1",
      "2001:db8::/32",
      "::/128",
      "::ffff:10.0.0.1",
    ],
    [
      "",
      "x",
      "5",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/",
      "10.0.0.0/08",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      " 10.0.0.1",
      "010.0.0.1",
      "10.0.0.1:80",
      "[::1]",
      "fe80::1%eth0",
      "/8",
    ],
  );
});

test("a URL is absolute, http or https, and may be logged", () => {
  table(
    isHttpUrl,
    ["http://a.example", "https://a.example/b?c=d", "HTTPS://A.example:8443", "http://[::1]:1"],
    [
      "",
      "a.example",
      "//a.example",
      "http:a.example",
      "http://",
      "ftp://a.example",
      "javascript:alert(1)",
      "http://a b",
      " http://a",
      "http://a\n",
      "https://u@a.example",
      "https://:p@a.example",
      "http://a:99999",
    ],
  );
});

test("loopback is what only this machine can reach", () => {
  table(
    isLoopbackHost,
    ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"],
    ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example", ""],
  );
});

test("a metadata endpoint is one in every spelling", () => {
  table(
    isMetadataUrl,
    [
      "http://169.254.169.254/latest",
      "http://0xA9FEA9FE",
      "http://2852039166",
      "http://169.254.169.254.",
      "http://[::ffff:169.254.169.254]",
      "http://[fd00:ec2::254]",
      "http://[fe80::1]",
      "http://METADATA.google.internal./",
      "http://metadata",
      "http://100.100.100.200",
      "http://168.63.129.16",
      "http://169.254.170.2",
    ],
    [
      "https://idp.example",
      "http://10.0.0.1",
      "http://metadata.example",
      "http://localhost:8080",
      "not a url",
    ],
  );
});

test("an address of this machine is one in every spelling, and no name is", () => {
  table(
    isLocalUrl,
    [
      "http://127.0.0.1",
      "http://127.1:80",
      "http://0x7f000001",
      "http://127.0.0.1.",
      "http://[::1]:8080/x",
      "http://[::ffff:127.0.0.1]",
      "http://0.0.0.0",
      "http://0.1.2.3",
      "http://[::]",
    ],
    [
      "http://localhost",
      "http://10.0.0.1",
      "http://128.0.0.1",
      "http://[::2]",
      "http://127.0.0.1.example",
      "nope",
    ],
  );
});

test("the gateway may ask itself when its environment says 1", () => {
  expect(allowsLoopback({ CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" })).toBe(true);
  for (const value of [undefined, "", "0", "true"]) {
    expect(allowsLoopback({ CLAUDE_GATEWAY_ALLOW_LOOPBACK: value })).toBe(false);
  }
});

test("a host has one spelling", () => {
  expect(hostOf("https://API.Anthropic.com.:443/x")).toBe("api.anthropic.com");
  expect(hostOf("http://[::1]:80")).toBe("::1");
  expect(hostOf("nope")).toBe("");
});
