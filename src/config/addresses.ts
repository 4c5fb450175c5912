// What a host, an address or a URL in the configuration may be, and which addresses have a meaning of their own. Nothing
// here resolves names: that is the egress guard's.
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

const isLoopback = addressSet(["127.0.0.0/8", "::1"]);

/** Whether a listener on this host name or address can be reached from this machine only. */
export function isLoopbackHost(host: string): boolean {
  const bare = unbracketed(host.toLowerCase());
  return bare === "localhost" || isLoopback(bare);
}

const isThisMachine = addressSet(["127.0.0.0/8", "::1", "0.0.0.0/8", "::"]);

/** Whether the URL's host is a loopback or unspecified address, in any spelling. Names are not looked up. */
export function isLocalUrl(url: string): boolean {
  return isThisMachine(hostOf(url));
}

/** Whether the operator lets the gateway send requests to its own machine. */
export function allowsLoopback(env: Readonly<Record<string, string | undefined>>): boolean {
  return env.CLAUDE_GATEWAY_ALLOW_LOOPBACK === "1";
}

/** Where clouds hand out credentials to whoever asks from inside, by name and by address. */
export const metadataNames: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.goog",
  "metadata.google.internal",
  "instance-data",
  "instance-data.ec2.internal",
]);
// In order: AWS, Azure, GCP and others; ECS and EKS credentials; Alibaba; Azure's host; Oracle; AWS, EKS, GCP, Oracle and Scaleway
// by IPv6.
export const metadataAddresses: readonly string[] = [
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "fd00:42::42",
];
export const linkLocalNetworks: readonly string[] = ["169.254.0.0/16", "fe80::/10"];

const isMetadataAddress = addressSet([...metadataAddresses, ...linkLocalNetworks]);

/** Whether the URL names a cloud metadata endpoint, in any spelling that `URL` reads as one. */
export function isMetadataUrl(url: string): boolean {
  const host = hostOf(url);
  return metadataNames.has(host) || isMetadataAddress(host);
}

/** Host of a URL in one spelling: lower case, addresses without brackets, no dots at the end. Empty when it is no URL. */
export function hostOf(url: string | URL): string {
  const hostname = typeof url === "string" ? URL.parse(url)?.hostname : url.hostname;
  return unbracketed(hostname ?? "").replace(/\.+$/, "");
}

function unbracketed(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/**
 * Whether an address is one of these addresses or in one of these CIDR blocks. What is no address is in none of them; IPv4
 * inside IPv6 (`::ffff:a9fe:a9fe`) is found too.
 * @throws when an entry is neither.
 */
export function addressSet(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix] = entry.split("/");
    if (prefix === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}
