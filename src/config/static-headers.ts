// Which headers an operator may add to the requests that go to an upstream or a collector of telemetry: none that the gateway
// sets itself, none that HTTP frames messages with, and no value that could become two headers.
import type { Finding, Path } from "./problems.ts";

/** Set by the connection (RFC 9110 §7.6.1), or because they tell of the body. */
const framingNames = [
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Names, in lower case, that are not the operator's to set, and what to say of one. */
type Reserved = {
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  readonly why: string;
};

/** Those that the gateway, a provider's protocol or its signature sets besides. */
export const headersOfUpstreams: Reserved = {
  names: new Set([
    ...framingNames,
    "accept",
    "api-key",
    "authorization",
    "user-agent",
    "x-api-key",
    "x-litellm-end-user-id",
  ]),
  prefixes: ["anthropic-", "x-amz-", "x-amzn-", "x-claude-gateway-", "x-goog-", "x-stainless-"],
  why: "is reserved: the gateway or the provider's protocol sets it; remove it from this upstream's headers",
};

/** A collector's credential is a header, by whatever name. */
export const headersOfCollectors: Reserved = {
  names: new Set(framingNames),
  prefixes: [],
  why: "is reserved: it is the connection's or comes with the export; remove it from this destination's headers",
};

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A value that arrives as it was written: printable ASCII, not empty, no blank at either end. */
export const plainValue = /^[!-~](?:[ -~]*[!-~])?$/;

/** What is wrong with one mapping of `headers`. Values are secrets: they are not repeated. */
export function headerFindings(
  headers: Readonly<Record<string, string | undefined>>,
  path: Path,
  reserved: Reserved,
): Finding[] {
  const seen = new Set<string>();
  return Object.entries(headers).flatMap(([name, value]): Finding[] => {
    const key = name.toLowerCase();
    const message = wrongName(key, seen, reserved) ?? wrongValue(value);
    seen.add(key);
    return message === undefined ? [] : [{ path: [...path, name], message }];
  });
}

function wrongName(
  name: string,
  seen: ReadonlySet<string>,
  { names, prefixes, why }: Reserved,
): string | undefined {
  if (!token.test(name)) return "is not a header name";
  if (seen.has(name)) return "is the same header as one above: names do not differ by case";
  const isReserved = names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
  return isReserved ? why : undefined;
}

function wrongValue(value: string | undefined): string | undefined {
  if (value === undefined || plainValue.test(value)) return undefined;
  return value === ""
    ? "must not be empty; if it comes from a ${VAR}, set that variable"
    : "must be printable ASCII without blanks at the ends";
}
