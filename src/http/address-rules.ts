// Which hosts our own outbound requests may reach: metadata endpoints and link-local addresses never, this machine only when the
// operator says so, in every spelling and inside every IPv6 form that carries an IPv4 address. Who connects is outbound.ts.
import { isIP } from "node:net";
import {
  addressSet,
  hostOf,
  linkLocalNetworks,
  metadataAddresses,
  metadataNames,
} from "../config/addresses.ts";

/** A request that our own rules stopped: a forbidden address, a scheme other than http(s), or a redirect. */
export class EgressBlockedError extends Error {
  override readonly name = "EgressBlockedError";
}

/**
 * IPv6 networks that carry an IPv4 address: bits before it. IPv4-compatible, translated (RFC 2765), NAT64 (RFC 6052) and its local
 * prefix (RFC 8215), 6to4 (RFC 3056). BlockList finds the IPv4-mapped ones by itself.
 */
const carriers = [
  { prefix: (high: string, low: string) => `::${high}:${low}`, bits: 96 },
  { prefix: (high: string, low: string) => `::ffff:0:${high}:${low}`, bits: 96 },
  { prefix: (high: string, low: string) => `64:ff9b::${high}:${low}`, bits: 96 },
  { prefix: (high: string, low: string) => `64:ff9b:1::${high}:${low}`, bits: 96 },
  { prefix: (high: string, low: string) => `2002:${high}:${low}::`, bits: 16 },
];

type Rule = { reason: string; loopback: boolean; holds: (address: string) => boolean };

const metadataReason = "cloud metadata";

/** What may not be reached, most specific reason first. */
const rules: readonly Rule[] = [
  { reason: metadataReason, loopback: false, holds: carriedSet(metadataAddresses) },
  { reason: "link-local", loopback: false, holds: carriedSet(linkLocalNetworks) },
  // Tunnels that carry an IPv4 address in disguise: Teredo (RFC 4380), and ISATAP by its interface identifier (RFC 5214).
  { reason: "IPv4 tunnel", loopback: false, holds: isTunnel },
  {
    reason: loopbackReason("loopback"),
    loopback: true,
    holds: carriedSet(["127.0.0.0/8", "::1"]),
  },
  {
    reason: loopbackReason("unspecified address"),
    loopback: true,
    holds: carriedSet(["0.0.0.0/8", "::"]),
  },
];

/** Names that mean this machine wherever they are looked up (RFC 6761 §6.3), and what Linux distributions add. */
const localName = /(^|\.)(localhost|localdomain|ip6-localhost|ip6-loopback)$/;

/**
 * The URL's host in one spelling.
 * @throws EgressBlockedError when the URL is not http(s), or names a metadata endpoint.
 */
export function requireAllowedHost(target: URL): string {
  if (target.protocol !== "http:" && target.protocol !== "https:") {
    throw new EgressBlockedError(
      `blocked (${target.protocol} is not http or https): ${target.host}`,
    );
  }
  // The URL parser has already turned every spelling of an IPv4 address (0x7f.1, 2130706433) into the dotted one.
  const host = hostOf(target);
  if (metadataNames.has(host)) throw blockedBy(metadataReason, host);
  return host;
}

/** @throws EgressBlockedError when one of the addresses of a host is forbidden; an Error when there is none. */
export function requireAllowedAddresses(
  host: string,
  addresses: readonly string[],
  allowLoopback: boolean,
): void {
  if (addresses.length === 0) throw new Error(`ENOTFOUND: ${host} has no address`);
  const applied = rules.filter((rule) => !(rule.loopback && allowLoopback));
  for (const address of addresses) {
    const plain = address.replace(/%.*$/, "");
    if (isIP(plain) === 0) throw blockedBy("no address", `${host} → ${address}`);
    const rule = applied.find(({ holds }) => holds(plain));
    if (rule) throw blockedBy(rule.reason, `${host} → ${address}`);
  }
}

/**
 * For a host that somebody else looks up and connects to: what its name alone says.
 * @throws EgressBlockedError when it names this machine.
 */
export function requireRemoteName(host: string): void {
  if (localName.test(host)) throw blockedBy("a name of this machine, through the proxy", host);
}

function loopbackReason(kind: string): string {
  return `${kind}; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow it`;
}

const isTeredo = addressSet(["2001::/32"]);

function isTunnel(address: string): boolean {
  return isTeredo(address) || /:(?:0|200)?:?5efe:[^:]*(?::[^:]*)?$/i.test(address);
}

/** The set of these addresses, those of IPv4 also as an IPv6 network carries them. */
function carriedSet(entries: readonly string[]): (address: string) => boolean {
  return addressSet([...entries, ...entries.flatMap(carried)]);
}

function carried(entry: string): string[] {
  if (entry.includes(":")) return [];
  const [address = "", bits = "32"] = entry.split("/");
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const [high, low] = [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
  return carriers.map(
    ({ prefix, bits: before }) => `${prefix(high, low)}/${before + Number(bits)}`,
  );
}

function blockedBy(reason: string, where: string): EgressBlockedError {
  return new EgressBlockedError(`ECONNREFUSED_SSRF: blocked (${reason}): ${where}`);
}
