// Where a request comes from: the TCP peer, or, behind trusted_proxies, the address that the nearest untrusted hop had.
// And whether access_control lets that address in.
import { BlockList, isIP } from "node:net";

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

/** Hops read in X-Forwarded-For, from the right; a longer list is a client playing games. */
const hopsMax = 64;

/** @param config IP addresses and CIDR blocks, checked by the configuration already; an entry that is none throws. */
export function createAddresses(config: {
  trustedProxies: readonly string[];
  allowCidrs: readonly string[];
  denyCidrs: readonly string[];
}): Addresses {
  const trusted = blockListOf(config.trustedProxies);
  const allowed = blockListOf(config.allowCidrs);
  const denied = blockListOf(config.denyCidrs);
  const listed = config.allowCidrs.length > 0 || config.denyCidrs.length > 0;

  function resolve(peer: string | undefined, forwardedFor: string | null): ClientAddress {
    const ip = peer === undefined ? undefined : plainAddress(peer);
    if (ip === undefined || forwardedFor === null || !contains(trusted, ip)) {
      return { ip, unreadable: false, forwarded: false };
    }
    // From the right: everything left of the first untrusted hop was written by the client.
    for (const entry of forwardedFor.split(",").slice(-hopsMax).toReversed()) {
      const hop = plainAddress(withoutPort(entry.trim()));
      if (hop === undefined) return { ip, unreadable: true, forwarded: false };
      if (!contains(trusted, hop)) return { ip: hop, unreadable: false, forwarded: true };
    }
    return { ip, unreadable: false, forwarded: false };
  }

  function refusal(client: ClientAddress, isHealthPath: boolean): AccessRefusal | undefined {
    if (!listed) return undefined;
    if (client.ip === undefined) return "client_ip_unknown";
    if (client.unreadable) return "xff_unparseable";
    if (contains(denied, client.ip)) return "ip_denylist";
    if (config.allowCidrs.length === 0 || isHealthPath) return undefined;
    return contains(allowed, client.ip) ? undefined : "ip_not_allowlisted";
  }

  return { resolve, refusal };
}

const privateNetworks = blockListOf([
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
  return !contains(privateNetworks, ip);
}

function blockListOf(entries: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix] = entry.split("/");
    const family = address.includes(":") ? "ipv6" : "ipv4";
    if (prefix === undefined) blocks.addAddress(address, family);
    else blocks.addSubnet(address, Number(prefix), family);
  }
  return blocks;
}

function contains(blocks: BlockList, ip: string): boolean {
  return blocks.check(ip, ip.includes(":") ? "ipv6" : "ipv4");
}

/** An address in one spelling: no zone, IPv4-mapped IPv6 as IPv4. `undefined` when it is no address. */
function plainAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, "").toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1] ?? bare;
  return isIP(mapped) === 0 ? undefined : mapped;
}

/** Drops the port of `1.2.3.4:5678` and `[::1]:5678`. A bare IPv6 address with a port is ambiguous and stays as it is. */
function withoutPort(hop: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
}
