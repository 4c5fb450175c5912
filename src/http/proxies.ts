// Which proxy an outbound request goes through, as the environment says it (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, in
// capitals or not), and whether that proxy is the one that decides where a name leads. What is sent is outbound.ts's.
import { isIP } from "node:net";
import { addressSet, allowsLoopback, hostOf, isIpOrCidr, isLocalUrl } from "../config/addresses.ts";

export type Proxies = {
  /**
   * URL of the proxy for a request, with the user name and password that it may hold; undefined to connect directly.
   * @param addresses where the host leads, for entries of NO_PROXY that are networks; empty when nobody looked it up.
   */
  urlFor(target: URL, addresses: readonly string[]): string | undefined;
  /**
   * Whether the runtime, which reads NO_PROXY by itself and in its own way (by the end of a name), may connect to this name
   * directly though it is told to go through a proxy.
   */
  runtimeExempts(host: string): boolean;
  /** Whether any is named, whatever is exempt from it; its `host:port`. */
  readonly proxyHost: string | undefined;
  /** CLAUDE_GATEWAY_PROXY_IS_EGRESS_BOUNDARY: the proxy is given names and decides by its own list where they may lead. */
  readonly isBoundary: boolean;
};

type Environment = Readonly<Record<string, string | undefined>>;

const boundaryVariable = "CLAUDE_GATEWAY_PROXY_IS_EGRESS_BOUNDARY";

/** Connects directly, whatever the environment says. */
export const noProxies: Proxies = {
  urlFor: () => undefined,
  runtimeExempts: () => false,
  proxyHost: undefined,
  isBoundary: false,
};

/** @throws Error naming the variable when a proxy's URL cannot be read. */
export function readProxies(env: Environment): Proxies {
  const byScheme: Readonly<Record<string, string | undefined>> = {
    "http:": firstProxyIn(env, "HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"),
    "https:": firstProxyIn(env, "HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY"),
  };
  const exempt = exemptionsIn(env);
  const isExempt = exemptions(exempt);
  const isBoundary = asksForBoundary(env) && obstacleTo(env) === undefined;
  const usual = byScheme["https:"];
  return {
    isBoundary,
    runtimeExempts: (host) => exempt.some((entry) => host.endsWith(bareName(entry))),
    proxyHost: usual === undefined ? undefined : new URL(usual).host,
    urlFor(target, addresses) {
      const proxy = byScheme[target.protocol];
      // This machine is not where a proxy's own loopback leads.
      if (proxy === undefined || isLocal(target)) return undefined;
      return isExempt(target, addresses) ? undefined : proxy;
    },
  };
}

/** What the log says at the start of the proxy as the boundary; undefined when nobody asked for it. */
export function describeBoundary(
  env: Environment,
): { level: "info" | "warn"; text: string } | undefined {
  if (!asksForBoundary(env)) return undefined;
  const obstacle = obstacleTo(env);
  if (obstacle !== undefined) {
    return {
      level: "warn",
      text: `${boundaryVariable} is set but ${obstacle}, so it is NOT active and hostnames are still resolved and checked locally`,
    };
  }
  return {
    level: "info",
    text:
      `network: proxy ${readProxies(env).proxyHost} is the egress boundary; outbound requests hand it hostnames and rely on its allowlist ` +
      "instead of the gateway's own address check",
  };
}

function asksForBoundary(env: Environment): boolean {
  return /^(1|true|yes)$/i.test(env[boundaryVariable] ?? "");
}

/** Why the proxy cannot be the boundary. Every destination has to go through it, the internal ones too. */
function obstacleTo(env: Environment): string | undefined {
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const exempt = env[name] ?? "";
    if (exempt !== "") {
      return `${name}=${JSON.stringify(exempt)} (set it to an empty value, and allow those hosts in the proxy instead)`;
    }
  }
  if (allowsLoopback(env)) return "so is CLAUDE_GATEWAY_ALLOW_LOOPBACK";
  const proxy = firstProxyIn(env, "HTTPS_PROXY", "HTTP_PROXY");
  return proxy === undefined ? "neither HTTPS_PROXY nor HTTP_PROXY is" : undefined;
}

function firstProxyIn(env: Environment, ...names: string[]): string | undefined {
  for (const name of names) {
    const proxy = proxyIn(env, name);
    if (proxy !== undefined) return proxy;
  }
  return undefined;
}

/** A proxy's URL. Without a scheme it is http, as everywhere. */
function proxyIn(env: Environment, name: string): string | undefined {
  const value = (env[name] || env[name.toLowerCase()] || "").trim();
  if (value === "") return undefined;
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.parse(text);
  // The value may hold a password: it is not repeated.
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new Error(`${name} is not the URL of an http or https proxy`);
  }
  return url.href;
}

function isLocal(target: URL): boolean {
  return isLocalUrl(target.href) || hostOf(target) === "localhost";
}

/** Longest NO_PROXY that is read, in entries. */
const exemptionsMax = 1_000;

/**
 * Entries of NO_PROXY: `*`, a name, a name with a dot before it (it and what is below it), an address or a network, which also
 * match what a name leads to; each but `*` with a port when only that one is meant.
 */
function exemptions(
  list: readonly string[],
): (target: URL, addresses: readonly string[]) => boolean {
  const entries = list.map(exemption);
  return (target, addresses) => {
    const host = hostOf(target);
    const port = portOf(target);
    return entries.some((matches) => matches(host, port, addresses));
  };
}

function exemptionsIn(env: Environment): string[] {
  return `${env.NO_PROXY ?? ""},${env.no_proxy ?? ""}`
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .slice(0, exemptionsMax);
}

/** An entry without its port and what stands before a name; empty, as every name's end is, for one that is for all. */
function bareName(entry: string): string {
  return withPort(entry)
    .host.replace(/^[*.]+/, "")
    .replace(/\.+$/, "");
}

type Exemption = (host: string, port: number, addresses: readonly string[]) => boolean;

function exemption(entry: string): Exemption {
  if (entry === "*") return () => true;
  const { host, port } = withPort(entry);
  const onPort = (asked: number) => port === undefined || port === asked;
  if (isIpOrCidr(host)) {
    const isListed = addressSet([host]);
    return (name, asked, addresses) =>
      onPort(asked) && (isIP(name) === 0 ? addresses : [name]).some(isListed);
  }
  const name = host.replace(/^\*?\./, "");
  const hasBelow = name !== host;
  return (asked, askedPort) =>
    onPort(askedPort) && (asked === name || (hasBelow && asked.endsWith(`.${name}`)));
}

/** `host:port` and `[address]:port` in two; what has no port, a bare IPv6 address for one, is a host. */
function withPort(entry: string): { host: string; port?: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  return { host: bracketed ?? plain ?? entry, ...(port !== undefined && { port: Number(port) }) };
}

/** The port of a URL, its scheme's own where it names none. */
export function portOf({ protocol, port }: URL): number {
  return Number(port) || (protocol === "https:" ? 443 : 80);
}
