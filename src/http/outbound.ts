// One outbound request to a configured URL, to an address that was checked: the connection is made to the address itself, under
// the host's name (Host, SNI and the certificate are the name's), so that what the DNS answers between the check and the
// connection does not matter. Redirects are handed back and never followed. Bounds of time and size are the caller's: egress.ts
// has them for everything but model answers.
import { isIP } from "node:net";
import { hostOf } from "../config/addresses.ts";
import { orAborted } from "../timer.ts";
import { requireAllowedHost, requireRemoteName } from "./address-rules.ts";
import { createHostAddresses, type HostAddressesOptions } from "./host-addresses.ts";
import { noProxies, portOf, type Proxies } from "./proxies.ts";

/** Where a connection goes for a URL. */
export type Way = {
  /** Addresses that were checked, in the order to try them; the host's name where a proxy looks it up. Never empty. */
  readonly hosts: readonly string[];
  /** The proxy that connects; undefined for a connection of our own. */
  readonly proxy: string | undefined;
};

/** The network as a part of the gateway may use it. Names that were looked up are kept for all who ask this one. */
export type Network = {
  /** @throws EgressBlockedError for what the rules forbid; Error when the host has no address. */
  wayTo(target: URL): Way | Promise<Way>;
  /** Nobody answered at this address. */
  failed(target: URL, address: string): void;
};

/**
 * `fetch` without redirects, within the rules. Headers given as `Headers` are given away.
 * @throws EgressBlockedError for what the rules forbid; otherwise what `fetch` throws.
 */
export type Outbound = (url: string | URL, init?: BunFetchRequestInit) => Promise<Response>;

export type NetworkOptions = HostAddressesOptions & {
  /** None unless given. */
  proxies?: Proxies;
  /** Whether a proxy looks names up, also when it is not the egress boundary: for hosts that nobody configured. */
  namesToProxy?: boolean;
};

export function createNetwork({
  proxies = noProxies,
  namesToProxy = proxies.isBoundary,
  ...options
}: NetworkOptions): Network {
  const addresses = createHostAddresses(options);
  return {
    wayTo(target) {
      const host = requireAllowedHost(target);
      const isHanded = namesToProxy && isIP(host) === 0 && !proxies.runtimeExempts(host);
      const handedTo = isHanded ? proxies.urlFor(target, []) : undefined;
      if (handedTo !== undefined) {
        requireRemoteName(host);
        return { hosts: [host], proxy: handedTo };
      }
      const proxyFor = (found: readonly string[]) => proxies.urlFor(target, found);
      const way = (hosts: readonly string[]) => ({ hosts, proxy: proxyFor(hosts) });
      const found = addresses.of(host, portOf(target), (asked) => proxyFor(asked) === undefined);
      return found instanceof Promise ? found.then(way) : way(found);
    },
    failed: (target, address) =>
      addresses.failed(requireAllowedHost(target), portOf(target), address),
  };
}

/** Errors of a connection that did not come about: nothing was sent, so another address may be tried. */
const unconnected = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]);

/** @param options.caPem PEM certificates that replace the system's trust store. */
export function createOutbound(
  network: Network,
  { caPem }: { caPem?: string | undefined } = {},
): Outbound {
  // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED=0 would switch it off otherwise.
  const trust = { rejectUnauthorized: true, ...(caPem !== undefined && { ca: caPem }) };

  return async (url, init) => {
    const target = new URL(url);
    // Every request passes here: nothing is waited for that is known, and nothing built that is not needed.
    const way = network.wayTo(target);
    const { hosts, proxy } = way instanceof Promise ? await unlessAborted(init?.signal, way) : way;
    const headers = init?.headers instanceof Headers ? init.headers : new Headers(init?.headers);
    headers.set("host", target.host);
    const name = hostOf(target);
    const request: BunFetchRequestInit = {
      ...init,
      headers,
      redirect: "manual",
      proxy: proxy ?? false,
    };
    if (target.protocol === "https:")
      request.tls = isIP(name) === 0 ? { ...trust, serverName: name } : trust;

    for (const host of proxy === undefined ? hosts.slice(0, -1) : []) {
      try {
        return await fetch(pinned(target, host), request);
      } catch (error) {
        if (!isUnconnected(error)) throw error;
        network.failed(target, host);
      }
    }
    // An error says nothing about the address when it is a proxy that connects.
    const last = proxy === undefined ? hosts.at(-1) : hosts[0];
    return fetch(pinned(target, last ?? name), request);
  };
}

/** A name look-up cannot be stopped, only left behind. */
function unlessAborted(signal: AbortSignal | null | undefined, way: Promise<Way>): Promise<Way> {
  return signal ? orAborted(signal, way) : way;
}

/** The URL with the address in place of its host. */
function pinned(target: URL, address: string): string {
  const { protocol, port, pathname, search } = target;
  const host = address.includes(":") ? `[${address}]` : address;
  return `${protocol}//${host}${port && `:${port}`}${pathname}${search}`;
}

function isUnconnected(error: unknown): boolean {
  return error instanceof Error && "code" in error && unconnected.has(String(error.code));
}
