// Which of the gateway's requests go through the proxy of the environment, and what the boot log says of it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openNetworks } from "../src/networks.ts";
import { captureLog, type Logged } from "./spend/logged.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

const proxy = "http://proxy.example:3128";

/** The networks of a gateway with this environment and `oidc.use_proxy`. */
function open(env: Record<string, string>, useProxy?: boolean) {
  const oidc = {
    issuer: "https://10.0.0.1",
    ...(useProxy !== undefined && { use_proxy: useProxy }),
  } as Parameters<typeof openNetworks>[0]["oidc"];
  return openNetworks({ oidc }, { env, now: Date.now });
}

const target = new URL("https://10.0.0.1/");
const proxyOf = async (network: ReturnType<typeof open>["configured"]) =>
  (await network.wayTo(target)).proxy;

test("without a proxy everything goes direct, and nothing is said", async () => {
  const { configured, providers, identityProvider } = open({});
  for (const network of [configured, providers, identityProvider])
    expect(await proxyOf(network)).toBeUndefined();
  expect(logged.lines()).toEqual([]);
});

test("upstreams and collectors go through the proxy, at the address that was checked", async () => {
  const { configured } = open({ HTTPS_PROXY: proxy }, false);
  expect(await configured.wayTo(target)).toEqual({ hosts: ["10.0.0.1"], proxy: `${proxy}/` });
});

test("a provider's own name is the proxy's to look up", async () => {
  const { providers } = open({ HTTPS_PROXY: proxy }, false);
  const way = await providers.wayTo(new URL("https://bedrock-runtime.eu-west-1.amazonaws.com/"));
  expect(way.hosts).toEqual(["bedrock-runtime.eu-west-1.amazonaws.com"]);
});

describe("the IdP", () => {
  test("is reached through it when the configuration says so", async () => {
    expect(await proxyOf(open({ HTTPS_PROXY: proxy }, true).identityProvider)).toBe(`${proxy}/`);
    expect(logged.lines().join()).toContain("oidc: IdP requests use proxy proxy.example:3128");
  });

  test("is reached directly when it says so, and nothing is said", async () => {
    const { identityProvider } = open({ HTTPS_PROXY: proxy }, false);
    expect(await proxyOf(identityProvider)).toBeUndefined();
    expect(logged.lines()).toEqual([]);
  });

  test("is reached directly when it says nothing, with a warning", async () => {
    expect(await proxyOf(open({ HTTPS_PROXY: proxy }).identityProvider)).toBeUndefined();
    expect(logged.lines().join()).toContain("but IdP requests go direct");
  });

  test("draws no warning when NO_PROXY exempts it", () => {
    open({ HTTPS_PROXY: proxy, NO_PROXY: "10.0.0.0/8" });
    expect(logged.lines()).toEqual([]);
  });

  test("goes through the egress boundary when the configuration says nothing", async () => {
    const env = { HTTPS_PROXY: proxy, CLAUDE_GATEWAY_PROXY_IS_EGRESS_BOUNDARY: "1" };
    expect(await proxyOf(open(env).identityProvider)).toBe(`${proxy}/`);
    expect(logged.lines().join()).toContain(
      "network: proxy proxy.example:3128 is the egress boundary",
    );
  });

  test("cannot go through a proxy that is not there: a warning says so", async () => {
    expect(await proxyOf(open({}, true).identityProvider)).toBeUndefined();
    expect(logged.lines().join()).toContain("oidc.use_proxy is set but no HTTPS_PROXY");
  });
});
