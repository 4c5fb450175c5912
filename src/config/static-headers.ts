// Which headers an operator may add to an upstream's requests: none that the gateway sets itself, none that HTTP frames
// messages with, and no value that could become two headers.
import type { Finding, Path } from "./problems.ts";

/** Set by the gateway, by a provider's protocol or signature, or by the connection (RFC 9110 §7.6.1). */
const reservedNames = new Set([
  "accept",
  "accept-encoding",
  "api-key",
  "authorization",
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
  "user-agent",
  "x-api-key",
  "x-litellm-end-user-id",
]);
const reservedPrefixes = [
  "anthropic-",
  "x-amz-",
  "x-amzn-",
  "x-claude-gateway-",
  "x-goog-",
  "x-stainless-",
];

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Printable ASCII, not empty, no blank at either end. */
const plainValue = /^[!-~](?:[ -~]*[!-~])?$/;

/** What is wrong with the `headers` of one upstream. Values are secrets: they are not repeated. */
export function headerFindings(
  headers: Readonly<Record<string, string | undefined>>,
  path: Path,
): Finding[] {
  const seen = new Set<string>();
  return Object.entries(headers).flatMap(([name, value]): Finding[] => {
    const key = name.toLowerCase();
    const message = wrongName(key, seen) ?? wrongValue(value);
    seen.add(key);
    return message === undefined ? [] : [{ path: [...path, name], message }];
  });
}

function wrongName(name: string, seen: ReadonlySet<string>): string | undefined {
  if (!token.test(name)) return "is not a header name";
  if (seen.has(name)) return "is the same header as one above: names do not differ by case";
  const reserved =
    reservedNames.has(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix));
  return reserved
    ? "is reserved: the gateway or the provider's protocol sets it; remove it from this upstream's headers"
    : undefined;
}

function wrongValue(value: string | undefined): string | undefined {
  if (value === undefined || plainValue.test(value)) return undefined;
  return value === ""
    ? "must not be empty; if it comes from a ${VAR}, set that variable"
    : "must be printable ASCII without blanks at the ends";
}
