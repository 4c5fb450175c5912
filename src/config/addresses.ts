// What a host, an address or a URL in the configuration may be. Nothing here resolves names: that is the egress guard's.
import { BlockList, isIP } from "node:net";

/** One IP address, or a CIDR block such as `10.0.0.0/8`; no zone, no blanks. */
export function isIpOrCidr(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = address.includes("%") ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    prefix === undefined ||
    (/^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
  );
}

/** An absolute `http:` or `https:` URL without blanks and without a user name or password, which logs would repeat. */
export function isHttpUrl(text: string): boolean {
  if (!/^https?:\/\/\S+$/i.test(text)) return false;
  const url = URL.parse(text);
  return url !== null && url.username === "" && url.password === "";
}

const loopback = blocks([], ["127.0.0.0/8", "::1/128"]);

/** Whether a listener on this host name or address can be reached from this machine only. */
export function isLoopbackHost(host: string): boolean {
  const bare = unbracketed(host.toLowerCase());
  return bare === "localhost" || contains(loopback, bare);
}

/**
 * Where clouds hand out credentials to whoever asks from inside: the link-local ranges, and what lies outside them (AWS on
 * IPv6, Alibaba, Azure's wire server, Oracle's old address).
 */
const metadataAddresses = blocks(
  ["fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"],
  ["169.254.0.0/16", "fe80::/10"],
);
const metadataNames = new Set([
  "metadata",
  "metadata.goog",
  "metadata.google.internal",
  "instance-data",
  "instance-data.ec2.internal",
]);

/** Whether the URL names a cloud metadata endpoint, in any spelling that `URL` reads as one. */
export function isMetadataUrl(url: string): boolean {
  const host = hostOf(url);
  return metadataNames.has(host) || contains(metadataAddresses, host);
}

/** Host of a URL in one spelling: lower case, addresses without brackets, no dot at the end. Empty when it is no URL. */
export function hostOf(url: string): string {
  return unbracketed(URL.parse(url)?.hostname ?? "").replace(/\.$/, "");
}

function unbracketed(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function blocks(addresses: readonly string[], subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const address of addresses) list.addAddress(address, familyOf(address));
  for (const subnet of subnets) {
    const [address = "", prefix] = subnet.split("/");
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

/** IPv4 inside IPv6 (`::ffff:a9fe:a9fe`) is found too. */
function contains(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}
