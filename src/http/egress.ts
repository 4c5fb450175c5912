// Our own outbound requests to URLs that come from the configuration or from an answer to it (the IdP's discovery
// document): which addresses they may reach, how long they may take and how much they may answer. Who asks for what, and
// how an answer is read, is the caller's. Streams of model answers have a path of their own in upstream/.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import {
  addressSet,
  hostOf,
  linkLocalNetworks,
  metadataAddresses,
  metadataNames,
} from "../config/addresses.ts";
import { messageOf } from "../log.ts";

export type Egress = { fetch(url: string | URL, init?: RequestInit): Promise<Response> };

export type EgressOptions = {
  /** Lifts the block on loopback and unspecified addresses, and no other. */
  allowLoopback: boolean;
  /** Whole exchange, from the name look-up to the last byte of the answer. */
  timeoutMs: number;
  /** Longest answer, counted after decompression. */
  responseBytesMax: number;
  /**
   * The environment has a proxy (HTTPS_PROXY, NO_PROXY) and it may carry these requests: names are then looked up there, and
   * where they lead is not checked here. For public hosts only. Otherwise no proxy is used, whatever the environment says.
   */
  viaProxy?: boolean;
  /** PEM certificates that replace the system's trust store. */
  caPem?: string | undefined;
  /** Addresses of a host name; the system's resolver unless a test says otherwise. */
  resolve?: (hostname: string) => Promise<string[]>;
};

/** A request that our own rules stopped: a forbidden address, a scheme other than http(s), or a redirect. */
export class EgressBlockedError extends Error {
  override readonly name = "EgressBlockedError";
}

/**
 * Makes the `fetch` for configured URLs. It throws EgressBlockedError for what the rules forbid; other failures are Errors
 * whose message names the URL (never its query) and the cause as the system calls it, such as ECONNREFUSED. An answer that
 * grows past `responseBytesMax` fails while its body is read, whatever its content-length says.
 */
export function createEgress(options: EgressOptions): Egress {
  const tls = {
    rejectUnauthorized: true,
    ...(options.caPem === undefined ? {} : { ca: options.caPem }),
  };
  const viaProxy = options.viaProxy ?? false;
  const resolve = viaProxy ? undefined : (options.resolve ?? systemAddresses);

  return {
    async fetch(url, init = {}) {
      const target = new URL(url);
      const timeout = AbortSignal.timeout(options.timeoutMs);
      const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
      const explain = (error: unknown) => explained(target, error, options.timeoutMs);
      try {
        await orAborted(signal, allowedAddresses(target, resolve, options.allowLoopback));
        // `proxy: false`: the runtime reads HTTP_PROXY otherwise, and a proxy decides for itself where it connects.
        const response = await fetch(target, {
          ...init,
          signal,
          tls,
          redirect: "manual",
          ...(viaProxy ? {} : { proxy: false }),
        });
        return await bounded(target, response, options.responseBytesMax, explain);
      } catch (error) {
        throw explain(error);
      }
    },
  };
}

/** IPv6 networks that carry an IPv4 address: bits before it. IPv4-compatible, NAT64 (RFC 6052), 6to4 (RFC 3056). */
const carriers = [
  { prefix: (high: string, low: string) => `::${high}:${low}`, bits: 96 },
  { prefix: (high: string, low: string) => `64:ff9b::${high}:${low}`, bits: 96 },
  { prefix: (high: string, low: string) => `2002:${high}:${low}::`, bits: 16 },
];

type Rule = { reason: string; loopback: boolean; holds: (address: string) => boolean };

const metadataReason = "cloud metadata";

/** What may not be reached, most specific reason first. */
const rules: readonly Rule[] = [
  { reason: metadataReason, loopback: false, holds: carriedSet(metadataAddresses) },
  { reason: "link-local", loopback: false, holds: carriedSet(linkLocalNetworks) },
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

function loopbackReason(kind: string): string {
  return `${kind}; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow it`;
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

/**
 * Addresses that the URL's host stands for, all of them allowed: one forbidden address refuses the host, since the
 * connection may pick any. Without `resolve` only what the URL itself says is checked. The connection still looks the name
 * up again by itself; pinning it to this list goes here.
 */
async function allowedAddresses(
  target: URL,
  resolve: ((hostname: string) => Promise<string[]>) | undefined,
  allowLoopback: boolean,
): Promise<string[]> {
  const host = requireAllowedHost(target);
  const isName = isIP(host) === 0;
  if (isName && resolve === undefined) return [];
  const addresses = isName && resolve !== undefined ? await resolve(host) : [host];
  requireAllowedAddresses(host, addresses, allowLoopback);
  return addresses;
}

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
  const host = hostOf(target.href);
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
    const rule = applied.find(({ holds }) => holds(plain));
    if (rule) throw blockedBy(rule.reason, `${host} → ${address}`);
  }
}

function blockedBy(reason: string, where: string): EgressBlockedError {
  return new EgressBlockedError(`ECONNREFUSED_SSRF: blocked (${reason}): ${where}`);
}

async function systemAddresses(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/** The answer with its body counted while it streams by. A redirect is an error: nobody checked where it leads. */
async function bounded(
  target: URL,
  response: Response,
  bytesMax: number,
  explain: (error: unknown) => Error,
): Promise<Response> {
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new EgressBlockedError(
      `redirect refused: ${plainUrl(target)} answered ${response.status}`,
    );
  }
  if (!response.body) return response;
  const reader = response.body.getReader();
  let bytes = 0;
  const counted = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        bytes += value.byteLength;
        if (bytes > bytesMax) throw new Error(`answer is longer than ${bytesMax} bytes`);
        controller.enqueue(value);
      } catch (error) {
        controller.error(explain(error));
        reader.cancel().catch(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const { status, statusText, headers } = response;
  return new Response(counted, { status, statusText, headers });
}

/** Rejects as soon as the signal fires. A name look-up cannot be stopped, only left behind. */
function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function explained(target: URL, error: unknown, timeoutMs: number): Error {
  if (error instanceof EgressBlockedError) return error;
  const isLate = error instanceof Error && error.name === "TimeoutError";
  const cause = isLate ? lateAnswer(timeoutMs) : causeOf(error);
  return new Error(`${plainUrl(target)}: ${cause}`, { cause: error });
}

/** What is said of an exchange that was given up. */
export function lateAnswer(timeoutMs: number): string {
  return `ETIMEDOUT: no complete answer within ${timeoutMs} ms`;
}

/** What a failed request's error says, with the cause as the system calls it, such as ECONNREFUSED. */
export function causeOf(error: unknown): string {
  const message = messageOf(error).replace(/ For more information, pass .*$/, "");
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && !message.includes(code) ? `${code}: ${message}` : message;
}

function plainUrl(target: URL): string {
  return target.origin + target.pathname;
}
