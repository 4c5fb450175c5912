// Where the names of our outbound requests lead: looked up, checked by address-rules.ts, and kept for a while, so that a request
// costs no look-up, an answer of the DNS that changes is taken up, and one that is missing for a while stops nobody. Connecting
// to what was checked is outbound.ts's.
import { dns } from "bun";
import { isIP } from "node:net";
import { requireAllowedAddresses } from "./address-rules.ts";

export type HostAddresses = {
  /**
   * Addresses of a host, all of them allowed, the one to try first first; at once where they are known.
   * @throws EgressBlockedError when one of them is forbidden, since the next connection might pick it; Error when there is none.
   */
  of(
    host: string,
    port: number,
    /** Whether the connection is ours to make to these, and not a proxy's. */
    isDirect?: (addresses: readonly string[]) => boolean,
  ): readonly string[] | Promise<readonly string[]>;
  /** Nobody answers at this address: others go first, and the name is looked up again. */
  failed(host: string, port: number, address: string): void;
};

export type HostAddressesOptions = {
  /** Lifts the block on loopback and unspecified addresses, and no other. */
  allowLoopback: boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Addresses of a host name; the system's resolver unless a test says otherwise. */
  resolve?: ((hostname: string) => Promise<string[]>) | undefined;
  /** How long a look-up may take, in milliseconds. */
  lookUpMs?: number;
  /** Of several addresses the one to try first; the order of the look-up unless it is given. */
  prefer?:
    | ((addresses: readonly string[], port: number) => Promise<string | undefined>)
    | undefined;
};

/** An answer of the DNS serves this long; then it still serves while the name is looked up again, and longer when that fails. */
const freshMs = 30_000;
const renewedMs = 5 * 60_000;
const keptMs = 60 * 60_000;

/** A resolver that tries several servers takes this long. */
const usualLookUpMs = 10_000;

/** Hosts kept: those that are configured, and what an IdP's discovery document names. */
const hostsMax = 1_000;

type Asked = [host: string, port: number, isDirect: (addresses: readonly string[]) => boolean];
type Known = { addresses: readonly string[]; lookedUpAt: number };

export function createHostAddresses(options: HostAddressesOptions): HostAddresses {
  const { allowLoopback, now, resolve = systemAddresses, lookUpMs = usualLookUpMs } = options;
  const known = new Map<string, Known>();
  const literals = new Map<string, readonly string[]>();
  const pending = new Map<string, Promise<readonly string[]>>();

  /** One look-up at a time for each host, however many wait for it. */
  function lookUp(key: string, ...asked: Asked): Promise<readonly string[]> {
    let work = pending.get(key);
    if (work === undefined) {
      work = lookUpOnce(key, ...asked).finally(() => pending.delete(key));
      pending.set(key, work);
    }
    return work;
  }

  async function lookUpOnce(
    key: string,
    ...[host, port, isDirect]: Asked
  ): Promise<readonly string[]> {
    const found = await answered(resolve(host), host, lookUpMs);
    try {
      requireAllowedAddresses(host, found, allowLoopback);
    } catch (error) {
      // What the name led to before does not count any more either.
      known.delete(key);
      throw error;
    }
    const first =
      found.length > 1 && isDirect(found) ? await options.prefer?.(found, port) : undefined;
    const addresses =
      first === undefined ? found : [first, ...found.filter((address) => address !== first)];
    const [oldest] = known.keys();
    if (oldest !== undefined && !known.has(key) && known.size >= hostsMax) known.delete(oldest);
    known.set(key, { addresses, lookedUpAt: now() });
    return addresses;
  }

  /** A host that is an address leads to itself, and is checked once. */
  function itself(host: string): readonly string[] {
    let addresses = literals.get(host);
    if (addresses === undefined) {
      addresses = [host];
      requireAllowedAddresses(host, addresses, allowLoopback);
      if (literals.size >= hostsMax) literals.clear();
      literals.set(host, addresses);
    }
    return addresses;
  }

  async function renewedOrKept(
    key: string,
    renewed: Promise<readonly string[]>,
    entry: Known,
    ageMs: number,
  ): Promise<readonly string[]> {
    try {
      return await renewed;
    } catch (error) {
      // A name that leads to a forbidden place has been forgotten; one that merely was not found has not.
      if (known.has(key) && ageMs < keptMs) return entry.addresses;
      throw error;
    }
  }

  return {
    of(host, port, isDirect = () => true) {
      if (isIP(host) !== 0) return itself(host);
      const key = `${host}:${port}`;
      const entry = known.get(key);
      if (entry === undefined) return lookUp(key, host, port, isDirect);
      const ageMs = Math.abs(now() - entry.lookedUpAt);
      if (ageMs < freshMs) return entry.addresses;
      const renewed = lookUp(key, host, port, isDirect);
      if (ageMs >= renewedMs) return renewedOrKept(key, renewed, entry, ageMs);
      renewed.catch(() => undefined);
      return entry.addresses;
    },
    failed(host, port, address) {
      const entry = known.get(`${host}:${port}`);
      if (entry === undefined || entry.addresses[0] !== address) return;
      const others = entry.addresses.slice(1);
      known.set(`${host}:${port}`, {
        addresses: [...others, address],
        lookedUpAt: Math.min(entry.lookedUpAt, now() - freshMs),
      });
    },
  };
}

/** A look-up cannot be stopped, only left behind: whoever comes next asks anew. */
async function answered<T>(work: Promise<T>, host: string, timeoutMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = () => reject(new Error(`ETIMEDOUT: no address of ${host} within ${timeoutMs} ms`));
  const timer = setTimeout(late, timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * By c-ares, which waits for nobody in a thread: a DNS that is silent would hold up the runtime's threads otherwise, and with them
 * every file that is written.
 */
async function systemAddresses(hostname: string): Promise<string[]> {
  return (await dns.lookup(hostname, { backend: "c-ares" })).map(({ address }) => address);
}
