// Which requests go through which proxy.
import { describe, expect, test } from "bun:test";
import { describeBoundary, readProxies } from "../../src/http/proxies.ts";

/** The proxy for a URL, by its host; `direct` when there is none. */
function wayTo(url: string, env: Record<string, string>, addresses: string[] = ["10.0.0.1"]) {
  const proxy = readProxies(env).urlFor(new URL(url), addresses);
  return proxy === undefined ? "direct" : new URL(proxy).host;
}

describe("the scheme of the URL chooses the variable, and any serves when it is the only one", () => {
  test.each([
    ["https://a.example", { HTTPS_PROXY: "http://p:1" }, "p:1"],
    ["https://a.example", { https_proxy: "http://p:1" }, "p:1"],
    ["https://a.example", { HTTP_PROXY: "http://p:1", HTTPS_PROXY: "http://q:1" }, "q:1"],
    ["https://a.example", { HTTP_PROXY: "http://p:1" }, "p:1"],
    ["http://a.example", { HTTPS_PROXY: "http://p:1" }, "p:1"],
    ["http://a.example", { HTTP_PROXY: "http://p:1" }, "p:1"],
    ["https://a.example", { ALL_PROXY: "http://p:1" }, "p:1"],
    ["https://a.example", { HTTPS_PROXY: "http://p:1", ALL_PROXY: "http://q:1" }, "p:1"],
    ["https://a.example", { HTTPS_PROXY: "p:3128" }, "p:3128"],
    ["https://a.example", { HTTPS_PROXY: "" }, "direct"],
    ["https://a.example", {}, "direct"],
  ] as [string, Record<string, string>, string][])("%s with %j: %s", (url, env, way) => {
    expect(wayTo(url, env)).toBe(way);
  });
});

describe("NO_PROXY", () => {
  const proxied = (url: string, list: string, addresses?: string[]) =>
    wayTo(url, { HTTPS_PROXY: "http://p:1", NO_PROXY: list }, addresses) !== "direct";

  test.each([
    ["https://a.example", "a.example"],
    ["https://A.Example.", "a.EXAMPLE"],
    ["https://x.a.example", ".a.example"],
    ["https://x.a.example", "*.a.example"],
    ["https://a.example", ".a.example"],
    ["https://a.example", "b.example, a.example"],
    ["https://a.example", "b.example a.example"],
    ["https://a.example", "*"],
    ["https://a.example", "a.example:443"],
    ["https://a.example:8443", "a.example:8443"],
    ["https://10.1.2.3", "10.1.2.3"],
    ["https://10.1.2.3", "10.0.0.0/8"],
    ["https://a.example", "10.0.0.0/8"],
    ["https://[fd00::1]", "fd00::/8"],
    ["https://[fd00::1]:8443", "[fd00::1]:8443"],
  ])("%s is reached directly with %j", (url, list) => {
    expect(proxied(url, list)).toBe(false);
  });

  test.each([
    ["https://a.example", "b.example"],
    ["https://nota.example", ".a.example"],
    ["https://x.a.example", "a.example"],
    ["https://a.example:8443", "a.example:443"],
    ["https://11.1.2.3", "10.0.0.0/8"],
    ["https://a.example", "192.168.0.0/16"],
    ["https://a.example", "https://a.example"],
    ["https://a.example", ".,"],
    ["https://a.example", ""],
  ])("%s is not with %j", (url, list) => {
    expect(proxied(url, list)).toBe(true);
  });

  test("both spellings of the variable count", () => {
    const env = { HTTPS_PROXY: "http://p:1", NO_PROXY: "a.example", no_proxy: "b.example" };
    expect([wayTo("https://a.example", env), wayTo("https://b.example", env)]).toEqual([
      "direct",
      "direct",
    ]);
  });
});

test.each(["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"])(
  "this machine (%s) is reached without a proxy, whose loopback is another",
  (url) => {
    expect(wayTo(url, { HTTP_PROXY: "http://p:1" })).toBe("direct");
  },
);

test.each(["socks5://p:1", "http://", "http://p:99999"])(
  "%s is no proxy: the error names the variable and not the value, which may hold a password",
  (value) => {
    expect(() => readProxies({ HTTPS_PROXY: value })).toThrow(
      "HTTPS_PROXY is not the URL of an http or https proxy",
    );
  },
);

describe("the proxy as the egress boundary", () => {
  const asked = { CLAUDE_GATEWAY_PROXY_IS_EGRESS_BOUNDARY: "1", HTTPS_PROXY: "http://u:pw@p:3128" };

  test("is said at the start, without the password", () => {
    expect(readProxies(asked).isBoundary).toBe(true);
    expect(describeBoundary(asked)).toEqual({
      level: "info",
      text: "network: proxy p:3128 is the egress boundary; outbound requests hand it hostnames and rely on its allowlist instead of the gateway's own address check",
    });
  });

  test("is not without being asked for", () => {
    expect(readProxies({ HTTPS_PROXY: "http://p:1" }).isBoundary).toBe(false);
    expect(describeBoundary({ HTTPS_PROXY: "http://p:1" })).toBeUndefined();
  });

  test.each([
    [{ NO_PROXY: "x.y" }, 'NO_PROXY="x.y"'],
    [{ no_proxy: "x.y" }, 'no_proxy="x.y"'],
    [{ CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" }, "so is CLAUDE_GATEWAY_ALLOW_LOOPBACK"],
    [{ HTTPS_PROXY: "" }, "neither HTTPS_PROXY nor HTTP_PROXY is"],
  ] as [Record<string, string>, string][])(
    "cannot be with %j, and the warning says why",
    (also, why) => {
      const env = { ...asked, ...also };
      expect(readProxies(env).isBoundary).toBe(false);
      expect(describeBoundary(env)).toMatchObject({ level: "warn" });
      expect(describeBoundary(env)?.text).toContain(why);
    },
  );
});
