// Where a request comes from: the TCP peer, or, behind trusted_proxies, the address that the nearest untrusted hop had.
// And whether access_control lets that address in.
import { isIP } from "node:net";
import { addressSet } from "../config/addresses.ts";

export type Addresses = {
  /**
   * The client's address, and `unreadable` when a trusted proxy sent an X-Forwarded-For that cannot be read.
   * @param peer address of the TCP peer, `undefined` when the socket is already gone.
   */
  resolve(peer: string | undefined, forwardedFor: string | null): ClientAddress;
  /** Why access_control refuses the address, or `undefined` when it may come in. */
  refusal(client: ClientAddress, isHealthPath: boolean): AccessRefusal | undefined;
};

export type ClientAddress = {
  readonly ip: string | undefined;
  readonly unreadable: boolean;
  readonly forwarded: boolean;
};
export type AccessRefusal =
  | "ip_denylist"
  | "ip_not_allowlisted"
  | "xff_unparseable"
  | "client_ip_unknown";

/** Hops read in X-Forwarded-For, from the right; that many trusted ones are somebody playing games. */
const hopsMax = 64;

/** @param config IP addresses and CIDR blocks, checked by the configuration already; an entry that is none throws. */
export function createAddresses(config: {
  trustedProxies: readonly string[];
  allowCidrs: readonly string[];
  denyCidrs: readonly string[];
}): Addresses {
  const isTrusted = addressSet(config.trustedProxies);
  const isAllowed = addressSet(config.allowCidrs);
  const isDenied = addressSet(config.denyCidrs);
  const listed = config.allowCidrs.length > 0 || config.denyCidrs.length > 0;

  function resolve(peer: string | undefined, forwardedFor: string | null): ClientAddress {
    const ip = peer === undefined ? undefined : plainAddress(peer);
    if (ip === undefined || forwardedFor === null || !isTrusted(ip)) {
      return { ip, unreadable: false, forwarded: false };
    }
    // From the right: everything left of the first untrusted hop was written by the client.
    let end = forwardedFor.length;
    for (let hops = 0; hops < hopsMax; hops++) {
      const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(",", end - 1);
      const hop = plainAddress(withoutPort(forwardedFor.slice(comma + 1, end).trim()));
      if (hop === undefined) return { ip, unreadable: true, forwarded: false };
      if (!isTrusted(hop)) return { ip: hop, unreadable: false, forwarded: true };
      if (comma < 0) return { ip, unreadable: false, forwarded: false };
      end = comma;
    }
    return { ip, unreadable: true, forwarded: false };
  }

  function refusal(client: ClientAddress, isHealthPath: boolean): AccessRefusal | undefined {
    if (!listed) return undefined;
    if (client.ip === undefined) return "client_ip_unknown";
    if (client.unreadable) return "xff_unparseable";
    if (isDenied(client.ip)) return "ip_denylist";
    if (config.allowCidrs.length === 0 || isHealthPath) return undefined;
    return isAllowed(client.ip) ? undefined : "ip_not_allowlisted";
  }

  return { resolve, refusal };
}

const isPrivate = addressSet([
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "::1",
  "fc00::/7",
  "fe80::/10",
]);

/** Whether an address is outside the private, loopback, link-local and carrier-grade NAT ranges. */
export function isPublicAddress(ip: string): boolean {
  return !isPrivate(ip);
}

/** An address in one spelling: no zone, IPv4-mapped IPv6 as IPv4. `undefined` when it is no address. */
function plainAddress(text: string): string | undefined {
  const bare = (text.includes(":") ? text.replace(/%.*$/, "") : text).toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1] ?? bare;
  return isIP(mapped) === 0 ? undefined : mapped;
}

/** Drops the port of `1.2.3.4:5678` and `[::1]:5678`. A bare IPv6 address with a port is ambiguous and stays as it is. */
function withoutPort(hop: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
}
