// The name look-up of connections that node:http makes for a library: it hands on addresses that egress.ts allows and no other,
// so that the connection goes to an address that was checked, and nobody looks the name up a second time. Requests that we make
// ourselves are egress.ts's.
import type { LookupAddress, LookupOptions } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { requireAllowedAddresses, requireAllowedHost } from "./egress.ts";

export type LookupGuard = {
  /** Lifts the block on loopback and unspecified addresses, and no other. */
  allowLoopback: boolean;
  /** Addresses of a host name; the system's resolver unless a test says otherwise. */
  resolve?: (hostname: string, options: LookupOptions) => Promise<LookupAddress[]>;
};

/**
 * A `lookup` for agents and sockets of Node's kind. It fails with EgressBlockedError when one of the addresses is forbidden,
 * since the connection may pick any. A host that is an address is not looked up: `requireAllowedUrl` is for those.
 */
export function createGuardedLookup({
  allowLoopback,
  resolve = systemAddresses,
}: LookupGuard): LookupFunction {
  async function allowed(hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
    requireAllowedHost(new URL(`http://${hostname}`));
    const found = await resolve(hostname, options);
    const addresses = found.map(({ address }) => address);
    requireAllowedAddresses(hostname, addresses, allowLoopback);
    return found;
  }

  return (hostname, options, callback) => {
    allowed(hostname, options).then(
      (found) => {
        const [first] = found;
        if (options.all === true || first === undefined) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error) => callback(error, []),
    );
  };
}

/**
 * Whether what the URL itself says may be reached, without asking anybody.
 * @throws EgressBlockedError when it may not: another scheme, a metadata name, a forbidden address.
 */
export function requireAllowedUrl(url: URL, { allowLoopback }: LookupGuard): void {
  const host = requireAllowedHost(url);
  if (isIP(host) !== 0) requireAllowedAddresses(host, [host], allowLoopback);
}

function systemAddresses(hostname: string, options: LookupOptions): Promise<LookupAddress[]> {
  return lookup(hostname, { ...options, all: true });
}
